"""The selective scan and its gradient, sixteen channels at a time (`pointcloud.selective_scan` says
what it is).

A scan of sixteen channels keeps its state of n vectors in the first cache while time goes by, and
its whole history, which the gradient needs, in the second: nothing of the size time x channels x
state is ever written to memory. The gradient runs backwards in time: with g_t the slope of what is
summed at t, lambda_t = g_t C_t + a_(t+1) lambda_(t+1).
"""

from __future__ import annotations

from math import log

import numpy as np
from numba import njit, prange

from pointcloud.cpu.channels import LOG2_E, PARTS, Array, padded, range_of, sigmoid
from simd.lane_functions import exp2, exponential, log_one_plus
from simd.lane_memory import load, scratch, spread_at, store, store_sums
from simd.lanes import COUNT, absolute, maximum, spread
from simd.threads import guarded

f32 = np.float32
_LN_2 = f32(log(2))


def forward(
    u: Array, dt: Array, A: Array, B: Array, C: Array, D: Array, z: Array, bias: Array
) -> Array:
    """y (b, l, d) of u, dt, z (b, l, d), A (d, n) negative, B, C (b, l, n), D, bias (d,)."""
    return at_rates(u, dt, rates(A), B, C, D, z, bias)


def at_rates(
    u: Array, dt: Array, rates: Array, B: Array, C: Array, D: Array, z: Array, bias: Array
) -> Array:
    """The same, where what is made of A has been made before."""
    channels = u.shape[2]
    u, dt, z = (padded(x) for x in (u, dt, z))
    skip, bias = padded(D), padded(bias)
    y = np.empty_like(u)
    _forward(u, dt, rates, B, C, skip, z, bias, y)
    return y[..., :channels]


def backward(
    u: Array, dt: Array, A: Array, B: Array, C: Array, D: Array, z: Array, bias: Array, slope: Array
) -> tuple[Array, ...]:
    """Gradients of u, dt, A, B, C, D, z, bias for the gradient `slope` of y."""
    channels = u.shape[2]
    u, dt, z, slope = (padded(x) for x in (u, dt, z, slope))
    by_time, skip, bias = rates(A), padded(D), padded(bias)
    batch, length, wide = u.shape
    state = A.shape[1]
    d_u, d_dt, d_z = (np.empty_like(u) for _ in range(3))
    d_A = np.zeros((batch, state, wide), f32)
    d_skip, d_bias = np.zeros((batch, wide), f32), np.zeros((batch, wide), f32)
    d_B, d_C = (np.zeros((PARTS, batch, length, state), f32) for _ in range(2))
    given = (u, dt, by_time, B, C, skip, z, bias, slope)
    _backward(*given, d_u, d_dt, d_A, d_B, d_C, d_skip, d_z, d_bias)
    summed = d_A.sum(0).T[:channels], d_B.sum(0), d_C.sum(0), d_skip.sum(0)[:channels]
    d_u, d_dt, d_z = (x[..., :channels] for x in (d_u, d_dt, d_z))
    return d_u, d_dt, *summed, d_z, d_bias.sum(0)[:channels]


def rates(A: Array) -> Array:
    """exp(s A) = 2^(s rates): (n, d), channels side by side."""
    return padded(np.ascontiguousarray(A.T) * LOG2_E)


@njit(error_model="numpy", nogil=True, cache=True)
def _softplus(x):
    return maximum(x, f32(0)) + log_one_plus(exp2(absolute(x) * f32(-LOG2_E)))


