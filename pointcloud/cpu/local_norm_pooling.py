"""Local norm pooling and its gradient, sixteen channels at a time (`pointcloud.local_norm_pooling`
says what it is).

What lies between the features of a cloud and what it pools, differences of every centre and
neighbour, is four times as large as both and is never written to memory: it is made anew wherever
it is wanted.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Int64
from numba import njit, prange

from pointcloud.config import LEAST_SPREAD
from pointcloud.cpu.channels import LOG2_E, Array, padded
from simd.lane_functions import exp2
from simd.lane_memory import load, scratch, store, store_sums
from simd.lanes import COUNT, maximum, spread
from simd.threads import guarded

f32 = np.float32
Rows = Int64[np.ndarray, "b c k"]


def forward(own: Array, near: Rows, scale: Array, offset: Array) -> Array:
    """What each centre pools (b, c, w) of features own (b, c, w), scale and offset (w,)."""
    channels = own.shape[2]
    own, scale, offset = (padded(x) for x in (own, scale, offset))
    pooled = np.empty_like(own)
    _forward(own, near, scale, offset, channels, pooled)
    return pooled[..., :channels]


def forward_beside_own(own: Array, near: Rows, scale: Array, offset: Array) -> Array:
    """The same beside the centres' own features, scaled and moved: (b, c, 2 w), scale and offset
    (2 w,)."""
    channels = own.shape[2]
    (of_near, of_own), (from_near, from_own) = np.split(scale, 2), np.split(offset, 2)
    own, *rest = (padded(x) for x in (own, of_near, from_near, of_own, from_own))
    both = np.empty((*own.shape[:2], 2 * own.shape[2]), f32)
    _forward(own, near, rest[0], rest[1], channels, both)
    _beside(own, rest[2], rest[3], both)
    if own.shape[2] == channels:
        return both
    return np.concatenate([half[..., :channels] for half in np.split(both, 2, -1)], -1)


def backward(
    own: Array, near: Rows, scale: Array, offset: Array, slope: Array
) -> tuple[Array, Array, Array]:
    """Gradients of own, scale and offset for the gradient `slope` of what is pooled."""
    channels = own.shape[2]
    own, scale, offset, slope = (padded(x) for x in (own, scale, offset, slope))
    d_own = np.zeros_like(own)
    d_scale, d_offset = (np.zeros((len(own), own.shape[2]), f32) for _ in range(2))
    _backward(own, near, scale, offset, slope, channels, d_own, d_scale, d_offset)
    return d_own[..., :channels], d_scale.sum(0)[:channels], d_offset.sum(0)[:channels]


@njit(error_model="numpy", nogil=True, cache=True)
def _moments(own, near, first, shape, count, sums):
    """Mean of all differences of the cloud whose rows begin at `first`, and their root mean square
    deviation."""
    centres, around, channels = shape
    total, squares = 0.0, 0.0
    for row in range(first, first + centres):
        plain, square = spread(f32(0)), spread(f32(0))
        for j in range(around):
            other = first + near[row * around + j]
            for at in range(0, channels, COUNT):
                d = load(own, other * channels + at) - load(own, row * channels + at)
                plain = plain + d
                square = square + d * d
        store_sums(sums, 0, (plain, square))
        total += sums[0]
        squares += sums[1]
    mean = total / count
    return mean, math.sqrt(max(0.0, squares - count * mean * mean) / max(1, count - 1))


@njit(error_model="numpy", nogil=True, cache=True)
def _around(near, first, row, channels, others):
    """Fill in where the features of a centre's neighbours begin."""
    for j in range(len(others)):
        others[j] = (first + near[row * len(others) + j]) * channels


@njit(error_model="numpy", nogil=True, cache=True)
def _weighed(own, here, others, at, scale, offset, values, weights):
    """Fill in a centre's `values`, scaled differences to its neighbours, and their `weights`, not
    yet divided by their sum; returns that sum and the weighted one of the values. Features of the
    centre begin at `here`, those of neighbours at `others`; sixteen channels from `at` on."""
    x = load(own, here + at)
    highest = spread(f32(-np.inf))
    for j in range(len(others)):
        value = (load(own, others[j] + at) - x) * scale + offset
        store(values, j * COUNT, value)
        highest = maximum(highest, value)
    total, pooled = spread(f32(0)), spread(f32(0))
    for j in range(len(others)):
        value = load(values, j * COUNT)
        weight = exp2((value - highest) * LOG2_E)
        store(weights, j * COUNT, weight)
        total = total + weight
        pooled = pooled + weight * value
    return total, pooled


