"""How the cost of drawing and its backward grows: with splats, with pixels, with threads.

    python -m benchmarks.scaling [--quick] [--kernel K] [--json FILE]

10k to 3M splats at 640x480, 320x240 to 1920x1080 with 100k, one to all threads with 100k at
1280x720. The last columns are what should not grow: nanoseconds for each pair of a splat and a
tile, and the speed-up over one thread: the median over turns in which every number of threads
draws one frame, so that a slow minute of the machine strikes all of them.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from benchmarks.machine import Clock, facts, parser, print_table, write_json
from benchmarks.render import camera_of, measure, splats_in
from simd.threads import set_threads
from splatting.cpu import pipeline

BY_SPLATS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000)
BY_SIZE = ((320, 240), (640, 480), (1280, 720), (1920, 1080))


def summed(stages: dict[str, dict[str, float]], pairs: int) -> dict[str, float]:
    """Forward and backward together."""
    cpu_ms = stages["forward"]["cpu_ms"] + stages["backward"]["cpu_ms"]
    return {
        "ms": round(stages["forward"]["wall_ms"] + stages["backward"]["wall_ms"], 2),
        "cpu_ms": round(cpu_ms, 2),
        "ns_a_pair": round(1e6 * cpu_ms / pairs, 1),
    }


def row(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell of `benchmarks.render`, reduced to its sums."""
    return cell | summed(cell.pop("stages"), cell["pairs"])


def by_threads(count: int, kernel: str, turns: int) -> list[dict[str, Any]]:
    """A cell for each number of threads at 1280x720, all measured in the same turns."""
    camera = camera_of(1280, 720)
    splats = splats_in(camera, count, kernel)
    work = pipeline.Workspace()
    d_rgb = np.random.default_rng(1).normal(size=(720, 1280, 3)).astype(np.float32)
    clocks = {
        threads: Clock([(pipeline, "forward"), (pipeline, "backward")])
        for threads in range(1, (os.cpu_count() or 1) + 1)
    }
    pairs = 0
    for turn in range(turns + 1):
        for threads, clock in clocks.items():
            set_threads(threads)
            if turn == 1:
                clock.clear()
            with clock:
                frame = pipeline.forward(work, splats, camera, 3, np.zeros(3, np.float32))
                pipeline.backward(work, frame, d_rgb)
            pairs = len(frame.splat_of)
    took = {t: np.add(c.wall["forward"], c.wall["backward"]) for t, c in clocks.items()}
    return [
        {
            "splats": count,
            "width": 1280,
            "height": 720,
            "threads": threads,
            "kernel": kernel,
            "pairs": pairs,
            "turns": turns,
            **summed(clock.medians(), pairs),
            "speed_up": round(float(np.median(took[1] / took[threads])), 2),
        }
        for threads, clock in clocks.items()
    ]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--kernel", default="raised-cosine")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--turns", type=int, default=40, help="frames of each number of threads")
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
    cells += by_threads(many, given.kernel, 5 if given.quick else given.turns)
    header = ["splats", "width", "height", "threads", "pairs", "ms", "cpu_ms", "ns_a_pair"]
    rows = [[c[name] for name in header] + [c.get("speed_up", "")] for c in cells]
    print_table([*header, "speed_up"], rows)
    if given.json:
        write_json(given.json, {"benchmark": "scaling", "machine": machine, "cells": cells})


if __name__ == "__main__":
    main()
