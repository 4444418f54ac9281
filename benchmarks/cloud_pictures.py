"""Curves of what has been measured of the classifiers of clouds.

    python -m benchmarks.cloud_pictures -o docs/clouds

writes `changes.png`, right answers on clouds as they may come (`benchmarks.cloud_accuracy
--changes`), and `gaussians.png`, right answers after each pass by what moves a 3DGPE's Gaussians
(`benchmarks.cloud_grid gaussians`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.charts import Line, Panel, chart, folder_asked_for
from benchmarks.machine import RESULTS

MODELS = ("3dgpe", "3dgpe-16", "pointnet", "transformer", "mamba3d", "mamba3d-3dgpe")
AS_IT_IS = "as it is"
CHANGES = {
    ("Numbers of points", "points of a cloud, all around"): {
        "128": "128 points",
        "256": "256 points",
        "512": "512 points",
        "1,024": AS_IT_IS,
        "2,048": "2,048 points",
        "10,000": "10,000 points",
        "100,000": "100,000 points",
    },
    ("Noise", "standard deviation in radii of the cloud"): {
        "0": AS_IT_IS,
        "0.01": "noise of 0.01 radii",
        "0.02": "noise of 0.02 radii",
        "0.05": "noise of 0.05 radii",
    },
    ("Turned about the upright axis", "degrees at most, either way"): {
        "0": AS_IT_IS,
        "15": "turned about z by up to 15 degrees",
        "45": "turned about z by up to 45 degrees",
        "180": "turned about z by up to 180 degrees",
    },
    ("Points missing", "of 1,024; far half: all that is not seen from a side"): {
        "none": AS_IT_IS,
        "1/4": "25% of points dropped",
        "1/2": "50% of points dropped",
        "3/4": "75% of points dropped",
        "far half": "half unseen",
    },
}
"""Of each panel its title, what its ticks say, and the change at each."""
RULES = {
    "natural": "natural gradient",
    "adamw": "AdamW",
    "sgd-0.01": "descent, rate 0.01",
    "sgd-1": "descent, rate 1",
}
LESSONS = {"labels": "From the labels alone", "distilled": "Taught by a PointNet first"}


def changes(folder: Path) -> list[Panel]:
    """A panel a kind of change, a line a model, in % of right answers."""
    found = [json.loads(path.read_text()) for path in folder.glob("*-held-out-*.json")]
    known = {one["name"]: one["figures"].get("changes") for one in found}
    return [
        Panel(*says, tuple(ticks), tuple(_line(m, known[m], ticks) for m in MODELS if known.get(m)))
        for says, ticks in CHANGES.items()
    ]


def _line(model: str, right: dict[str, float], ticks: dict[str, str]) -> Line:
    return Line(model, tuple(100 * right[change] for change in ticks.values()))


def gaussians(folder: Path) -> list[Panel]:
    """A panel for each way to begin, a line a rule, in % of right answers after each pass."""
    panels = []
    for lesson, title in LESSONS.items():
        curves = {rule: _curve(folder / f"{rule}-{lesson}-seed0.json") for rule in RULES}
        ticks = tuple(str(k + 1) for k in range(len(next(iter(curves.values())))))
        lines = tuple(Line(RULES[rule], curve) for rule, curve in curves.items())
        panels.append(Panel(title, "passes over the training clouds", ticks, lines))
    return panels


def _curve(path: Path) -> tuple[float, ...]:
    content: dict[str, Any] = json.loads(path.read_text())
    return tuple(100 * one["overall"] for one in content["figures"]["curve"])


def main() -> None:
    folder = folder_asked_for(__doc__)
    chart(changes(RESULTS / "cloud_accuracy"), 20, 100, 20, 2).save(folder / "changes.png")
    rules = gaussians(RESULTS / "cloud_grid" / "gaussians-modelnet40")
    chart(rules, 20, 100, 20, 2).save(folder / "gaussians.png")


if __name__ == "__main__":
    main()
