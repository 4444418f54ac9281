"""Held-out quality after a time of training, one JSON a cell in `benchmarks/results/`.

    python -m benchmarks.quality SCENE --data-factor N --minutes M [--kernel K] [--seed S] [--again]
    python -m benchmarks.quality --table

The second prints the cells that stand, with dates and commits, and measures nothing. A cell that
was measured is not measured again; `--again` does. Train on a machine that does nothing else:
`seconds` is wall time, and `cpu_seconds` beside it tells how much of it the training got.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

import data
from benchmarks.machine import RESULTS, cpu_clock, facts, parser, print_table, write_json
from data.scene import inner_split
from simd.threads import set_threads
from splatting.checkpoint import save_splats
from splatting.config import TrainConfig
from splatting.evaluation import evaluate
from splatting.metrics import psnr_cc
from splatting.training import train

HELD_OUT_EVERY_S = 15
"""Seconds of training between two scores of the held-out views; the clock stands still."""


def measure(
    scene: data.Scene, config: TrainConfig, keep: Path | None, cpu_time: bool = False
) -> dict[str, Any]:
    """Train on `scene` and score both kinds of views; `keep` receives the splats, and minutes are
    of CPU time if `cpu_time`."""
    curve: list[dict[str, float]] = []
    held_out_curve: list[dict[str, float]] = []
    clock = cpu_clock(set_threads(config.threads)) if cpu_time else time.perf_counter

    def report(step: int, values: dict[str, Any]) -> None:
        if not curve or values["seconds"] - curve[-1]["seconds"] >= 10:
            names = ("seconds", "loss", "psnr", "splats")
            curve.append({"step": step, **{name: round(values[name], 4) for name in names}})
        place = HELD_OUT_EVERY_S * (len(held_out_curve) + 1)
        if config.minutes and values["seconds"] >= place:
            psnr = evaluate(values["live"], scene.test, perceptual=False)["psnr"]
            held_out_curve.append({"seconds": round(values["seconds"], 1), "psnr": round(psnr, 3)})

    cpu = time.process_time()
    result = train(scene, config, report, clock=clock)
    cpu = time.process_time() - cpu
    seen = evaluate(result.splats, scene.train[:: -(-len(scene.train) // 16)], perceptual=False)
    fitted: list[float] = []
    held_out = evaluate(
        result.splats,
        scene.test,
        lambda view, rgb: fitted.append(psnr_cc(rgb, view.image())),
    )
    if keep is not None:
        save_splats(keep, result.splats)
    return {
        **held_out,
        "psnr_cc": float(np.mean(fitted)),
        "psnr_training": seen["psnr"],
        "views": [len(scene.train), len(scene.test)],
        "size": [scene.train[0].camera.width, scene.train[0].camera.height],
        "steps": result.steps,
        "seconds": round(result.seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "steps_per_second": round(result.steps / result.seconds, 2),
        "config": vars(config),
        "clock": "CPU" if cpu_time else "wall",
        "within_3_db_after_s": within(held_out_curve, held_out["psnr"] - 3.0),
        "held_out_curve": held_out_curve,
        "curve": curve,
    }


def standing(folder: Path) -> Iterator[list[Any]]:
    """A row of `TABLE` for each recorded cell."""
    for path in sorted(folder.glob("quality-*.json")):
        cell = json.loads(path.read_text())
        machine = cell["machine"]
        yield [
            f"{cell['scene']} {cell['size'][0]}x{cell['size'][1]}",
            cell["kernel"],
            f"{cell['psnr']:.2f}",
            f"{cell['psnr_cc']:.2f}",
            f"{cell['ssim']:.4f}",
            f"{cell['psnr_training']:.2f}",
            f"{cell['splats']:,}",
            f"{cell['steps']:,}",
            f"{cell['seconds']:.0f}",
            f"{cell['cpu_seconds']:.0f}",
            "" if cell["within_3_db_after_s"] is None else f"{cell['within_3_db_after_s']:.0f}",
            machine["cpu"],
            machine["date"],
            machine["commit"],
        ]


def within(curve: list[dict[str, float]], psnr: float) -> float | None:
    """Seconds until `curve` first reaches `psnr`; None if it never does."""
    return next((point["seconds"] for point in curve if point["psnr"] >= psnr), None)


TABLE = ["scene", "kernel", "PSNR", "colours fitted", "SSIM", "training", "splats", "steps"]
TABLE += ["s", "CPU s", "s to 3 dB below", "machine", "date", "commit"]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("scene", type=Path, nargs="?")
    options.add_argument("--table", action="store_true", help="print what stands, measure nothing")
    options.add_argument("--data-factor", type=int, default=1)
    options.add_argument("--minutes", type=float, default=5.0)
    options.add_argument("--steps", type=int, help="a length in steps instead")
    options.add_argument("--kernel", default=TrainConfig.kernel)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--threads", type=int)
    options.add_argument("--inner", action="store_true", help="hold out training views instead")
    options.add_argument("--cpu-time", action="store_true", help="minutes of CPU time by threads")
    options.add_argument("--again", action="store_true", help="measure even if it stands already")
    options.add_argument("--keep", type=Path, help="write the trained splats here")
    given = options.parse_args()
    if given.table:
        print_table(TABLE, list(standing(RESULTS)))
        return
    if given.scene is None:
        options.error("expected a scene, or --table")
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
    split_of = inner_split(scene) if given.inner else scene
    cell = measure(split_of, config, given.keep, given.cpu_time)
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
