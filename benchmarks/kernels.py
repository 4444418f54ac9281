"""Every kernel on the same scenes under the same rules: a resumable queue, one JSON a cell.

    python -m benchmarks.kernels --fox FOLDER [--scene NAME ...] [--kernel NAME ...] [--table]

Three rules for each kernel and scene: equal time, equal steps, equal splats. Held-out PSNR along
the equal-time training says when a kernel reaches what the Gaussian ends with. Cells stand in
`benchmarks/results/kernels/`; a cell that stands is skipped, so the queue may be stopped at any
time. `--table` only prints what stands. Seconds are of CPU time on all cores: other programs on the
machine slow a cell down without changing it.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

import data
from benchmarks.machine import RESULTS, cpu_clock, facts, parser, print_table, write_json
from simd.threads import set_threads
from splatting import kernels, metrics
from splatting.config import TrainConfig
from splatting.evaluation import evaluate
from splatting.rasterization import render
from splatting.splats import Splats
from splatting.training import train

SAMPLES = Path(data.__file__).parent / "samples"
SECONDS, STEPS, SPLATS = 20.0, 1200, 20_000
RULES = ("time", "steps", "splats")
THRICE = ("raised-cosine", "half-cosine-square", "gaussian")
"""Three seeds: the kernels of the paper's claims. The others have one."""
POINTS = 20
"""Places on the held-out curve."""
BYTES_A_SPLAT = 59 * 4 * 3
"""Parameters and both moments of Adam in float32, harmonics of degree 3, whose moments there were
when the cells were measured."""


def rule(name: str, kernel: str, seed: int, scale: float) -> TrainConfig:
    """The configuration of a cell; `scale` shortens it for `--quick`."""
    # of the colours alone, as all cells that stand
    shared: dict[str, Any] = {"kernel": kernel, "seed": seed, "depth_weight": 0.0}
    if name == "time":
        return TrainConfig(**shared, minutes=SECONDS * scale / 60, passes=0.0)
    steps = max(30, round(STEPS * scale))
    if name == "steps":
        return TrainConfig(**shared, steps=steps)
    # whatever pulls is split until the number is reached, so that no kernel stops short of it
    return TrainConfig(**shared, steps=steps, max_splats=SPLATS, growth=0.2, pull_threshold=0.0)


