"""What moves the Gaussians of a classifier, what the options of the backbone bring, and how models
compare on other data, at equal length: a resumable queue.

    python -m benchmarks.cloud_grid gaussians modelnet40.npz --teacher FILE [--seeds 3]
    python -m benchmarks.cloud_grid options modelnet40.npz
    python -m benchmarks.cloud_grid models psb_shrec69.npz --words=--rotate [--only 3dgpe pointnet]
    python -m benchmarks.cloud_grid metric dales_objects5.npz
    python -m benchmarks.cloud_grid gaussians modelnet40.npz --table

Each cell is one `darb3d fit classifier`, scored after every pass on clouds that it does not train
on. One JSON a cell in `benchmarks/results/cloud_grid/`; a cell that stands is skipped, one that was
stopped goes on: unfinished states and trained models lie in --work. Test rows are never read.

Needs nothing else on the machine: seconds stand beside steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from benchmarks.trainings import curve_of, train
from pointcloud.recipes import RECIPES
from pointcloud.stored import read_classifier

TOKENS = 64
HOLD_OUT = 0.1
PASSES_SHOWN = (1, 2, 5, 10, 15, 20)
RULES: dict[str, tuple[str, ...]] = {
    "natural": ("--rule", "natural"),
    "adamw": ("--rule", "adamw"),
    "sgd-0.01": ("--rule", "sgd"),
    "sgd-1": ("--rule", "sgd", "--gaussian-rate", "1.0"),
}
OPTIONS: dict[str, tuple[str, ...]] = {
    "default": (),
    "poly3": ("--backbone.attention", "poly3"),
    "lean": ("--backbone.lean", "--backbone.tokens", str(TOKENS)),
    "impulse": ("--backbone.impulse", "line", "--backbone.tokens", str(TOKENS)),
    "conditioning": ("--backbone.conditioning", "0.1"),
    "graying": ("--backbone.graying", "svd"),
    "no-skips": ("--backbone.skips", "none"),
    "conv": ("--backbone.mixer", "conv"),
    "conv-frozen": ("--backbone.mixer", "conv", "--backbone.frozen", "spatial"),
    "gaussian-mlp": ("--backbone.activation", "gaussian"),
    "sinc-mlp": ("--backbone.activation", "sinc"),
}
"""Words after `darb3d fit classifier` for each. Adapters and forgetting change trained models."""


@dataclass(frozen=True)
class Cell:
    """One training."""

    name: str
    words: tuple[str, ...]
    seed: int = 0

    @property
    def stem(self) -> str:
        """Of its files."""
        return f"{self.name}-seed{self.seed}"


def gaussians(seeds: int, teacher: Path | None) -> list[Cell]:
    """Each rule on labels alone and, with a teacher, after its lessons; first seeds first."""
    ways: dict[str, tuple[str, ...]] = {"labels": ()}
    if teacher is not None:
        ways["distilled"] = ("--teacher", str(teacher))
    return [
        Cell(f"{rule}-{way}", ("--model", "3dgpe", *RULES[rule], *ways[way]), seed)
        for seed in range(seeds)
        for rule in RULES
        for way in ways
    ]


def options(seeds: int, teacher: Path | None) -> list[Cell]:
    """Each option alone on the default transformer; first seeds first."""
    return [
        Cell(name, ("--model", "transformer", *OPTIONS[name]), seed)
        for seed in range(seeds)
        for name in OPTIONS
    ]


def models(seeds: int, teacher: Path | None) -> list[Cell]:
    """Each kind of classifier with the recipe that it has; first seeds first."""
    return [Cell(name, ("--model", name), seed) for seed in range(seeds) for name in RECIPES]


def metric(seeds: int, teacher: Path | None) -> list[Cell]:
    """Each kind that looks at sizes, too: for clouds measured in one unit."""
    return [
        Cell(name, ("--model", name, "--metric"), seed) for seed in range(seeds) for name in RECIPES
    ]


GRIDS: dict[str, Callable[[int, Path | None], list[Cell]]] = {
    "gaussians": gaussians,
    "options": options,
    "models": models,
    "metric": metric,
}


def measured(cell: Cell, data: Path, work: Path, length: Sequence[str]) -> dict[str, Any]:
    """Figures of a cell."""
    out = work / f"{cell.stem}.safetensors"
    words = ["classifier", str(data), *cell.words, "--seed", str(cell.seed), *length]
    train([*words, "--hold-out", str(HOLD_OUT), "--score-every", "1"], out)
    about = read_classifier(out).about
    return {"curve": curve_of(out.with_suffix(".curve.jsonl")), **about["held_out"]} | {
        name: about[name] for name in ("steps", "seconds", "epochs")
    }


def first_at(curve: Sequence[dict[str, float]], accuracy: float) -> float | None:
    """Steps after which a training is as good as `accuracy` for the first time, if ever."""
    return next((by["step"] for by in curve if by["overall"] >= accuracy), None)


def rows_of(found: Sequence[dict[str, Any]], accuracy: float | None) -> list[list[str]]:
    """A row for each cell's name, means over seeds: after some passes and at the end; steps to
    `accuracy`, of how many seeds; seconds."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        groups.setdefault(one["name"], []).append(one["figures"])
    rows = []
    for name, seeds in groups.items():
        row = [name]
        for passes in PASSES_SHOWN:
            each = [100 * s["curve"][passes - 1]["overall"] for s in seeds if at(s, passes)]
            row.append(f"{np.mean(each):.1f}" if each else "-")
        row.append(f"{100 * np.mean([s['accuracy'] for s in seeds]):.1f}")
        if accuracy is not None:
            steps = [first_at(s["curve"], accuracy) for s in seeds]
            reached = [step for step in steps if step is not None]
            mean = f"{np.mean(reached):,.0f}" if reached else "never"
            row.append(mean + (f" ({len(reached)} of {len(seeds)})" if len(seeds) > 1 else ""))
        row += [f"{np.mean([s['seconds'] for s in seeds]):,.0f}", str(len(seeds))]
        rows.append(row)
    return rows


