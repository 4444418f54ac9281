"""Compositing against the machine's limit: useful operations a second over the measured peak.

    python -m benchmarks.limit SCENE [--data-factor N] [--splats N] [--kernel K] [--json FILE]

Useful are only pairs of a pixel and a splat with alpha >= 1/255 before the pixel is finished: 35
operations each forward, 90 backward. Everything else that the loops do (pixels of a patch outside
the ellipse, pairs behind a finished pixel, bookkeeping) counts as nothing. The peak is that of a
vectorised multiply-add loop on one thread, measured beside each round, because the clock of a
shared machine moves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

import data
from benchmarks.machine import Clock, facts, fma_peak_gflops, parser, print_table, write_json
from benchmarks.render import BOTH
from benchmarks.step import resized
from simd.lanes import COUNT
from simd.threads import set_threads
from splatting import kernels
from splatting.config import TrainConfig
from splatting.cpu import blending, compositing, compositing_backward, pipeline
from splatting.cpu import screen as s
from splatting.training_state import initial_state

FORWARD, BACKWARD = 35, 90
STAGES = [(compositing, "composite"), (compositing_backward, "composite_backward")]


@njit(error_model="numpy")
def useful_pairs(records, values, support_q, tile_start, splat_of, columns, width, height):
    """Pixel-splat pairs that paint; `values` is f at even steps of q up to `support_q`."""
    useful = 0
    last = len(values) - 1
    for tile in range(len(tile_start) - 1):
        tile_x, tile_y = (tile % columns) * s.TILE, (tile // columns) * s.TILE
        through = np.ones(s.TILE_AREA, np.float32)
        for place in range(tile_start[tile], tile_start[tile + 1]):
            record = records[splat_of[place]]
            x = record[s.X_WHOLE] + record[s.X_PART]
            y = record[s.Y_WHOLE] + record[s.Y_PART]
            for p in range(s.TILE_AREA):
                px, py = tile_x + p % s.TILE, tile_y + p // s.TILE
                if px >= width or py >= height or through[p] <= 0:
                    continue
                dx, dy = px + np.float32(0.5) - x, py + np.float32(0.5) - y
                q = record[s.CONIC_A] * dx * dx + record[s.CONIC_C] * dy * dy
                q += np.float32(2) * record[s.CONIC_B] * dx * dy
                if q > record[s.Q_CUT]:
                    continue
                value = values[min(int(q / support_q * last + 0.5), last)]
                alpha = min(record[s.OPACITY] * value, np.float32(0.99))
                if through[p] * (1 - alpha) < blending.STOP:
                    through[p] = -1
                    continue
                through[p] *= 1 - alpha
                useful += 1
    return useful


def measure(scene: data.Scene, count: int, name: str, rounds: int) -> dict[str, Any]:
    """One kernel on the scene's first training view, one thread."""
    set_threads(1)
    state = initial_state(scene, TrainConfig(kernel=name))
    splats = resized(state.splats, count)
    camera = scene.train[0].camera
    work, clock, peaks = pipeline.Workspace(), Clock(STAGES), []
    rng = np.random.default_rng(0)
    d_rgb = rng.normal(size=(camera.height, camera.width, 3)).astype(np.float32)
    for turn in range(rounds + 1):
        fma_peak_gflops.cache_clear()
        with clock:
            frame = pipeline.forward(work, splats, camera, 3, np.zeros(3, np.float32))
            pipeline.backward(work, frame, d_rgb)
        peaks.append(fma_peak_gflops())
        if turn == 0:
            clock.clear()
    kernel = kernels.get(name)
    size = (camera.width, camera.height)
    values = kernel.fitted(np.linspace(0.0, kernel.support**2, 1 << 16))
    useful = useful_pairs(
        frame.records,
        values.astype(np.float32),
        kernel.support**2,
        frame.tile_start,
        frame.splat_of,
        frame.columns,
        *size,
    )
    visited = COUNT * int(np.bitwise_count(frame.painted).sum())
    times, peak = clock.medians(), float(np.median(peaks))
    forward_s = times["composite"]["cpu_ms"] * 1e-3
    backward_s = times["composite_backward"]["cpu_ms"] * 1e-3
    return {
        "kernel": name,
        "splats": len(splats),
        "size": list(size),
        "useful_pairs": int(useful),
        "share_of_visited": round(useful / max(visited, 1), 3),
        "forward_ms": times["composite"]["cpu_ms"],
        "backward_ms": times["composite_backward"]["cpu_ms"],
        "peak_gflops": round(peak, 1),
        "forward_share_of_peak": round(FORWARD * useful / forward_s / peak * 1e-9, 3),
        "backward_share_of_peak": round(BACKWARD * useful / backward_s / peak * 1e-9, 3),
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("scene", type=Path)
    options.add_argument("--data-factor", type=int, default=1)
    options.add_argument("--splats", type=int, default=30_000)
    options.add_argument("--kernel", action="append")
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    machine = facts()
    print(machine)
    scene = data.load_scene(given.scene, given.data_factor)
    rounds = 1 if given.quick else given.rounds
    cells = [measure(scene, given.splats, name, rounds) for name in given.kernel or BOTH]
    print_table(list(cells[0]), [list(cell.values()) for cell in cells])
    if given.json:
        write_json(given.json, {"benchmark": "limit", "machine": machine, "cells": cells})


if __name__ == "__main__":
    main()