def measure(scene: data.Scene, config: TrainConfig, with_curve: bool) -> dict[str, Any]:
    """Train and score one cell; the curve is taken while the training's clock stands still."""
    curve: list[dict[str, float]] = []

    def report(step: int, values: dict[str, Any]) -> None:
        if with_curve and values["progress"] * POINTS >= len(curve) + 1:
            live: Splats = values["live"]
            curve.append(
                {
                    "seconds": round(values["seconds"], 2),
                    "step": step,
                    "splats": len(live),
                    "psnr": round(held_out_psnr(live, scene), 3),
                }
            )

    cpu = time.process_time()
    result = train(scene, config, report, clock=cpu_clock(set_threads(config.threads)))
    cpu = time.process_time() - cpu
    scores = evaluate(result.splats, scene.test)
    return {
        **{name: scores[name] for name in ("psnr", "ssim", "lpips", "splats")},
        "steps": result.steps,
        "seconds": round(result.seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "curve": curve,
    }


def held_out_psnr(splats: Splats, scene: data.Scene) -> float:
    """Mean over the held-out views."""
    scores = [metrics.psnr(render(splats, v.camera).rgb, v.image()) for v in scene.test]
    return float(np.mean(scores))


def queue(given: Any) -> list[tuple[str, str, str, int]]:
    """(scene, kernel, rule, seed) of every cell asked for, the paper's kernels first."""
    names = given.kernel or [*THRICE, *(n for n in kernels.names() if n not in THRICE)]
    cells = []
    for seed in (0, 1, 2):
        for scene in given.scene:
            for kernel in names:
                if seed == 0 or kernel in THRICE:
                    cells += [(scene, kernel, name, seed) for name in RULES]
    return cells


def load(name: str, fox: Path | None, quick: bool) -> data.Scene:
    if name == "fox":
        if fox is None:
            raise SystemExit("fox: expected its folder, found none; give --fox FOLDER or --scene")
        return data.load_scene(fox, 2)
    return data.load_scene(SAMPLES / name, 4 if quick else 1)


def place(folder: Path, cell: tuple[str, str, str, int]) -> Path:
    scene, kernel, name, seed = cell
    return folder / f"{scene}-{kernel.replace(':', '-')}-{name}-seed{seed}.json"


def standing(folder: Path) -> dict[tuple[str, str, str, int], dict[str, Any]]:
    """What was measured."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        cell = (content["scene"], content["kernel"], content["rule"], content["seed"])
        found[cell] = content
    return found


def average(found: dict[Any, Any], scene: str, kernel: str, name: str) -> dict[str, Any] | None:
    """Means over seeds of one row of the table."""
    cells = [c for (s, k, r, _), c in found.items() if (s, k, r) == (scene, kernel, name)]
    if not cells:
        return None
    keys = ("psnr", "ssim", "lpips", "splats", "steps", "seconds")
    row = {
        key: float(np.mean([c[key] for c in cells])) if cells[0][key] is not None else None
        for key in keys
    }
    return row | {"seeds": len(cells), "spread": float(np.ptp([c["psnr"] for c in cells]))}


def reach(found: dict[Any, Any], scene: str, kernel: str) -> dict[str, float] | None:
    """Seconds, steps, splats and MB at which the equal-time curve passes the Gaussian's final PSNR;
    medians over seeds; None where most never do."""
    goal = average(found, scene, "gaussian", "time")
    if goal is None:
        return None
    passed = []
    for (s, k, r, _), cell in found.items():
        if (s, k, r) == (scene, kernel, "time"):
            points = [p for p in cell["curve"] if p["psnr"] >= goal["psnr"] - 5e-3]
            passed.append(points[0] if points else None)
    reached = [p for p in passed if p is not None]
    if not reached or 2 * len(reached) <= len(passed):
        return None
    row = {
        key: float(np.median([p[key] for p in reached])) for key in ("seconds", "step", "splats")
    }
    return row | {"mb": row["splats"] * BYTES_A_SPLAT / 1e6}


def rows_of(found: dict[Any, Any], scene: str) -> list[list[str]]:
    """The scene's table: for each rule PSNR / SSIM / LPIPS, then what equal time came to, and when
    the Gaussian's PSNR was reached. Best PSNR at equal time first."""
    names = {k for (s, k, _, _) in found if s == scene}
    timed = {name: average(found, scene, name, "time") for name in names}
    rows = []
    for name in sorted(names, key=lambda n: -(timed[n] or {"psnr": 0})["psnr"]):
        row = [name]
        for kind in RULES:
            got = average(found, scene, name, kind)
            row.append(_scores(got) if got else "-")
        mine, there = timed[name], reach(found, scene, name)
        row += [f"{mine['steps']:,.0f}", f"{mine['splats']:,.0f}"] if mine else ["-", "-"]
        row.append(
            f"{there['seconds']:.0f} s, {there['step']:,.0f}, {there['splats']:,.0f},"
            f" {there['mb']:.0f} MB"
            if there
            else "not reached"
        )
        rows.append([*row, str(mine["seeds"]) if mine else "-"])
    return rows


def _scores(got: dict[str, Any]) -> str:
    lpips = "-" if got["lpips"] is None else f"{got['lpips']:.3f}"
    spread = f" (spread {got['spread']:.2f})" if got["seeds"] > 1 else ""
    return f"{got['psnr']:.2f} / {got['ssim']:.3f} / {lpips}{spread}"


def show(found: dict[Any, Any], scenes: list[str], markdown: bool) -> None:
    """The tables, as `docs/kernels.md` has them with `--markdown`."""
    header = ["kernel", "equal time", "equal steps", "equal splats", "steps", "splats"]
    header += ["seconds, steps, splats, state to the Gaussian's PSNR", "seeds"]
    for scene in scenes:
        rows = rows_of(found, scene)
        print(f"\n{scene}: held-out PSNR / SSIM / LPIPS-Alex\n")
        if markdown:
            for cells in (header, ["---"] * len(header), *rows):
                print(f"| {' | '.join(cells)} |")
        else:
            print_table(header, rows)


def main() -> None:
    options = parser(__doc__)
    options.add_argument(
        "--fox", type=Path, help="folder of the scene fox, which cannot be bundled"
    )
    options.add_argument("--scene", nargs="+", default=["fox", "banana", "synth_room"])
    options.add_argument("--kernel", nargs="+", help="these kernels only")
    options.add_argument("--rule", nargs="+", choices=RULES, default=list(RULES))
    options.add_argument("--folder", type=Path, default=RESULTS / "kernels")
    options.add_argument("--table", action="store_true", help="print what stands, measure nothing")
    options.add_argument("--markdown", action="store_true", help="tables for a document")
    given = options.parse_args()
    if given.quick:
        given.scene, given.kernel = ["synth_room"], given.kernel or ["gaussian", "parabolic"]
    if not given.table:
        machine = facts()
        print(machine)
        cells = [c for c in queue(given) if c[2] in given.rule and not (given.quick and c[3])]
        scenes: dict[str, data.Scene] = {}
        for number, cell in enumerate(cells):
            path = place(given.folder, cell)
            if path.exists():
                continue
            name, kernel, rule_name, seed = cell
            if name not in scenes:
                scenes[name] = load(name, given.fox, given.quick)
            config = rule(rule_name, kernel, seed, 0.02 if given.quick else 1.0)
            found = measure(scenes[name], config, rule_name == "time")
            head = {"benchmark": "kernels", "machine": {**machine, "load": os.getloadavg()[0]}}
            head |= {"scene": name, "kernel": kernel, "rule": rule_name, "seed": seed}
            write_json(path, head | found | {"config": vars(config)})
            print(f"{number + 1}/{len(cells)} {path.stem}: {found['psnr']:.2f} dB", flush=True)
    found = standing(given.folder)
    show(found, given.scene, given.markdown)
    if given.json:
        write_json(given.json, {"cells": list(found.values())})


if __name__ == "__main__":
    main()
