"""What leaving out likely floaters costs or gains on held-out photos.

For each run and strength, with the cameras of the training photos and without: how many splats go,
and how the PSNR changes.

    python -m benchmarks.floaters RUN [RUN ...] [--quick] [--json FILE]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.loading import load
from benchmarks.machine import facts, parser, print_table, write_json
from splatting.evaluation import evaluate
from splatting.floaters import floater_scores
from splatting.selection import Selection, kept

STRENGTHS = (0.25, 0.5, 0.75, 0.95)


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


def main() -> None:
    """Print the table, and write it where asked."""
    options = parser(__doc__)
    options.add_argument("runs", nargs="+", type=Path)
    chosen = options.parse_args()
    strengths = (0.5,) if chosen.quick else STRENGTHS
    rows = [row for run in chosen.runs for row in cells(run, strengths)]
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    if chosen.json:
        write_json(chosen.json, {"machine": facts(), "cells": rows})


if __name__ == "__main__":
    main()
