"""What each part of the lifter, its data and its loss are worth: trainings of a small lifter at
equal time, a resumable queue.

    python -m benchmarks.lifter_grid RIGS [--minutes 20] [--seeds 3] [--only all muon ...]
    python -m benchmarks.lifter_grid RIGS --table

RIGS is the folder of rigs that docs/lifting.md divides; errors are of its selection rigs, which
nothing trains on, in % of the animal's box. One JSON a cell in `benchmarks/results/lifter_grid/`; a
cell that stands is skipped, one that was stopped goes on: unfinished states and trained lifters lie
in --work. Needs nothing else on the machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from benchmarks.trainings import curve_of, train
from lifting.lifter_files import load_lifter

SIZE = (
    *("--lifter.backbone.width", "96", "--lifter.backbone.depth", "4"),
    *("--lifter.backbone.heads", "6", "--lifter.backbone.head-dim", "16"),
)
"""Of every cell, unless it says otherwise."""
SCORE_EVERY_S = 300.0
PARTS: dict[str, tuple[str, ...]] = {
    "all": (),
    "muon": ("--fit.optimiser", "muon"),
    "single-frame": ("--lifter.window", "0", "--lifter.no-context"),
    "no-window-frame": ("--lifter.no-context",),
    "edges-alone": ("--lifter.graph", "edges"),
    "no-edges": ("--lifter.graph", "all"),
    "no-pairs": ("--lifter.no-pairs",),
    "canonical": ("--lifter.output", "canonical"),
    "no-fourier": ("--lifter.fourier", "0"),
    "no-augmentation": ("--fit.no-augment",),
    "no-bends": ("--fit.bend", "0"),
    "no-short-clips": ("--fit.short", "0"),
    "rigs-alone": ("--fit.generated", "0"),
    "generated-alone": ("--fit.generated", "1"),
    "no-velocity": ("--fit.velocity", "0"),
    "no-bones": ("--fit.bones", "0"),
    "no-reprojection": ("--fit.reprojection", "0"),
    "aligned-alone": ("--fit.procrustes", "1"),
    "camera-axes-alone": ("--fit.procrustes", "0"),
    "poly3": ("--lifter.backbone.attention", "poly3", "--lifter.no-pairs"),
    "conditioning": ("--lifter.backbone.conditioning", "0.1"),
    "graying": ("--lifter.backbone.graying", "svd"),
    "no-skips": ("--lifter.backbone.skips", "none"),
    "gaussian-mlp": ("--lifter.backbone.activation", "gaussian"),
    "sinc-mlp": ("--lifter.backbone.activation", "sinc"),
}
"""Words after `darb3d fit lifter` for each. poly3 knows no bias of pairs: `no-pairs` is what it is
held against."""


@dataclass(frozen=True)
class Cell:
    """One training."""

    part: str
    seed: int

    @property
    def stem(self) -> str:
        """Of its files."""
        return f"{self.part}-seed{self.seed}"

    def words(self, rigs: Path, length: Sequence[str]) -> list[str]:
        """After `darb3d fit`."""
        words = ["lifter", str(rigs), "--protocol", *SIZE, *PARTS[self.part], *length]
        return [*words, "--fit.seed", str(self.seed), "--score-every", str(SCORE_EVERY_S)]


def queue(seeds: int, only: Sequence[str]) -> list[Cell]:
    """Every cell, first seeds first."""
    return [Cell(part, seed) for seed in range(seeds) for part in PARTS if part in (only or PARTS)]


def measured(cell: Cell, rigs: Path, work: Path, length: Sequence[str]) -> dict[str, Any]:
    """Figures of a cell."""
    out = work / f"{cell.stem}.safetensors"
    train(cell.words(rigs, length), out)
    about = load_lifter(out).about
    kept = {name: about[name] for name in ("steps", "seconds")}
    return kept | about["selection"] | {"curve": curve_of(out.with_suffix(".curve.jsonl"))}


def rows_of(found: Sequence[dict[str, Any]]) -> list[list[str]]:
    """A row for each part: means over seeds, and how far they are above `all` on the same seeds."""
    by_part: dict[str, dict[int, dict[str, Any]]] = {}
    for one in found:
        by_part.setdefault(one["part"], {})[one["seed"]] = one["figures"]
    whole, rows = by_part.get("all", {}), []
    for part in (name for name in PARTS if name in by_part):
        seeds = by_part[part]
        row = [part]
        for name in ("fa_mpjpe", "sa_mpjpe", "sa_mpve"):
            row.append(f"{np.mean([one[name] for one in seeds.values()]):.2f}")
        apart = [seeds[s]["fa_mpjpe"] - whole[s]["fa_mpjpe"] for s in seeds if s in whole]
        spread = f" ({min(apart):+.2f} to {max(apart):+.2f})" if len(apart) > 1 else ""
        row.append(f"{np.mean(apart):+.2f}{spread}" if apart and part != "all" else "-")
        row += [f"{np.mean([one['steps'] for one in seeds.values()]):,.0f}", str(len(seeds))]
        rows.append(row)
    return rows


def main() -> None:
    wanted = parser(__doc__)
    wanted.add_argument("rigs", type=Path)
    wanted.add_argument("--minutes", type=float, default=20.0)
    wanted.add_argument("--seeds", type=int, default=1)
    wanted.add_argument("--only", nargs="+", default=[], choices=list(PARTS))
    wanted.add_argument("--work", type=Path, default=Path("lifter_grid_work"))
    wanted.add_argument("--folder", type=Path, default=RESULTS / "lifter_grid")
    wanted.add_argument("--table", action="store_true", help="print what stands, train nothing")
    wanted.add_argument("--words", default="", help="more words for every fit")
    given = wanted.parse_args()
    if not given.table:
        given.work.mkdir(parents=True, exist_ok=True)
        length = ["--fit.steps", "2"] if given.quick else ["--fit.minutes", str(given.minutes)]
        length += given.words.split()
        cells = queue(given.seeds, given.only)
        for number, cell in enumerate(cells[:1] if given.quick else cells):
            place = given.folder / f"{cell.stem}.json"
            if place.exists():
                continue
            print(f"{number + 1}/{len(cells)} {cell.stem}", flush=True)
            machine = facts()
            figures = measured(cell, given.rigs, given.work, length)
            head = {"benchmark": "lifter_grid", "machine": machine, "part": cell.part}
            head |= {"seed": cell.seed, "words": [*SIZE, *PARTS[cell.part], *length]}
            write_json(place, head | {"figures": figures})
    standing = [json.loads(place.read_text()) for place in sorted(given.folder.glob("*.json"))]
    header = ["part", "FA-MPJPE", "SA-MPJPE", "SA-MPVE", "FA above all", "steps", "seeds"]
    print_table(header, rows_of(standing))
    if given.json:
        write_json(given.json, {"benchmark": "lifter_grid", "cells": standing})


if __name__ == "__main__":
    main()
