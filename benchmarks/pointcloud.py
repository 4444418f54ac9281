"""Classifiers of clouds on a CPU: speed, multiply-adds, memory, steps of training; a queue.

    python -m benchmarks.pointcloud [--quick] [--only speed filters] [--minutes 30]
    python -m benchmarks.pointcloud --table

One JSON a cell in `benchmarks/results/pointcloud/`; a cell that stands is skipped, so the queue may
be stopped at any time. Weights are untrained: they cost what trained ones do, but for the filters,
whose Gaussians are made as narrow as trained ones (`--weights FILE` takes a trained 3dgpe). What is
compared is measured in turns within a cell, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from benchmarks import pointcloud_cells
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from benchmarks.pointcloud_training import training

HEADER = ("cell", "what", "figure")


def queue(quick: bool, only: list[str] | None) -> dict[str, pointcloud_cells.Measure]:
    """What measures each cell, by its name."""
    cells = {**pointcloud_cells.cells(quick), "training": training}
    if not only:
        return cells
    return {name: cell for name, cell in cells.items() if name.startswith(tuple(only))}


def rows(standing: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    """A line a figure: lists and numbers as they are, to four digits."""
    found = []
    for name, content in standing.items():
        for what, figure in content["figures"].items():
            text = f"{figure:.4g}" if isinstance(figure, float) else f"{figure}"
            found.append((name, what, text))
    return found


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--folder", type=Path, help="of the cells; --quick alone keeps none")
    options.add_argument("--only", nargs="+", help="only cells whose names begin so")
    options.add_argument("--minutes", type=float, help="begin no cell after this time")
    options.add_argument("--weights", type=Path, help="a trained 3dgpe for the filters")
    options.add_argument("--table", action="store_true", help="print what stands, measure nothing")
    given = options.parse_args()
    if given.folder is None and given.quick:
        with tempfile.TemporaryDirectory() as folder:
            measure_and_print(given, Path(folder))
    else:
        measure_and_print(given, given.folder or RESULTS / "pointcloud")


def measure_and_print(given: argparse.Namespace, folder: Path) -> None:
    """Every cell that does not stand in `folder`, then the table."""
    cells = queue(given.quick, given.only)
    if not given.table:
        machine, began = facts(), time.monotonic()
        for number, (name, measure) in enumerate(cells.items()):
            place = folder / f"{name}.json"
            if place.exists():
                continue
            if given.minutes and time.monotonic() - began > 60 * given.minutes:
                break
            figures = measure(pointcloud_cells.Setting(given.quick, given.weights))
            head = {"benchmark": "pointcloud", "quick": given.quick}
            head |= {"machine": {**machine, "load": round(os.getloadavg()[0], 2)}}
            write_json(place, head | {"figures": figures})
            print(f"{number + 1}/{len(cells)} {name}", flush=True)
    places = (folder / f"{name}.json" for name in cells)
    standing = {place.stem: json.loads(place.read_text()) for place in places if place.exists()}
    print_table(HEADER, rows(standing))
    if given.json:
        write_json(given.json, {"benchmark": "pointcloud", "cells": standing})


if __name__ == "__main__":
    main()
