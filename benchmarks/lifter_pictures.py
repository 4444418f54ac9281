"""Pictures of what has been measured of lifters.

    python -m benchmarks.lifter_pictures -o docs/lifting

writes `animals.png`, errors on each unseen rig (`benchmarks.lifting`), and `parts.png`, what each
part of a small lifter is worth (`benchmarks.lifter_grid`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.charts import Row, dot_rows, folder_asked_for
from benchmarks.machine import RESULTS

SERIES = {
    "share-alike": "lifting/unseen-lifter.json",
    "permissive": "lifting-permissive/unseen-lifter.json",
    "flat": "lifting/unseen-flat.json",
}


def animals(folder: Path) -> list[Row]:
    """Errors on each unseen rig, in % of its box; those lifted best by share-alike first."""
    found = [json.loads((folder / place).read_text())["by_rig"] for place in SERIES.values()]
    order = sorted(found[0], key=lambda rig: found[0][rig])
    return [
        Row(rig.split("__")[-1].replace("_", " "), tuple(one.get(rig) for one in found))
        for rig in order
    ]


def parts(folder: Path) -> list[Row]:
    """How far the error without a part, or with another, is above that of all; means over the
    seeds that both have, best first."""
    cells: dict[tuple[str, int], dict[str, Any]] = {}
    for path in folder.glob("*.json"):
        content = json.loads(path.read_text())
        cells[content["part"], content["seed"]] = content["figures"]
    apart: dict[str, list[float]] = {}
    for (part, seed), figures in cells.items():
        if part != "all" and ("all", seed) in cells:
            above = figures["fa_mpjpe"] - cells["all", seed]["fa_mpjpe"]
            apart.setdefault(part, []).append(above)
    means = sorted((float(np.mean(values)), part) for part, values in apart.items())
    return [Row(part.replace("-", " "), (above,)) for above, part in means]


def main() -> None:
    folder = folder_asked_for(__doc__)
    title = "Animals that neither lifter had seen: error in % of the animal's box"
    rows = animals(RESULTS)
    picture = dot_rows(title, list(SERIES), rows, 0, 15, 5)
    picture.save(folder / "animals.png")
    title = "A small lifter, changed: points of error above that of all parts together"
    rows = parts(RESULTS / "lifter_grid")
    picture = dot_rows(title, ["left of 0 is better; within 0.2 may be chance"], rows, -1, 1.5, 0.5)
    picture.save(folder / "parts.png")


if __name__ == "__main__":
    main()
