"""Compiling ahead: one step on a handful of splats makes or loads all machine code, outside any
timing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from data.camera import Camera
from simd.cache import compile_lock
from splatting import sparsity
from splatting.cpu import adam, depth_order, pipeline
from splatting.cpu.ssim import SsimWorkspace, l1_dssim
from splatting.densification import ScreenStatistics
from splatting.kernels import Kernel
from splatting.splats import PARAMETERS, Splats

_SIDE = 32


def open_loops() -> None:
    """Have numba ready to load loops, whatever the kernel: time that a thread can spend while
    another reads a file."""
    with compile_lock(), _without_blas():
        none = np.zeros(0, np.float32)
        depth_order.gather_drawn(
            none.astype(np.bool_), none, none.astype(np.int32), none.astype(np.uint64)
        )


@contextmanager
def _without_blas() -> Iterator[None]:
    """numba looks for scipy's BLAS when the first loop is loaded, which takes as long again as all
    else of it; no loop of ours multiplies matrices. For programs of our own only: later loops of
    this process find no BLAS either."""
    from numba.np import linalg

    def none() -> None:
        raise ImportError("not looked for")

    found = linalg.ensure_blas
    linalg.ensure_blas = none
    try:
        yield
    finally:
        linalg.ensure_blas = found


def warm_up(kernel: Kernel, training: bool = True, depth: bool = False) -> float:
    """Have the loops that draw (and train) with `kernel` ready, those of a training with `depth`
    if it asks for depth, too; returns the seconds that took.

    Seconds for the first kernel ever used by this user and version, a moment after that.
    """
    started = time.perf_counter()
    few = Splats(
        means=np.array([[0, 0, 2], [0.1, 0, 3]], np.float32),
        log_scales=np.full((2, 3), -2, np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (2, 1)),
        logit_opacities=np.zeros(2, np.float32),
        sh0=np.zeros((2, 3), np.float32),
        shN=np.zeros((2, 3, 3), np.float32),
        kernel=kernel,
    )
    centre = _SIDE / 2
    intrinsics = np.array([[_SIDE, 0, centre], [0, _SIDE, centre], [0, 0, 1]], np.float64)
    camera = Camera(intrinsics, np.eye(4), _SIDE, _SIDE)
    work = pipeline.Workspace()
    with compile_lock():
        frame = pipeline.forward(work, few, camera, 1, np.zeros(3, np.float32))
        if training:
            d_rgb = work.take("d_rgb", frame.rgb.shape)
            l1_dssim(frame.rgb, np.zeros_like(frame.rgb), 0.2, d_rgb, SsimWorkspace())
            slopes_of_depth = np.zeros_like(frame.depth) if depth else None
            gradients = pipeline.backward(work, frame, d_rgb, slopes_of_depth, slopes_of_depth)
            sparsity.add_slopes(frame, 0.0, 1.0, gradients)
            ScreenStatistics.empty(len(few)).add(gradients.visible, gradients.screen, _SIDE, _SIDE)
            same = (few.means,) * (len(PARAMETERS) - 1)  # all but the higher harmonics
            slopes = (gradients.means,) * len(same)
            rates = np.zeros(len(same), np.float32)
            adam.adam(same, same, same, slopes, gradients.visible, rates, 0.1, 0.1)
    return time.perf_counter() - started
