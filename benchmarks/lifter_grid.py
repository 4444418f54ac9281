"""What each part of the lifter, its data and its loss are worth: trainings of a small lifter, all
of as many steps, a resumable queue.

    python -m benchmarks.lifter_grid RIGS [--steps 1000] [--seeds 3] [--only all adamw ...]
    python -m benchmarks.lifter_grid RIGS --table

RIGS is the folder of rigs that docs/lifting.md divides; errors are of its selection rigs, which
nothing trains on, and of held-out movements of the rigs that are trained on, in % of the animal's
box. One JSON a cell in `benchmarks/results/lifter_grid/`; a cell that stands is skipped, one that
was stopped goes on: unfinished states and trained lifters lie in --work, where one whose JSON was
deleted is scored again, not trained. One thread a training, so that two queues with different
--only can run side by side.
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
from lifting.clips import RigClips, load_rigs
from lifting.evaluation import Lift, evaluate, lifter_as_lift, summary
from lifting.lifter_files import load_lifter
from lifting.prediction import FRAME_BY_FRAME, WindowConfig
from lifting.protocol import held_out_clips, split, still_camera_clips, without_edges

SIZE = (
    *("--lifter.backbone.width", "96", "--lifter.backbone.depth", "4"),
    *("--lifter.backbone.heads", "6", "--lifter.backbone.head-dim", "16"),
)
RECIPE = (
    *("--fit.optimiser", "muon", "--fit.rate", "1.5e-3"),
    *("--fit.frames", "8", "--fit.tokens", "4000", "--fit.short", "0.25"),
    *("--fit.generated", "0.5", "--fit.inferred", "0"),
)
"""As the lifters of the package were trained for most of their time. Both of every cell, unless it
says otherwise."""
SCORE_EVERY_S = 60.0
SEED, VIEWS = 2411, 4
"""Of the cameras that a cell is scored by; as many a clip, on the selection rigs."""
JITTER, HIDDEN = 0.02, 0.3
"""Of the animal's size in the picture; of all points."""
OTHERS = (
    *(("jittered", "sa_mpve"), ("hidden", "fa_mpjpe")),
    *(("no edges", "fa_mpjpe"), ("seen", "fa_mpjpe")),
)
"""Figures beside those of the selection rigs as they are, in the order of columns."""
PARTS: dict[str, tuple[str, ...]] = {
    "all": (),
    "adamw": ("--fit.optimiser", "adamw", "--fit.rate", "2e-3"),
    "16-frames": ("--fit.frames", "16"),
    "4-frames": ("--fit.frames", "4"),
    "2-frames": ("--fit.frames", "2"),
    "single-frame": ("--lifter.window", "0", "--lifter.no-context", "--fit.frames", "1"),
    "no-time-attention": ("--lifter.window", "0", "--lifter.no-context"),
    "no-window-frame": ("--lifter.no-context",),
    "edges-alone": ("--lifter.graph", "edges"),
    "no-edges": ("--lifter.graph", "all"),
    "no-pairs": ("--lifter.no-pairs",),
    "canonical": ("--lifter.output", "canonical"),
    "no-fourier": ("--lifter.fourier", "0"),
    "no-augmentation": ("--fit.no-augment",),
    "no-bends": ("--fit.bend", "0"),
    "edges-inferred": ("--fit.inferred", "0.4"),
    "two-sides": ("--fit.views", "2"),
    "four-sides": ("--fit.views", "4"),
    "no-short-clips": ("--fit.short", "0"),
    "rigs-alone": ("--fit.generated", "0"),
    "generated-fifth": ("--fit.generated", "0.2"),
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
held against. `single-frame` is shown one picture at a time, `no-time-attention` still knows what a
whole clip is like: how much joints move, how far two come apart."""


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
        words = ["lifter", str(rigs), "--protocol", *SIZE, *RECIPE, *PARTS[self.part], *length]
        return [*words, "--fit.seed", str(self.seed), "--score-every", str(SCORE_EVERY_S)]


def queue(seeds: int, only: Sequence[str]) -> list[Cell]:
    """Every cell, first seeds first."""
    return [Cell(part, seed) for seed in range(seeds) for part in PARTS if part in (only or PARTS)]


def measured(
    cell: Cell, folder: Path, rigs: Sequence[RigClips], work: Path, length: Sequence[str]
) -> dict[str, Any]:
    """Figures of a cell; `rigs` are those of `folder`."""
    out = work / f"{cell.stem}.safetensors"
    train(cell.words(folder, length), out)
    saved = load_lifter(out)
    figures = {name: saved.about[name] for name in ("steps", "seconds")}
    windows = FRAME_BY_FRAME if cell.part == "single-frame" else WindowConfig()
    figures |= scores(lifter_as_lift(saved.model, windows), rigs)
    return figures | {"curve": curve_of(out.with_suffix(".curve.jsonl"))}


def scores(lift: Lift, rigs: Sequence[RigClips]) -> dict[str, Any]:
    """Errors on the selection rigs: as their tracks are, jittered, with points hidden, and without
    the rigs' edges; and on held-out movements of the rigs that are trained on."""
    seen, selection = split(rigs, "train"), split(rigs, "selection")
    held = {name: clips for name, (_, clips) in held_out_clips(seen).items()}
    figures: dict[str, Any] = summary(evaluate(lift, still_camera_clips(selection, SEED, VIEWS)))
    once = still_camera_clips(selection, SEED, 1)
    figures["jittered"] = summary(evaluate(lift, once, jitter=JITTER))
    figures["hidden"] = summary(evaluate(lift, once, hidden=HIDDEN))
    figures["no edges"] = summary(evaluate(lift, without_edges(once, selection)))
    figures["seen"] = summary(evaluate(lift, still_camera_clips(seen, SEED, 1, clips=held)))
    return figures


def rows_of(found: Sequence[dict[str, Any]]) -> list[list[str]]:
    """A row for each part: means over seeds, how far they are above `all` on the same seeds, and
    the time of a step, of a processor that others use, too."""
    by_part: dict[str, dict[int, dict[str, Any]]] = {}
    for one in found:
        by_part.setdefault(one["part"], {})[one["seed"]] = one["figures"]
    whole, rows = by_part.get("all", {}), []
    for part in (name for name in PARTS if name in by_part):
        seeds = by_part[part]
        row = [part]
        for name in ("fa_mpjpe", "sa_mpjpe", "sa_mpve"):
            row.append(f"{np.mean([one[name] for one in seeds.values()]):.2f}")
        for part_of, name in OTHERS:
            row.append(f"{np.mean([one[part_of][name] for one in seeds.values()]):.2f}")
        apart = [seeds[s]["fa_mpjpe"] - whole[s]["fa_mpjpe"] for s in seeds if s in whole]
        spread = f" ({min(apart):+.2f} to {max(apart):+.2f})" if len(apart) > 1 else ""
        row.append(f"{np.mean(apart):+.2f}{spread}" if apart and part != "all" else "-")
        paces = [1000 * one["seconds"] / one["steps"] for one in seeds.values()]
        row += [f"{np.mean(paces):,.0f}", str(len(seeds))]
        rows.append(row)
    return rows


def main() -> None:
    wanted = parser(__doc__)
    wanted.add_argument("rigs", type=Path)
    wanted.add_argument("--steps", type=int, default=1000)
    wanted.add_argument("--seeds", type=int, default=1)
    wanted.add_argument("--only", nargs="+", default=[], choices=list(PARTS))
    wanted.add_argument("--work", type=Path, default=Path("lifter_grid_work"))
    wanted.add_argument("--folder", type=Path, default=RESULTS / "lifter_grid")
    wanted.add_argument("--table", action="store_true", help="print what stands, train nothing")
    wanted.add_argument("--words", default="", help="more words for every fit")
    given = wanted.parse_args()
    if not given.table:
        given.work.mkdir(parents=True, exist_ok=True)
        length = ["--fit.steps", "2" if given.quick else str(given.steps), "--threads", "1"]
        length += given.words.split()
        rigs = load_rigs(given.rigs)
        cells = queue(given.seeds, given.only)
        for number, cell in enumerate(cells[:1] if given.quick else cells):
            place = given.folder / f"{cell.stem}.json"
            if place.exists():
                continue
            print(f"{number + 1}/{len(cells)} {cell.stem}", flush=True)
            machine = facts()
            figures = measured(cell, given.rigs, rigs, given.work, length)
            head = {"benchmark": "lifter_grid", "machine": machine, "part": cell.part}
            head |= {"seed": cell.seed, "words": [*SIZE, *RECIPE, *PARTS[cell.part], *length]}
            write_json(place, head | {"figures": figures})
    standing = [json.loads(place.read_text()) for place in sorted(given.folder.glob("*.json"))]
    header = ["part", "fa_mpjpe", "sa_mpjpe", "sa_mpve"]
    header += [f"{name} {part_of}" for part_of, name in OTHERS]
    header += ["fa_mpjpe above all", "ms a step", "seeds"]
    print_table(header, rows_of(standing))
    if given.json:
        write_json(given.json, {"benchmark": "lifter_grid", "cells": standing})


if __name__ == "__main__":
    main()