@njit(error_model="numpy", nogil=True, cache=True)
def _next_state(h, n, s, su, rate, from_input):
    """Number n of the states of sixteen channels, a step s of time later."""
    decay = exp2(s * rate)
    now = decay * load(h, n * COUNT) + su * from_input
    store(h, n * COUNT, now)
    return now


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _forward(u, dt, rates, B, C, skip, z, bias, y):
    batch, length, channels = u.shape
    state = rates.shape[0]
    flat_u, flat_dt, flat_z, flat_y = u.reshape(-1), dt.reshape(-1), z.reshape(-1), y.reshape(-1)
    flat_rates, flat_B, flat_C = rates.reshape(-1), B.reshape(-1), C.reshape(-1)
    for task in prange(batch * PARTS):
        b, part = task // PARTS, task % PARTS
        first, last = range_of(part, channels // COUNT)
        h, steps = scratch(state * COUNT), scratch(length * COUNT)
        for block in range(first, last):
            at = block * COUNT
            d, shift = load(skip, at), load(bias, at)
            for n in range(state):
                store(h, n * COUNT, spread(f32(0)))
            # through time each turn waits for the one before: what need not wait is done first
            for t in range(length):
                place = (b * length + t) * channels + at
                store(steps, t * COUNT, _softplus(load(flat_dt, place) + shift))
            for t in range(length):
                place = (b * length + t) * channels + at
                row = (b * length + t) * state
                x, s = load(flat_u, place), load(steps, t * COUNT)
                # two sums, of which one goes on while the other waits
                su, total, other = s * x, d * x, spread(f32(0))
                for n in range(0, state, 2):
                    rate = load(flat_rates, n * channels + at)
                    now = _next_state(h, n, s, su, rate, spread_at(flat_B, row + n))
                    total = total + now * spread_at(flat_C, row + n)
                    m = n + 1
                    if m < state:
                        rate = load(flat_rates, m * channels + at)
                        now = _next_state(h, m, s, su, rate, spread_at(flat_B, row + m))
                        other = other + now * spread_at(flat_C, row + m)
                gate = load(flat_z, place)
                store(flat_y, place, (total + other) * gate * sigmoid(gate))


@njit(error_model="numpy", nogil=True, cache=True)
def _forth(flat, sizes, at, b, shift, d, h, a, steps, d_skip):
    """Sixteen channels from `at` on, forwards in time: states and decays into `h` and `a`; s, u,
    their product and the slope g of the sum into `steps`; writes the slope of the gate."""
    u, dt, rates, B, C, z, slope, d_z = flat
    length, channels, state = sizes
    by_skip = spread(f32(0))
    for t in range(length):
        place, row = (b * length + t) * channels + at, (b * length + t) * state
        x = load(u, place)
        s = _softplus(load(dt, place) + shift)
        su, total = s * x, d * x
        for n in range(state):
            here = (t * state + n) * COUNT
            decay = exp2(s * load(rates, n * channels + at))
            now = su * spread_at(B, row + n)
            if t > 0:
                now = now + decay * load(h, here - state * COUNT)
            store(h, here, now)
            store(a, here, decay)
            total = total + now * spread_at(C, row + n)
        gate, outer = load(z, place), load(slope, place)
        open_ = sigmoid(gate)
        g = outer * gate * open_
        store(d_z, place, outer * total * open_ * (f32(1) + gate * (f32(1) - open_)))
        by_skip = by_skip + g * x
        for k, value in enumerate((s, x, su, g)):
            store(steps, (4 * t + k) * COUNT, value)
    store(d_skip, b * channels + at, by_skip)


@njit(error_model="numpy", nogil=True, cache=True)
def _back(flat, sizes, at, b, d, h, a, steps, carried, sums):
    """The same channels backwards in time; adds to the lanes of `sums`, slopes of B and C."""
    rates, B, C, d_u, d_dt, d_A, d_bias = flat
    length, channels, state = sizes
    by_B, by_C = sums
    by_bias = spread(f32(0))
    for n in range(state):
        store(carried, n * COUNT, spread(f32(0)))
    for t in range(length - 1, -1, -1):
        place, row = (b * length + t) * channels + at, (b * length + t) * state
        s, x = load(steps, 4 * t * COUNT), load(steps, (4 * t + 1) * COUNT)
        su, g = load(steps, (4 * t + 2) * COUNT), load(steps, (4 * t + 3) * COUNT)
        by_s, by_su = spread(f32(0)), spread(f32(0))
        for n in range(state):
            here, of_A = (t * state + n) * COUNT, (b * state + n) * channels + at
            now, from_state = load(h, here), spread_at(B, row + n)
            slope = load(carried, n * COUNT) + g * spread_at(C, row + n)
            store(by_C, here, load(by_C, here) + g * now)
            store(by_B, here, load(by_B, here) + slope * su)
            by_su = by_su + slope * from_state
            # what was left of the state before
            left = slope * (now - su * from_state)
            by_s = by_s + left * load(rates, n * channels + at)
            store(d_A, of_A, load(d_A, of_A) + left * s)
            store(carried, n * COUNT, load(a, here) * slope)
        store(d_u, place, g * d + by_su * s)
        # of softplus: 1 - exp(-s)
        by_dt = (by_s * _LN_2 + by_su * x) * (f32(1) - exponential(f32(-1) * s))
        store(d_dt, place, by_dt)
        by_bias = by_bias + by_dt
    store(d_bias, b * channels + at, by_bias)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _backward(
    u, dt, rates, B, C, skip, z, bias, slope, d_u, d_dt, d_A, d_B, d_C, d_skip, d_z, d_bias
):
    batch, length, channels = u.shape
    state = rates.shape[0]
    sizes = (length, channels, state)
    flat_rates, flat_B, flat_C = rates.reshape(-1), B.reshape(-1), C.reshape(-1)
    forth = (
        u.reshape(-1),
        dt.reshape(-1),
        flat_rates,
        flat_B,
        flat_C,
        z.reshape(-1),
        slope.reshape(-1),
        d_z.reshape(-1),
    )
    slopes = (d_u.reshape(-1), d_dt.reshape(-1), d_A.reshape(-1), d_bias.reshape(-1))
    back = (flat_rates, flat_B, flat_C, *slopes)
    flat_d_B, flat_d_C, flat_skip = d_B.reshape(-1), d_C.reshape(-1), d_skip.reshape(-1)
    for task in prange(batch * PARTS):
        b, part = task // PARTS, task % PARTS
        first, last = range_of(part, channels // COUNT)
        room = length * state * COUNT
        h, a, by_B, by_C = scratch(room), scratch(room), scratch(room), scratch(room)
        steps, carried = scratch(4 * length * COUNT), scratch(state * COUNT)
        by_B[:] = 0
        by_C[:] = 0
        for block in range(first, last):
            at = block * COUNT
            d = load(skip, at)
            _forth(forth, sizes, at, b, load(bias, at), d, h, a, steps, flat_skip)
            _back(back, sizes, at, b, d, h, a, steps, carried, (by_B, by_C))
        for k in range(length * state):
            place = (part * batch + b) * length * state + k
            store_sums(flat_d_B, place, (load(by_B, k * COUNT),))
            store_sums(flat_d_C, place, (load(by_C, k * COUNT),))