@njit(error_model="numpy", nogil=True, cache=True)
def _beside(own, scale, offset, both):
    """Write `own` times `scale` plus `offset` to the second half of each row of `both`."""
    batch, centres, channels = own.shape
    flat, made = own.reshape(-1), both.reshape(-1)
    for row in range(batch * centres):
        for at in range(0, channels, COUNT):
            here = load(flat, row * channels + at) * load(scale, at) + load(offset, at)
            store(made, (2 * row + 1) * channels + at, here)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _forward(own, near, scale, offset, count, pooled):
    """To the first channels of each row of `pooled`, which may be longer than those of `own`."""
    batch, centres, channels = own.shape
    around, wide = near.shape[2], pooled.shape[2]
    shape = centres, around, channels
    flat, rows, flat_pooled = own.reshape(-1), near.reshape(-1), pooled.reshape(-1)
    for b in prange(batch):
        values, weights = scratch(around * COUNT), scratch(around * COUNT)
        others = np.empty(around, np.int64)
        first = b * centres
        numbers = centres * around * count
        _, deviation = _moments(flat, rows, first, shape, numbers, values)
        unit = f32(1.0 / (deviation + LEAST_SPREAD))
        for row in range(first, first + centres):
            here = row * channels
            _around(rows, first, row, channels, others)
            for at in range(0, channels, COUNT):
                stretch, shift = load(scale, at) * unit, load(offset, at)
                total, weighted = _weighed(flat, here, others, at, stretch, shift, values, weights)
                store(flat_pooled, row * wide + at, weighted / total)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _backward(own, near, scale, offset, slope, count, d_own, d_scale, d_offset):
    batch, centres, channels = own.shape
    around = near.shape[2]
    shape = centres, around, channels
    flat, rows, flat_slope = own.reshape(-1), near.reshape(-1), slope.reshape(-1)
    flat_d, flat_d_scale, flat_d_offset = (
        d_own.reshape(-1),
        d_scale.reshape(-1),
        d_offset.reshape(-1),
    )
    for b in prange(batch):
        values, weights = scratch(around * COUNT), scratch(around * COUNT)
        others = np.empty(around, np.int64)
        first = b * centres
        numbers = centres * around * count
        mean, deviation = _moments(flat, rows, first, shape, numbers, values)
        unit = f32(1.0 / (deviation + LEAST_SPREAD))
        by_deviation = 0.0
        for row in range(first, first + centres):
            by_unit = spread(f32(0))
            _around(rows, first, row, channels, others)
            for at in range(0, channels, COUNT):
                stretch, shift = load(scale, at), load(offset, at)
                total, weighted = _weighed(
                    flat, row * channels, others, at, stretch * unit, shift, values, weights
                )
                pooled = weighted / total
                g = load(flat_slope, row * channels + at) / total
                x = load(flat, row * channels + at)
                by_own = spread(f32(0))
                by_scale = load(flat_d_scale, b * channels + at)
                by_offset = load(flat_d_offset, b * channels + at)
                for j in range(around):
                    other = others[j] + at
                    value = load(values, j * COUNT)
                    by_value = g * load(weights, j * COUNT) * (f32(1) + value - pooled)
                    d = load(flat, other) - x
                    by_offset = by_offset + by_value
                    by_scale = by_scale + by_value * d * unit
                    by_unit = by_unit + by_value * stretch * d
                    by_d = by_value * stretch * unit
                    by_own = by_own + by_d
                    store(flat_d, other, load(flat_d, other) + by_d)
                store(flat_d_scale, b * channels + at, by_scale)
                store(flat_d_offset, b * channels + at, by_offset)
                here = row * channels + at
                store(flat_d, here, load(flat_d, here) - by_own)
            store_sums(values, 0, (by_unit,))
            by_deviation -= values[0] * unit * unit
        if deviation > 0.0:
            # of a deviation s of n numbers, each number d moves (d - mean) / ((n - 1) s)
            pull, middle = f32(by_deviation / (max(1, numbers - 1) * deviation)), f32(mean)
            for row in range(first, first + centres):
                _around(rows, first, row, channels, others)
                for at in range(0, channels, COUNT):
                    x = load(flat, row * channels + at)
                    by_own = spread(f32(0))
                    for j in range(around):
                        other = others[j] + at
                        by_d = pull * (load(flat, other) - x - middle)
                        by_own = by_own + by_d
                        store(flat_d, other, load(flat_d, other) + by_d)
                    here = row * channels + at
                    store(flat_d, here, load(flat_d, here) - by_own)
