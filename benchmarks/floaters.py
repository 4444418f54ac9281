"""What leaving out likely floaters costs or gains on held-out photos.

For each run and strength, with the cameras of the training photos and without: how many splats go,
and how the PSNR changes.

    python -m benchmarks.floaters RUN [RUN ...] [--quick] [--json FILE]
    python -m benchmarks.floaters --inner SCENE [SCENE ...] [--steps N] [--json FILE]

With `--inner`, on which a constant may be chosen, photos are held out of the training photos: each
scene is trained on the rest, and half strength is measured for several values of `CONFIRMED`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.loading import load
from benchmarks.machine import facts, parser, print_table, write_json
from data import load_scene
from data.scene import inner_split
from splatting import TrainConfig, train
from splatting.evaluation import evaluate
from splatting.floaters import floater_scores
from splatting.selection import Selection, kept

STRENGTHS = (0.25, 0.5, 0.75, 0.95)
CONFIRMED = (0.25, 0.5, 0.75, 1.0)


def cells(run: Path, strengths: tuple[float, ...]) -> list[dict[str, Any]]:
    """A row for each strength, with cameras and without."""
    loaded = load(run)
    scene, splats = loaded.scene(), loaded.splats
    if scene is None or not scene.test:
        raise SystemExit(f"{run}: expected a run with held-out photos, found none")
    whole = evaluate(splats, scene.test, perceptual=False)["psnr"]
    found = []
    for cameras in ([view.camera for view in scene.train], []):
        scores = floater_scores(splats, cameras)
        for strength in strengths:
            keep = kept(splats, Selection(drop_floaters=strength), scores)
            left = evaluate(splats.take(keep), scene.test, perceptual=False)["psnr"]
            found.append(
                {
                    "run": run.name,
                    "splats": len(splats),
                    "cameras": len(cameras),
                    "strength": strength,
                    "dropped": int((~keep).sum()),
                    "psnr": round(whole, 3),
                    "change_db": round(left - whole, 3),
                }
            )
    return found


def inner_cells(path: Path, steps: int) -> list[dict[str, Any]]:
    """A row for each value of `CONFIRMED`; the scene's held-out photos are not read."""
    scene = inner_split(load_scene(path, data_factor=2))
    splats = train(scene, TrainConfig(steps=steps)).splats
    whole = evaluate(splats, scene.test, perceptual=False)["psnr"]
    found = []
    for confirmed in CONFIRMED:
        cameras = [view.camera for view in scene.train]
        scores = floater_scores(splats, cameras, confirmed=confirmed)
        keep = kept(splats, Selection(drop_floaters=0.5), scores)
        left = evaluate(splats.take(keep), scene.test, perceptual=False)["psnr"]
        found.append(
            {
                "scene": scene.name,
                "steps": steps,
                "splats": len(splats),
                "confirmed": confirmed,
                "dropped": int((~keep).sum()),
                "psnr": round(whole, 3),
                "change_db": round(left - whole, 3),
            }
        )
    return found


def main() -> None:
    """Print the table, and write it where asked."""
    options = parser(__doc__)
    options.add_argument("runs", nargs="*", type=Path)
    options.add_argument("--inner", nargs="+", type=Path, default=[])
    options.add_argument("--steps", type=int, default=2000)
    chosen = options.parse_args()
    if not (chosen.runs or chosen.inner):
        options.error("expected runs, or scenes after --inner, found neither")
    strengths = (0.5,) if chosen.quick else STRENGTHS
    tables = (
        [row for run in chosen.runs for row in cells(run, strengths)],
        [row for scene in chosen.inner for row in inner_cells(scene, chosen.steps)],
    )
    for rows in filter(None, tables):
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    if chosen.json:
        write_json(chosen.json, {"machine": facts(), "cells": [*tables[0], *tables[1]]})


if __name__ == "__main__":
    main()
