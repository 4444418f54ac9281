"""Held-out quality after a time of training, one JSON a cell in `benchmarks/results/`.

    python -m benchmarks.quality SCENE --data-factor N --minutes M [--kernel K] [--seed S] [--again]

A cell that was measured is not measured again; `--again` does. Train on a machine that does nothing
else: `seconds` is wall time, and `cpu_seconds` beside it tells how much of it the training got.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import data
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from data.scene import inner_split
from splatting.checkpoint import save_splats
from splatting.config import TrainConfig
from splatting.evaluation import evaluate
from splatting.training import train


def measure(scene: data.Scene, config: TrainConfig, keep: Path | None) -> dict[str, Any]:
    """Train on `scene` and score both kinds of views; `keep` receives the splats."""
    curve: list[dict[str, float]] = []

    def report(step: int, values: dict[str, Any]) -> None:
        if not curve or values["seconds"] - curve[-1]["seconds"] >= 10:
            names = ("seconds", "loss", "psnr", "splats")
            curve.append({"step": step, **{name: round(values[name], 4) for name in names}})

    cpu = time.process_time()
    result = train(scene, config, report)
    cpu = time.process_time() - cpu
    seen = evaluate(result.splats, scene.train[:: -(-len(scene.train) // 16)], perceptual=False)
    held_out = evaluate(result.splats, scene.test)
    if keep is not None:
        save_splats(keep, result.splats)
    return {
        **held_out,
        "psnr_training": seen["psnr"],
        "views": [len(scene.train), len(scene.test)],
        "size": [scene.train[0].camera.width, scene.train[0].camera.height],
        "steps": result.steps,
        "seconds": round(result.seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "steps_per_second": round(result.steps / result.seconds, 2),
        "config": vars(config),
        "curve": curve,
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("scene", type=Path)
    options.add_argument("--data-factor", type=int, default=1)
    options.add_argument("--minutes", type=float, default=5.0)
    options.add_argument("--steps", type=int, help="a length in steps instead")
    options.add_argument("--kernel", default=TrainConfig.kernel)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--threads", type=int)
    options.add_argument("--inner", action="store_true", help="hold out training views instead")
    options.add_argument("--again", action="store_true", help="measure even if it stands already")
    options.add_argument("--keep", type=Path, help="write the trained splats here")
    given = options.parse_args()
    minutes = None if given.steps or given.quick else given.minutes
    config = TrainConfig(
        kernel=given.kernel,
        steps=30 if given.quick else given.steps,
        minutes=minutes,
        seed=given.seed,
        threads=given.threads,
    )
    scene = data.load_scene(given.scene, given.data_factor)
    length = f"{minutes:g}min" if minutes else f"{config.steps}steps"
    split = "-inner" if given.inner else ""
    name = f"quality-{scene.name}-{given.kernel}-{length}-seed{given.seed}{split}.json"
    place = given.json or RESULTS / name
    if place.exists() and not given.again:
        print(f"{place} stands already; --again measures it anew")
        return
    machine = facts()
    print(machine)
    cell = measure(inner_split(scene) if given.inner else scene, config, given.keep)
    write_json(place, {"benchmark": "quality", "machine": machine, "scene": scene.name, **cell})
    print_table(
        ["scene", "kernel", "PSNR", "SSIM", "training", "splats", "steps", "steps/s", "s", "CPU s"],
        [
            [
                f"{scene.name} {cell['size'][0]}x{cell['size'][1]}",
                given.kernel,
                f"{cell['psnr']:.2f}",
                f"{cell['ssim']:.4f}",
                f"{cell['psnr_training']:.2f}",
                f"{cell['splats']:,}",
                cell["steps"],
                cell["steps_per_second"],
                cell["seconds"],
                cell["cpu_seconds"],
            ]
        ],
    )


if __name__ == "__main__":
    main()