def at(figures: dict[str, Any], passes: int) -> bool:
    """Whether a training got that far."""
    return len(figures["curve"]) >= passes


def main() -> None:
    wanted = parser(__doc__)
    wanted.add_argument("grid", choices=list(GRIDS))
    wanted.add_argument("data", type=Path, help="an .npz or a folder of folders")
    wanted.add_argument("--teacher", type=Path, help="a pointnet with T-Net, of the same data")
    wanted.add_argument("--epochs", type=float, default=20.0, help="passes over the data")
    wanted.add_argument("--seeds", type=int, default=1)
    wanted.add_argument("--work", type=Path, default=Path("cloud_grid_work"))
    wanted.add_argument("--folder", type=Path, default=RESULTS / "cloud_grid")
    wanted.add_argument("--table", action="store_true", help="print what stands, train nothing")
    wanted.add_argument("--only", nargs="+", help="cells of these names")
    wanted.add_argument("--words", default="", help="more words for every fit")
    given = wanted.parse_args()
    folder = given.folder / f"{given.grid}-{given.data.stem}"
    if not given.table:
        given.work.mkdir(parents=True, exist_ok=True)
        length = ["--steps", "6", *given.words.split()] if given.quick else []
        length = length or ["--epochs", str(given.epochs), *given.words.split()]
        cells = GRIDS[given.grid](given.seeds, given.teacher)
        only = given.only or [cell.name for cell in cells]
        if unknown := set(only) - {cell.name for cell in cells}:
            raise SystemExit(f"--only: expected cells of the grid, found {', '.join(unknown)}")
        cells = [cell for cell in cells if cell.name in only]
        for number, cell in enumerate(cells[:1] if given.quick else cells):
            place = folder / f"{cell.stem}.json"
            if place.exists():
                continue
            print(f"{number + 1}/{len(cells)} {cell.stem}", flush=True)
            machine = facts()
            figures = measured(cell, given.data, given.work, length)
            head = {"benchmark": "cloud_grid", "machine": machine, "grid": given.grid}
            head |= {"name": cell.name, "seed": cell.seed, "words": [*cell.words, *length]}
            write_json(place, head | {"figures": figures})
    standing = [json.loads(place.read_text()) for place in sorted(folder.glob("*.json"))]
    accuracy = None
    if given.teacher is not None:
        accuracy = read_classifier(given.teacher).about["held_out"]["accuracy"]
    header = ["", *(f"{passes}" for passes in PASSES_SHOWN), "end"]
    header += [f"steps to {100 * accuracy:.1f}"] if accuracy is not None else []
    print_table([*header, "seconds", "seeds"], rows_of(standing, accuracy))
    if given.json:
        write_json(given.json, {"benchmark": "cloud_grid", "cells": standing})


if __name__ == "__main__":
    main()
