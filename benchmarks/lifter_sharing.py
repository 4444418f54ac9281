"""What other animals teach a lifter about one of which there is little: the first principle of
object-agnostic lifting (arXiv 2412.01166). A resumable queue.

    python -m benchmarks.lifter_sharing RIGS [--steps 3000] [--alone-steps 800] [--then-steps 300]
        [--only WORD ...]
    python -m benchmarks.lifter_sharing RIGS --table

Ten rigs with the most movements, one of a family, each with a tenth of its training clips: one
small lifter learns from these and all other rigs together, ten go on from there with such a tenth
for a while (`then`), ten learn from such a tenth alone, ten from all training clips of their rig.
Errors are of the rigs' held-out clips, in % of the animal's
box. One JSON a cell in `benchmarks/results/lifter_sharing/`; a cell that stands is skipped, one
that was stopped goes on: unfinished states and trained lifters lie in --work. One thread a
training, so that two queues with different --only can run side by side.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lifter_grid import RECIPE, SIZE
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from benchmarks.trainings import train
from lifting.clips import RigClips, load_rigs
from lifting.evaluation import evaluate, lifter_as_lift
from lifting.lifter_files import load_lifter
from lifting.protocol import held_out_clips, split, still_camera_clips, training_rigs
from lifting.rig_files import save_rig

RIGS = 10
SHARE = 0.1
SEED = 2412
TOGETHER = "together"
THEN = ("--fit.rate", "5e-4", "--start-from")
"""Where a lifter of all animals goes on with one: a third of the rate, and a small lifter's size is
that of the one it begins with."""
WORDS = (*RECIPE, "--fit.generated", "0")
"""Of every training: no generated rig teaches anything here."""


@dataclass(frozen=True)
class Cell:
    """One training: what of, and whose held-out clips it is scored on."""

    name: str
    rigs: tuple[RigClips, ...]
    scored: tuple[str, ...]

    @property
    def goes_on(self) -> bool:
        """Whether it begins with the lifter of all animals."""
        return self.name.startswith("then-")


def chosen(rigs: Sequence[RigClips]) -> list[RigClips]:
    """The rigs with the most clips, one of a family."""
    found: dict[tuple[int, ...], RigClips] = {}
    for rig in sorted(rigs, key=lambda rig: -len(rig.clips)):
        found.setdefault(rig.family, rig)
    return list(found.values())[:RIGS]


def a_tenth(rig: RigClips) -> RigClips:
    """A tenth of its clips, one at least."""
    count = max(1, round(SHARE * len(rig.clips)))
    order = np.random.default_rng(SEED).permutation(len(rig.clips))
    return replace(rig, clips=tuple(rig.clips[k] for k in sorted(order[:count])))


def queue(rigs: Sequence[RigClips]) -> list[Cell]:
    """All cells; `rigs` are those of the whole folder."""
    train_on = training_rigs(rigs)
    few = chosen(train_on)
    names, kin = [rig.name for rig in few], {rig.family for rig in few}
    # others of a chosen rig's family move as it does
    others = [rig for rig in train_on if rig.family not in kin]
    tenths = [a_tenth(rig) for rig in few]
    cells = [Cell(TOGETHER, (*tenths, *others), tuple(names))]
    for kind in ("then", "tenth"):
        cells += [Cell(f"{kind}-{rig.name}", (rig,), (rig.name,)) for rig in tenths]
    return cells + [Cell(f"whole-{rig.name}", (rig,), (rig.name,)) for rig in few]


def measured(
    cell: Cell, rigs: Sequence[RigClips], work: Path, length: Sequence[str]
) -> dict[str, Any]:
    """Error of each rig that the cell is scored on."""
    out, folder = work / f"{cell.name}.safetensors", work / cell.name
    folder.mkdir(exist_ok=True)
    for rig in cell.rigs:
        save_rig(folder / f"{rig.name}.npz", rig)
    train(["lifter", str(folder), *words_of(cell, work), *length], out)
    saved = load_lifter(out)
    train_on = split(rigs, "train")
    whole = [rig for rig in train_on if rig.name in cell.scored]
    held = {name: held for name, (_, held) in held_out_clips(train_on).items()}
    rows = evaluate(lifter_as_lift(saved.model), still_camera_clips(whole, SEED, 1, clips=held))
    by_rig: dict[str, list[float]] = {}
    for row in rows:
        by_rig.setdefault(row["rig"], []).append(100 * row["fa_mpjpe"])
    errors = {name: round(float(np.mean(found)), 4) for name, found in by_rig.items()}
    return {"fa_mpjpe": errors, "steps": saved.about["steps"], "seconds": saved.about["seconds"]}


def words_of(cell: Cell, work: Path) -> tuple[str, ...]:
    """After `darb3d fit lifter RIGS`, without the length."""
    if cell.goes_on:
        return (*WORDS, *THEN, str(work / f"{TOGETHER}.safetensors"))
    return (*SIZE, *WORDS)


def rows_of(standing: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A row for each rig, and on how many the lifter of all animals, and what went on from it, is
    better than one of a tenth alone."""
    together = standing.get(TOGETHER, {}).get("fa_mpjpe", {})
    rows: list[list[str]] = []
    better: dict[str, list[bool]] = {TOGETHER: [], "then": []}
    for name, error in together.items():
        errors = {kind: _error(standing, kind, name) for kind in ("then", "tenth", "whole")}
        errors = {TOGETHER: error, **errors}
        rows.append([name, *("-" if e is None else f"{e:.2f}" for e in errors.values())])
        for kind, wins in better.items():
            ours, alone = errors[kind], errors["tenth"]
            if ours is not None and alone is not None:
                wins.append(ours < alone)
    said = [f"better on {sum(wins)} of {len(wins)}" for wins in better.values()]
    return [*rows, ["than a tenth alone", *said, "", ""]] if rows else []


