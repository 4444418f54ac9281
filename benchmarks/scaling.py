"""How the cost of drawing and its backward grows: with splats, with pixels, with threads.

    python -m benchmarks.scaling [--quick] [--kernel K] [--json FILE]

10k to 3M splats at 640x480, 320x240 to 1920x1080 with 100k, one to all threads with 100k at
1280x720. The last columns are what should not grow: nanoseconds for each pair of a splat and a
tile, and the speed-up over one thread.
"""

from __future__ import annotations

import os
from typing import Any

from benchmarks.machine import facts, parser, print_table, write_json
from benchmarks.render import measure

BY_SPLATS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000)
BY_SIZE = ((320, 240), (640, 480), (1280, 720), (1920, 1080))


def row(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell of `benchmarks.render`, reduced to its sums."""
    stages = cell.pop("stages")
    cell["ms"] = round(stages["forward"]["wall_ms"] + stages["backward"]["wall_ms"], 2)
    cell["cpu_ms"] = round(stages["forward"]["cpu_ms"] + stages["backward"]["cpu_ms"], 2)
    cell["ns_a_pair"] = round(1e6 * cell["cpu_ms"] / cell["pairs"], 1)
    return cell


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--kernel", default="raised-cosine")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    all_threads = os.cpu_count() or 1
    counts = BY_SPLATS[:2] if given.quick else BY_SPLATS
    sizes = BY_SIZE[:2] if given.quick else BY_SIZE
    many = 20_000 if given.quick else 100_000
    machine = facts()
    print(machine)
    cells = []
    for count in counts:
        cells.append(row(measure(count, 640, 480, all_threads, given.kernel, given.rounds)))
    for width, height in sizes:
        cells.append(row(measure(many, width, height, all_threads, given.kernel, given.rounds)))
    alone = None
    for threads in range(1, all_threads + 1):
        cell = row(measure(many, 1280, 720, threads, given.kernel, given.rounds))
        alone = alone or cell["ms"]
        cells.append(cell | {"speed_up": round(alone / cell["ms"], 2)})
    header = ["splats", "width", "height", "threads", "pairs", "ms", "cpu_ms", "ns_a_pair"]
    rows = [[c[name] for name in header] + [c.get("speed_up", "")] for c in cells]
    print_table([*header, "speed_up"], rows)
    if given.json:
        write_json(given.json, {"benchmark": "scaling", "machine": machine, "cells": cells})


if __name__ == "__main__":
    main()
