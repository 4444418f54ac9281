"""Ten techniques of backbones against their papers' claims: a resumable queue on real data.

    python -m benchmarks.backbones --shared FOLDER [--rows row05 row09] [--minutes 30]
    python -m benchmarks.backbones --table

FOLDER holds data/clouds/modelnet40.npz and data/keypoints/synthetic/, which cannot be bundled. One
JSON a cell in `benchmarks/results/backbones/`; a cell that stands is skipped, so the queue may be
stopped at any time. One thread; a cell takes about a minute of CPU, never more than three. The
table goes into docs/backbones.md with --write. `python -m benchmarks.backbone_cost` measures what
each option costs.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from benchmarks import backbone_rows, backbone_tasks
from benchmarks.backbone_cells import Cell, Claim, Found, Task
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json

MOST_SECONDS = 180.0
"""CPU seconds that a cell may take."""
HEADER = ("arXiv", "claim", "paper", "ours", "verdict")
BEGIN, END = "<!-- claims: begin -->", "<!-- claims: end -->"
QUICK = {"epochs": 1, "share": 0.05}


def chosen(names: list[str] | None) -> list[ModuleType]:
    """The experiments whose names begin as asked; all of them by default."""
    every = backbone_rows.modules()
    if not names:
        return every
    stems = {module: module.__name__.rpartition(".")[2] for module in every}
    return [module for module in every if any(stems[module].startswith(name) for name in names)]


def queue(rows: list[ModuleType]) -> list[Cell]:
    """Every cell that `rows` need, once each, quick ones first, all options of a seed together."""
    cells = {cell.name: cell for module in rows for cell in module.cells()}
    trained = backbone_tasks.TASKS
    return sorted(cells.values(), key=lambda cell: cell.task in trained)


def tasks(rows: list[ModuleType]) -> dict[str, Task]:
    """What measures each task's cells."""
    found: dict[str, Task] = dict(backbone_tasks.TASKS)
    for module in rows:
        found |= getattr(module, "TASKS", {})
    return found


def standing(folder: Path) -> dict[str, dict[str, Any]]:
    """What was measured, by cell."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def claims_of(rows: list[ModuleType], folder: Path) -> list[Claim]:
    """The table."""
    found = Found(standing(folder))
    return [claim for module in rows for claim in module.claims(found)]


def markdown(claims: list[Claim]) -> str:
    """The table of a document."""
    lines = [f"| {' | '.join(HEADER)} |", f"|{' --- |' * len(HEADER)}"]
    return "\n".join([*lines, *(claim.markdown() for claim in claims)])


def write_between(path: Path, marks: tuple[str, str], table: str) -> None:
    """Put `table` between `marks` in `path`."""
    begin, end = marks
    before, rest = path.read_text().split(begin)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}")
    os.replace(draft, path)


def measure(cell: Cell, task: Task, shared: Path) -> dict[str, Any]:
    """The cell's result, with what it took."""
    began = time.process_time()
    result = task(cell, shared)
    seconds = time.process_time() - began
    return {"task": cell.task, "options": dict(cell.options), "seed": cell.seed} | {
        "cpu_seconds": round(seconds, 1),
        "within_limit": seconds <= MOST_SECONDS,
        **result,
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--shared", type=Path, help="folder of the data that are not bundled")
    options.add_argument("--rows", nargs="+", help="only experiments whose names begin so")
    options.add_argument("--folder", type=Path, default=RESULTS / "backbones")
    options.add_argument("--minutes", type=float, help="begin no cell after this time")
    options.add_argument("--table", action="store_true", help="print what stands, measure nothing")
    options.add_argument("--markdown", action="store_true", help="a table for a document")
    options.add_argument("--write", type=Path, help="put the table between the marks of this file")
    given = options.parse_args()
    rows = chosen(given.rows)
    if given.shared and not given.table:
        import torch

        torch.set_num_threads(1)
        machine, began, by_task = facts(), time.monotonic(), tasks(rows)
        cells = queue(rows)
        if given.quick:
            training = [cell for cell in cells if cell.task == "points"][:1]
            cells = [cell for cell in cells if cell.task != "points"][:2]
            cells += [Cell(c.task, {**c.options, **QUICK}, c.seed) for c in training]
        for number, cell in enumerate(cells):
            place = given.folder / f"{cell.name}.json"
            if place.exists():
                continue
            if given.minutes and time.monotonic() - began > 60 * given.minutes:
                break
            result = measure(cell, by_task[cell.task], given.shared)
            head = {"benchmark": "backbones", "machine": {**machine, "load": os.getloadavg()[0]}}
            write_json(place, head | {"versions_torch": torch.__version__} | result)
            print(f"{number + 1}/{len(cells)} {cell.name}: {result['cpu_seconds']} s", flush=True)
    elif not given.table:
        print("no --shared FOLDER: nothing to measure on; what stands follows")
    claims = claims_of(rows, given.folder)
    if given.write:
        write_between(given.write, (BEGIN, END), markdown(claims))
    if given.markdown:
        print(markdown(claims))
    else:
        print_table(("arXiv", "verdict", "claim"), [(c.arxiv, c.verdict, c.claim) for c in claims])
    if given.json:
        write_json(given.json, {"claims": [vars(claim) for claim in claims]})


if __name__ == "__main__":
    main()
