"""softmax(q k^T / sqrt(d) + bias) v and its gradients, a head of one set of tokens at a time: its
scores never leave the first cache, where torch writes and reads them half a dozen times.

Sixteen queries stand side by side in a vector and visit the keys together, so that largest scores
and sums need nothing across lanes. Arrays are float32: q, k, v, out (b, n, h, d) with d a multiple
of 16, bias (c, h, n, n), of which each row serves b / c rows of the batch in turn; minus infinity
hides a key.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from simd.lane_functions import exponential, logarithm
from simd.lane_memory import load, load_part, scratch, spread_at, store, store_part
from simd.lanes import COUNT, maximum, spread, where
from simd.threads import guarded
from simd.transposition import turn

f32 = np.float32

_FAINT = f32(-80.0)
"""Logarithm of a weight that is taken for none: its products would not be normal numbers."""
_AT_ONCE = 4
"""Sums of products side by side, so that none waits for the one before."""


@njit(inline="always")
def _products(columns, rows, first, d):
    """Of sixteen tokens in columns with the one of `rows` at `first`."""
    a = load(columns, 0) * spread_at(rows, first)
    b = load(columns, COUNT) * spread_at(rows, first + 1)
    for e in range(2, d, 2):
        a = a + load(columns, e * COUNT) * spread_at(rows, first + e)
        b = b + load(columns, (e + 1) * COUNT) * spread_at(rows, first + e + 1)
    return a + b


@njit(inline="always")
def _four_sums(weights, at, apart, by, rows, first, step, count):
    """Four sums over t of rows `rows[first + t step]` times `weights[at + m apart + t by]`."""
    a, b, c, d = spread(f32(0)), spread(f32(0)), spread(f32(0)), spread(f32(0))
    for t in range(count):
        row = load(rows, first + t * step)
        place = at + t * by
        a = a + spread_at(weights, place) * row
        b = b + spread_at(weights, place + apart) * row
        c = c + spread_at(weights, place + 2 * apart) * row
        d = d + spread_at(weights, place + 3 * apart) * row
    return a, b, c, d


@njit(error_model="numpy", nogil=True, cache=True)
def _columns(rows, first, step, count, d, columns):
    """Up to sixteen tokens of d numbers, side by side."""
    for e in range(0, d, COUNT):
        turn(rows, first + e, step, count, columns, e * COUNT)


@njit(error_model="numpy", nogil=True, cache=True)
def _bias_columns(bias, first, n, count, columns):
    """`count` rows of n numbers from `first` on as columns; zeros beside them."""
    for j in range(n):
        for i in range(COUNT):
            columns[j * COUNT + i] = bias[first + i * n + j] if i < count else f32(0)


@njit(inline="always")
def _store_four(four, scale, place, step, count, rows):
    """Write up to `count` of four rows."""
    a, b, c, d = four
    store(rows, place, a * scale)
    if count > 1:
        store(rows, place + step, b * scale)
    if count > 2:
        store(rows, place + 2 * step, c * scale)
    if count > 3:
        store(rows, place + 3 * step, d * scale)


@njit(inline="always")
def _add_four(four, scale, place, step, count, rows):
    """Add up to `count` of four rows to what is there."""
    a, b, c, d = four
    store(rows, place, load(rows, place) + a * scale)
    if count > 1:
        store(rows, place + step, load(rows, place + step) + b * scale)
    if count > 2:
        store(rows, place + 2 * step, load(rows, place + 2 * step) + c * scale)
    if count > 3:
        store(rows, place + 3 * step, load(rows, place + 3 * step) + d * scale)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def forward(q, k, v, bias, out, log_sums):
    """Fill `out (b, n, h, d)` and `log_sums (b, h, n)`, the logarithms of the softmax's sums."""
    n, heads, d = q.shape[1], q.shape[2], q.shape[3]
    repeats, step = len(q) // len(bias), heads * d
    flat_q, flat_k, flat_v = q.reshape(q.size), k.reshape(k.size), v.reshape(v.size)
    flat_bias, flat_out = bias.reshape(bias.size), out.reshape(out.size)
    flat_sums = log_sums.reshape(log_sums.size)
    scale, one = f32(1 / math.sqrt(d)), f32(1)
    for c in prange(len(bias)):
        queries, biases, weights = scratch(d * COUNT), scratch(n * COUNT), scratch(n * COUNT)
        for h in range(heads):
            for i in range(0, n, COUNT):
                count = min(COUNT, n - i)
                _bias_columns(flat_bias, ((c * heads + h) * n + i) * n, n, count, biases)
                for b in range(c * repeats, (c + 1) * repeats):
                    first = b * n * step + h * d
                    own = first + i * step
                    _columns(flat_q, own, step, count, d, queries)
                    top = spread(f32(-np.inf))
                    for j in range(n):
                        score = _products(queries, flat_k, first + j * step, d) * scale
                        score = score + load(biases, j * COUNT)
                        store(weights, j * COUNT, score)
                        top = maximum(top, score)
                    total = spread(f32(0))
                    for j in range(n):
                        below = load(weights, j * COUNT) - top
                        weight = where(below > _FAINT, exponential(below), f32(0))
                        total = total + weight
                        store(weights, j * COUNT, weight)
                    sums = (b * heads + h) * n + i
                    store_part(flat_sums, sums, count, top + logarithm(total))
                    share = f32(1) / total
                    for j in range(n):
                        store(weights, j * COUNT, load(weights, j * COUNT) * share)
                    for e in range(0, d, COUNT):
                        for m in range(0, count, _AT_ONCE):
                            four = _four_sums(weights, m, 1, COUNT, flat_v, first + e, step, n)
                            at = own + m * step + e
                            _store_four(four, one, at, step, count - m, flat_out)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def backward(q, k, v, bias, out, log_sums, d_out, d_q, d_k, d_v, d_bias):
    """Gradients of q, k, v and the bias for the gradient `d_out` of `out`; `d_k` and `d_v` hold
    zeros before."""
    n, heads, d = q.shape[1], q.shape[2], q.shape[3]
    repeats, step = len(q) // len(bias), heads * d
    flat_q, flat_k, flat_v = q.reshape(q.size), k.reshape(k.size), v.reshape(v.size)
    flat_bias, flat_sums = bias.reshape(bias.size), log_sums.reshape(log_sums.size)
    flat_out, flat_d_out = out.reshape(out.size), d_out.reshape(d_out.size)
    flat_d_q, flat_d_k, flat_d_v = d_q.reshape(q.size), d_k.reshape(k.size), d_v.reshape(v.size)
    flat_d_bias = d_bias.reshape(d_bias.size)
    scale, one = f32(1 / math.sqrt(d)), f32(1)
    room = (n + _AT_ONCE - 1) // _AT_ONCE * _AT_ONCE * COUNT
    for c in prange(len(bias)):
        queries, given, drawn = scratch(d * COUNT), scratch(d * COUNT), scratch(d * COUNT)
        biases, d_biases = scratch(n * COUNT), scratch(n * COUNT)
        weights, slopes = scratch(room), scratch(room)
        weights[n * COUNT :] = f32(0)
        slopes[n * COUNT :] = f32(0)
        for h in range(heads):
            for i in range(0, n, COUNT):
                count = min(COUNT, n - i)
                of_pairs = ((c * heads + h) * n + i) * n
                _bias_columns(flat_bias, of_pairs, n, count, biases)
                d_biases[:] = f32(0)
                for b in range(c * repeats, (c + 1) * repeats):
                    first = b * n * step + h * d
                    own = first + i * step
                    _columns(flat_q, own, step, count, d, queries)
                    _columns(flat_d_out, own, step, count, d, given)
                    _columns(flat_out, own, step, count, d, drawn)
                    along = spread(f32(0))
                    for e in range(0, d * COUNT, COUNT):
                        along = along + load(given, e) * load(drawn, e)
                    log_sum = load_part(flat_sums, (b * heads + h) * n + i, count)
                    for j in range(n):
                        score = _products(queries, flat_k, first + j * step, d) * scale
                        below = score + load(biases, j * COUNT) - log_sum
                        weight = where(below > _FAINT, exponential(below), f32(0))
                        slope = _products(given, flat_v, first + j * step, d) - along
                        slope = weight * slope
                        store(weights, j * COUNT, weight)
                        store(slopes, j * COUNT, slope)
                        store(d_biases, j * COUNT, load(d_biases, j * COUNT) + slope)
                    for e in range(0, d, COUNT):
                        for m in range(0, count, _AT_ONCE):
                            four = _four_sums(slopes, m, 1, COUNT, flat_k, first + e, step, n)
                            at = own + m * step + e
                            _store_four(four, scale, at, step, count - m, flat_d_q)
                        for j in range(0, n, _AT_ONCE):
                            of_key, at = j * COUNT, first + j * step + e
                            four = _four_sums(
                                slopes, of_key, COUNT, 1, flat_q, own + e, step, count
                            )
                            _add_four(four, scale, at, step, n - j, flat_d_k)
                            four = _four_sums(
                                weights, of_key, COUNT, 1, flat_d_out, own + e, step, count
                            )
                            _add_four(four, one, at, step, n - j, flat_d_v)
                for k in range(count):
                    for j in range(n):
                        flat_d_bias[of_pairs + k * n + j] = d_biases[j * COUNT + k]
