"""Milliseconds of compositing for every kernel, and for one of the user's own.

    python -m benchmarks.kernel_cost [--quick] [--splats N]

Each kernel draws the same splats twice: with the stored sigmas as they are, and at equal screen
mass (sigmas divided by sqrt(mass x psi), as training starts). Rounds alternate between kernels, so
that a slow minute of the machine strikes all of them; medians.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.machine import Clock, facts, parser, print_table, write_json
from benchmarks.render import camera_of, splats_in
from simd.threads import set_threads
from splatting import kernels
from splatting.cpu import compositing, compositing_backward, pipeline
from splatting.splats import Splats

SCALES = ("as stored", "equal mass")
STAGES = [(compositing, "composite"), (compositing_backward, "composite_backward")]


def scaled(splats: Splats, name: str, scales: str) -> Splats:
    kernel = kernels.get(name)
    factor = kernel.mass_matched_scale if scales == "equal mass" else 1.0
    log_scales = splats.log_scales + np.float32(np.log(factor))
    return replace(splats, kernel=kernel, log_scales=log_scales)


def time_all(count: int, size: tuple[int, int], rounds: int, threads: int) -> list[dict[str, Any]]:
    """One cell for each kernel and scale."""
    set_threads(threads)
    camera = camera_of(*size)
    base = splats_in(camera, count, "gaussian", degree=0)
    rng = np.random.default_rng(0)
    d_rgb = rng.normal(size=(size[1], size[0], 3)).astype(np.float32)
    cases = {(k, s): scaled(base, k, s) for k in kernels.names() for s in SCALES}
    clocks = {case: Clock(STAGES) for case in cases}
    work = pipeline.Workspace()
    pairs = {}
    for turn in range(rounds + 1):
        for case, splats in cases.items():
            with clocks[case]:
                frame = pipeline.forward(work, splats, camera, 0, np.zeros(3, np.float32))
                pipeline.backward(work, frame, d_rgb)
            pairs[case] = len(frame.splat_of)
            if turn == 0:  # compiles
                clocks[case].clear()
    cells = []
    for (kernel, scales), clock in clocks.items():
        times = clock.medians()
        fitted = kernels.get(kernel).fitted
        cells.append(
            {
                "kernel": kernel,
                "scales": scales,
                "program": f"{fitted.variable} {fitted.degree}",
                "pairs": pairs[kernel, scales],
                "composite_ms": times["composite"]["wall_ms"],
                "composite_cpu_ms": times["composite"]["cpu_ms"],
                "backward_ms": times["composite_backward"]["wall_ms"],
                "backward_cpu_ms": times["composite_backward"]["cpu_ms"],
            }
        )
    return cells


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--splats", type=int, default=30_000)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--threads", type=int, default=2)
    given = options.parse_args()
    # as many multiply-adds as the raised cosine, a polynomial of degree 4 in q
    kernels.register("quartic", lambda q: (1.0 - q / 6.25) ** 4, 2.5)
    machine = facts()
    print(machine)
    count, size = (2000, (160, 120)) if given.quick else (given.splats, (640, 480))
    cells = time_all(count, size, 1 if given.quick else given.rounds, given.threads)
    print_table(list(cells[0]), [list(cell.values()) for cell in cells])
    if given.json:
        head = {"benchmark": "kernel_cost", "machine": machine, "splats": count, "size": size}
        write_json(given.json, head | {"threads": given.threads, "cells": cells})


if __name__ == "__main__":
    main()