def _error(standing: dict[str, dict[str, Any]], kind: str, name: str) -> float | None:
    found = standing.get(f"{kind}-{name}")
    return None if found is None else found["fa_mpjpe"][name]


def main() -> None:
    wanted = parser(__doc__)
    wanted.add_argument("rigs", type=Path)
    wanted.add_argument("--steps", type=int, default=3000, help="of the lifter of all animals")
    wanted.add_argument("--alone-steps", type=int, default=800)
    wanted.add_argument("--then-steps", type=int, default=300, help="of one animal after all")
    wanted.add_argument("--only", nargs="+", default=[""], help="cells whose names begin so")
    wanted.add_argument("--work", type=Path, default=Path("lifter_sharing_work"))
    wanted.add_argument("--folder", type=Path, default=RESULTS / "lifter_sharing")
    wanted.add_argument("--table", action="store_true", help="print what stands, train nothing")
    given = wanted.parse_args()
    if not given.table:
        given.work.mkdir(parents=True, exist_ok=True)
        rigs = load_rigs(given.rigs)
        cells = [cell for cell in queue(rigs) if cell.name.startswith(tuple(given.only))]
        for number, cell in enumerate(cells[:1] if given.quick else cells):
            place = given.folder / f"{cell.name}.json"
            if place.exists():
                continue
            print(f"{number + 1}/{len(cells)} {cell.name}", flush=True)
            steps = given.then_steps if cell.goes_on else given.alone_steps
            steps = given.steps if cell.name == TOGETHER else steps
            length = ["--fit.steps", "2" if given.quick else str(steps), "--threads", "1"]
            head = {"benchmark": "lifter_sharing", "cell": cell.name, "machine": facts()}
            head |= {
                "words": [*words_of(cell, Path()), *length],
                "clips": sum(len(r.clips) for r in cell.rigs),
            }
            write_json(place, head | measured(cell, rigs, given.work, length))
    standing = {p.stem: json.loads(p.read_text()) for p in sorted(given.folder.glob("*.json"))}
    names = ["rig", "all animals", "then its tenth", "its tenth alone", "all of it alone"]
    print_table(names, rows_of(standing))
    if given.json:
        write_json(given.json, {"benchmark": "lifter_sharing", "cells": standing})


if __name__ == "__main__":
    main()
