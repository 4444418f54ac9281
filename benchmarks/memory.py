"""Peak memory of training at a fixed number of splats: steps, and one round of density control.

    python -m benchmarks.memory SCENE --data-factor N [--splats N] [--json FILE]

Density control is where the peak is: it makes a second copy of all splats and moments. `beside_mb`
is the peak less what the process held when all photos were decoded and nothing else was there.
"""

from __future__ import annotations

from typing import Any

import data
from benchmarks.machine import facts, parser, peak_memory_mb, print_table, write_json
from benchmarks.step import resized
from splatting import densification, refinement, training
from splatting.config import TrainConfig
from splatting.photos import Photos
from splatting.training_state import initial_state


def measure(scene: data.Scene, count: int) -> dict[str, Any]:
    """Megabytes after each part; a process has only one peak, so this is asked once a process."""
    config = TrainConfig(steps=10, drop=0.1, max_splats=count)
    with Photos(scene.train) as photos:
        for index in range(len(photos)):
            photos.take(index, 0)
        with_photos = peak_memory_mb()
        state = initial_state(scene, config)
        splats = resized(state.splats, count - count // 25)  # density control splits the rest
        state.splats, state.moments = splats, densification.new_moments(splats)
        del splats
        state.statistics = densification.ScreenStatistics.empty(len(state.splats))
        buffers = training.Buffers()
        for turn in range(3):
            sample = photos.take(turn % len(photos), 0)
            training.step(state, config, sample, 0.6, scene.radius, buffers)
        with_steps = peak_memory_mb()
        state.step = refinement.REORDER_EVERY * config.refine_every
        buffers.frame.clear()
        refinement.refine(state, config)
        training.step(state, config, sample, 0.6, scene.radius, buffers)
    peak = peak_memory_mb()
    return {
        "splats": len(state.splats),
        "photos_mb": round(with_photos),
        "steps_mb": round(with_steps),
        "peak_mb": round(peak),
        "beside_mb": round(peak - with_photos),
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("scene")
    options.add_argument("--data-factor", type=int, default=1)
    options.add_argument("--splats", type=int, default=1_000_000)
    given = options.parse_args()
    machine = facts()
    print(machine)
    cell = measure(
        data.load_scene(given.scene, given.data_factor), 50_000 if given.quick else given.splats
    )
    print_table(list(cell), [list(cell.values())])
    if given.json:
        write_json(given.json, {"benchmark": "memory", "machine": machine, **cell})


if __name__ == "__main__":
    main()
