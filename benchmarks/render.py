"""Milliseconds of each stage of the CPU rasteriser, forward and backward.

The scene is synthetic and the same for every run: splats spread evenly over the view at depths 2 to
6, sigmas log-uniform over a factor of five. Their median size on the screen shrinks with the square
root of the count, so that about the same number of layers covers a pixel whatever the count.

    python -m benchmarks.render [--quick] [--json FILE]
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from benchmarks.machine import Clock, facts, parser, peak_memory_mb, print_table, write_json
from data.camera import Camera
from simd.threads import set_threads
from splatting import kernels
from splatting.cpu import (
    compositing,
    compositing_backward,
    depth_order,
    pipeline,
    projection,
    projection_backward,
    tiles,
)
from splatting.splats import Splats

BOTH = ("gaussian", "raised-cosine")
"""The kernel of 3DGS and ours; `benchmarks.kernel_cost` times the others."""

STAGES = [
    (projection, "project"),
    (depth_order, "depth_order"),
    (tiles, "count_tiles"),
    (tiles, "fill_tiles"),
    (compositing, "composite"),
    (compositing_backward, "composite_backward"),
    (projection_backward, "project_backward"),
    (pipeline, "forward"),
    (pipeline, "backward"),
]
NAMES = [name for _, name in STAGES]
LAYERS = 12.0
"""Splats that cover a pixel within one sigma, on average."""


def camera_of(width: int, height: int) -> Camera:
    """A camera at the origin that looks along z, 60 degrees wide."""
    focal = 0.5 * width / np.tan(np.radians(30))
    return Camera(
        np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]),
        np.eye(4),
        width,
        height,
    )


def splats_in(camera: Camera, count: int, kernel: str, degree: int = 3) -> Splats:
    """`count` splats in front of `camera`, from a fixed seed."""
    rng = np.random.default_rng(0)
    depth = rng.uniform(2, 6, count)
    pixel = rng.uniform(0, 1, (count, 2)) * [camera.width, camera.height]
    focal, centre = camera.K[0, 0], camera.K[:2, 2]
    means = np.column_stack([(pixel - centre) / focal * depth[:, None], depth])
    sigma_px = np.sqrt(LAYERS * camera.width * camera.height / (np.pi * count))
    spread = np.exp(rng.uniform(-0.8, 0.8, (count, 3)))
    log_scales = np.log(sigma_px * spread * (depth / focal)[:, None])
    as_float = np.float32
    return Splats(
        means=means.astype(as_float),
        log_scales=log_scales.astype(as_float),
        quats=rng.normal(size=(count, 4)).astype(as_float),
        logit_opacities=rng.normal(-1.0, 1.5, count).astype(as_float),
        sh0=rng.normal(size=(count, 3)).astype(as_float),
        shN=(0.1 * rng.normal(size=(count, (degree + 1) ** 2 - 1, 3))).astype(as_float),
        kernel=kernels.get(kernel),
    )


def measure(
    count: int, width: int, height: int, threads: int, kernel: str, rounds: int
) -> dict[str, Any]:
    """Median milliseconds of each stage over `rounds` frames after one to warm up."""
    set_threads(threads)
    camera = camera_of(width, height)
    splats = splats_in(camera, count, kernel)
    work = pipeline.Workspace()
    d_rgb = np.random.default_rng(1).normal(size=(height, width, 3)).astype(np.float32)
    frame = None
    with Clock(STAGES) as clock:
        for turn in range(rounds + 1):
            if turn == 1:
                clock.clear()
            frame = pipeline.forward(work, splats, camera, 3, np.zeros(3, np.float32))
            pipeline.backward(work, frame, d_rgb)
    assert frame is not None
    return {
        "splats": count,
        "width": width,
        "height": height,
        "threads": threads,
        "kernel": kernel,
        "visible": len(frame.visible),
        "pairs": len(frame.splat_of),
        "stages": clock.medians(),
        "peak_memory_mb": round(peak_memory_mb()),
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=5, help="frames a figure is the median of")
    given = options.parse_args()
    counts = (10_000,) if given.quick else (10_000, 100_000, 1_000_000)
    sizes = ((640, 480),) if given.quick else ((640, 480), (1280, 720))
    machine = facts()
    print(machine)
    cells = []
    for case in itertools.product(counts, sizes, (1, 2), BOTH):
        count, (width, height), threads, kernel = case
        cells.append(measure(count, width, height, threads, kernel, given.rounds))
    print_table(
        ["splats", "size", "threads", "kernel", "pairs", *NAMES, "MB"],
        [
            [
                f"{c['splats']:,}",
                f"{c['width']}x{c['height']}",
                c["threads"],
                c["kernel"],
                f"{c['pairs']:,}",
                *(f"{c['stages'][name]['wall_ms']:.2f}" for name in NAMES),
                c["peak_memory_mb"],
            ]
            for c in cells
        ],
    )
    print("median wall milliseconds; CPU milliseconds stand in the JSON")
    if given.json:
        write_json(given.json, {"benchmark": "render", "machine": machine, "cells": cells})


if __name__ == "__main__":
    main()
