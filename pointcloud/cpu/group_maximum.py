"""The maximum over each group of points, and its gradient, sixteen channels at a time."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from pointcloud.cpu.channels import Array, padded
from simd.lane_memory import load, store
from simd.lanes import COUNT, maximum, spread, where
from simd.threads import guarded

f32 = np.float32


def forward(x: Array) -> Array:
    """Maxima (g, w) of x (g, k, w) over k."""
    channels = x.shape[2]
    x = padded(x)
    found = np.empty((len(x), x.shape[2]), f32)
    _forward(x, found)
    return found[:, :channels]


def backward(x: Array, found: Array, slope: Array) -> Array:
    """Gradient of x for the gradient `slope` of its maxima `found`."""
    channels = x.shape[2]
    x, found, slope = padded(x), padded(found), padded(slope)
    d_x = np.empty_like(x)
    _backward(x, found, slope, d_x)
    return d_x[..., :channels]


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _forward(x, found):
    groups, points, channels = x.shape
    flat, flat_found = x.reshape(-1), found.reshape(-1)
    for group in prange(groups):
        for at in range(0, channels, COUNT):
            first = group * points * channels + at
            highest = load(flat, first)
            for point in range(1, points):
                highest = maximum(highest, load(flat, first + point * channels))
            store(flat_found, group * channels + at, highest)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _backward(x, found, slope, d_x):
    groups, points, channels = x.shape
    flat, flat_found = x.reshape(-1), found.reshape(-1)
    flat_slope, flat_d = slope.reshape(-1), d_x.reshape(-1)
    nothing = spread(f32(0))
    for group in prange(groups):
        for at in range(0, channels, COUNT):
            highest = load(flat_found, group * channels + at)
            left = load(flat_slope, group * channels + at)
            first = group * points * channels + at
            for point in range(points):
                place = first + point * channels
                here = load(flat, place) >= highest
                store(flat_d, place, where(here, left, nothing))
                left = where(here, nothing, left)
