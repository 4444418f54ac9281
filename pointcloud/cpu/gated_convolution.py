"""A causal convolution of every channel with its own taps, and SiLU after it, in one pass; sixteen
channels at a time (`pointcloud.gated_convolution` says what it is)."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from pointcloud.cpu.channels import PARTS, Array, padded, range_of, sigmoid
from simd.lane_memory import load, scratch, store
from simd.lanes import COUNT, spread
from simd.threads import guarded

f32 = np.float32


def forward(x: Array, weight: Array, bias: Array) -> Array:
    """u (b, t, d) of x (b, t, d), weight (taps, d), bias (d,)."""
    channels = x.shape[2]
    x, weight, bias = (padded(given) for given in (x, weight, bias))
    u = np.empty_like(x)
    _forward(x, weight, bias, u)
    return u[..., :channels]


def backward(x: Array, weight: Array, bias: Array, slope: Array) -> tuple[Array, Array, Array]:
    """Gradients of x, weight and bias for the gradient `slope` of u."""
    channels = x.shape[2]
    x, weight, bias, slope = (padded(given) for given in (x, weight, bias, slope))
    d_x = np.empty_like(x)
    d_weight = np.empty((len(x), *weight.shape), f32)
    d_bias = np.empty((len(x), *bias.shape), f32)
    _backward(x, weight, bias, slope, d_x, d_weight, d_bias)
    return d_x[..., :channels], d_weight.sum(0)[:, :channels], d_bias.sum(0)[:channels]


@njit(error_model="numpy", nogil=True, cache=True)
def _before_the_gate(x, weight, shift, taps, channels, first, t, at):
    """What SiLU is applied to, of sixteen channels from `at` on; `first` is the cloud's first
    row."""
    total = shift
    for k in range(max(0, taps - 1 - t), taps):
        row = first + t - (taps - 1) + k
        total = total + load(weight, k * channels + at) * load(x, row * channels + at)
    return total


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _forward(x, weight, bias, u):
    batch, length, channels = x.shape
    taps = weight.shape[0]
    flat_x, flat_weight, flat_u = x.reshape(-1), weight.reshape(-1), u.reshape(-1)
    for task in prange(batch * PARTS):
        b, part = task // PARTS, task % PARTS
        first, last = range_of(part, channels // COUNT)
        for t in range(length):
            for block in range(first, last):
                at = block * COUNT
                total = _before_the_gate(
                    flat_x, flat_weight, load(bias, at), taps, channels, b * length, t, at
                )
                store(flat_u, (b * length + t) * channels + at, total * sigmoid(total))


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _backward(x, weight, bias, slope, d_x, d_weight, d_bias):
    batch, length, channels = x.shape
    taps = weight.shape[0]
    flat_x, flat_weight, flat_slope = x.reshape(-1), weight.reshape(-1), slope.reshape(-1)
    flat_d_x, flat_d_weight = d_x.reshape(-1), d_weight.reshape(-1)
    flat_d_bias = d_bias.reshape(-1)
    for task in prange(batch * PARTS):
        b, part = task // PARTS, task % PARTS
        first, last = range_of(part, channels // COUNT)
        inner, by_weight = scratch(length * COUNT), scratch(taps * COUNT)
        for block in range(first, last):
            at = block * COUNT
            by_bias = spread(f32(0))
            for k in range(taps):
                store(by_weight, k * COUNT, spread(f32(0)))
            for t in range(length):
                total = _before_the_gate(
                    flat_x, flat_weight, load(bias, at), taps, channels, b * length, t, at
                )
                open_ = sigmoid(total)
                g = load(flat_slope, (b * length + t) * channels + at)
                g = g * open_ * (f32(1) + total * (f32(1) - open_))
                store(inner, t * COUNT, g)
                by_bias = by_bias + g
                for k in range(max(0, taps - 1 - t), taps):
                    row = b * length + t - (taps - 1) + k
                    kept = load(by_weight, k * COUNT)
                    store(by_weight, k * COUNT, kept + g * load(flat_x, row * channels + at))
            for t in range(length):
                total = spread(f32(0))
                for k in range(taps):
                    after = t + taps - 1 - k
                    if after < length:
                        g = load(inner, after * COUNT)
                        total = total + load(flat_weight, k * channels + at) * g
                store(flat_d_x, (b * length + t) * channels + at, total)
            store(flat_d_bias, b * channels + at, by_bias)
            for k in range(taps):
                place = (b * taps + k) * channels + at
                store(flat_d_weight, place, load(by_weight, k * COUNT))
