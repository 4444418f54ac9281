"""Layers on the features of clouds, with the loops of the encoders: a BLAS wakes its threads for
the few rows there are, which takes longer than the product.

Sums run over the inputs in their order whatever the number of rows: a cloud's answer is the same to
the last bit alone and among others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int8, UInt16
from numba import njit, prange

from pointcloud.cpu.mixing import (
    ROWS,
    in_bytes,
    in_halves,
    mix_six,
    padded,
    panels,
    store_six,
)
from simd.lane_memory import aligned, load, prefetch, spread_at, store
from simd.lanes import COUNT, maximum, spread
from simd.registers import ROOMY
from simd.threads import guarded

f32 = np.float32
_BLOCK = 64 * ROWS
"""Rows that are still near when the next columns are made of them."""
_FEW = ROWS - 1
"""Rows at most of which each is done by itself, by one thread: another would not be awake yet."""


@dataclass(frozen=True, eq=False)
class Dense:
    """A matrix, with a factor and a bias for each of its columns, ready to run."""

    weights: Float32[np.ndarray, "n"] | UInt16[np.ndarray, "n"] | Int8[np.ndarray, "n"]
    """float32, the bits of float16, or bytes."""
    scale: Float32[np.ndarray, "e"]
    """Filled up to whole vectors, as is the bias."""
    bias: Float32[np.ndarray, "e"]
    inputs: int
    outputs: int

    @staticmethod
    def of(
        weight: Float32[np.ndarray, "k e"],
        bias: Float32[np.ndarray, "e"],
        scale: Float32[np.ndarray, "e"] | None = None,
        int8: bool = False,
        halves: bool = True,
    ) -> Dense:
        """The layer (x weight) scale + bias; a norm behind it is in scale and bias, so that weights
        stay those of the file, in halves if those are and that is wanted: a layer of many rows is
        quicker without. With `int8` they are rounded to bytes."""
        inputs, outputs = weight.shape
        wide = np.zeros((2, padded(outputs)), f32)
        wide[0, :outputs] = 1.0 if scale is None else scale
        wide[1, :outputs] = bias
        if not int8:
            kept = in_halves(panels(weight)) if halves else panels(weight)
            return Dense(_from_line(kept), wide[0], wide[1], inputs, outputs)
        rounded, factor = in_bytes(weight)
        wide[0, :outputs] *= factor
        return Dense(_from_line(panels(rounded)), wide[0], wide[1], inputs, outputs)

    def __call__(
        self, x: Float32[np.ndarray, "b k"], relu: bool = False
    ) -> Float32[np.ndarray, "b e"]:
        """The layer's answer, held above zero with `relu`."""
        made = np.empty((len(x), len(self.bias)), f32)
        least = f32(0) if relu else f32(-np.inf)
        x = np.ascontiguousarray(x, f32)
        if len(x) <= _FEW:
            _few_rows(x, self.weights, self.scale, self.bias, least, made)
        else:
            listed = np.arange(self.inputs)
            _many_rows(x, self.weights, self.scale, self.bias, least, listed, made)
        return made[:, : self.outputs]


def _from_line(weights: np.ndarray) -> np.ndarray:
    """The same from a cache line's start."""
    kept = aligned(weights.size, weights.dtype)
    kept[:] = weights
    return kept


@njit(error_model="numpy", nogil=True, cache=True)
def _twelve(rows, at, depth, weights, panel, ahead, every):
    """Sums over `depth` numbers of each of six rows from `at` on, times two panels next to each
    other; a line of the weights from `ahead` on is fetched every so many numbers. As
    `mixing.mix_twelve`, but that no list says which numbers there are: looking costs 4 %."""
    a = b = c = d = e = f = spread(f32(0))
    g = h = i = k = m = n = spread(f32(0))
    beside = depth * COUNT
    for first in range(0, depth, every):
        prefetch(weights, ahead)
        ahead += COUNT
        for j in range(first, min(first + every, depth)):
            place, here = (panel + j) * COUNT, at + j
            w, v = load(weights, place), load(weights, place + beside)
            x = spread_at(rows, here)
            a, g = a + w * x, g + v * x
            x = spread_at(rows, here + depth)
            b, h = b + w * x, h + v * x
            x = spread_at(rows, here + 2 * depth)
            c, i = c + w * x, i + v * x
            x = spread_at(rows, here + 3 * depth)
            d, k = d + w * x, k + v * x
            x = spread_at(rows, here + 4 * depth)
            e, m = e + w * x, m + v * x
            x = spread_at(rows, here + 5 * depth)
            f, n = f + w * x, n + v * x
    return a, b, c, d, e, f, g, h, i, k, m, n


@njit(error_model="numpy", nogil=True, cache=True)
def _columns(x, weights, scale, bias, least, listed, made, block_of_rows, pair):
    """Thirty-two columns of a block of rows, or the last sixteen."""
    rows, depth = x.shape
    wide = len(bias)
    flat, out = x.reshape(-1), made.reshape(-1)
    first, last = 2 * pair, min(2 * pair + 2, wide // COUNT)
    together = ROOMY and last == first + 2
    first_row = block_of_rows * _BLOCK
    last_row = min(first_row + _BLOCK, rows)
    # the next columns' weights come from afar while these are done: `every` is how many numbers of
    # the sums of six rows go by for each line of them
    every = max(1, (last_row - first_row) // (2 * ROWS))
    lines = -(-depth // every)
    ahead = (first + 2) * depth * COUNT
    for begin in range(first_row, last_row, ROWS):
        # the last six may be some of those before: equal numbers change nothing
        p = min(begin, rows - ROWS)
        if together:
            at = first * COUNT
            a, b, c, d, e, f, g, h, i, k, m, n = _twelve(
                flat, p * depth, depth, weights, first * depth, ahead, every
            )
            ahead += lines * COUNT
            by, shift = load(scale, at), load(bias, at)
            store_six(out, p * wide + at, wide, by, shift, least, (a, b, c, d, e, f))
            at += COUNT
            by, shift = load(scale, at), load(bias, at)
            store_six(out, p * wide + at, wide, by, shift, least, (g, h, i, k, m, n))
            continue
        for block in range(first, last):
            at = block * COUNT
            sums = mix_six(flat, p * depth, depth, weights, block * depth, listed, depth)
            by, shift = load(scale, at), load(bias, at)
            store_six(out, p * wide + at, wide, by, shift, least, sums)


@njit(error_model="numpy", nogil=True, cache=True)
def _few_rows(x, weights, scale, bias, least, made):
    """Sixty-four columns at a time: four sums, of which none waits for the one before."""
    rows, depth = x.shape
    blocks, step = len(bias) // COUNT, depth * COUNT
    flat, out = x.reshape(-1), made.reshape(-1)
    for p in range(rows):
        at = p * len(bias)
        for block in range(0, blocks - 3, 4):
            a = b = c = d = spread(f32(0))
            for j in range(depth):
                place, number = block * step + j * COUNT, spread_at(flat, p * depth + j)
                a = a + load(weights, place) * number
                b = b + load(weights, place + step) * number
                c = c + load(weights, place + 2 * step) * number
                d = d + load(weights, place + 3 * step) * number
            _store_scaled(out, at, block, scale, bias, least, a)
            _store_scaled(out, at, block + 1, scale, bias, least, b)
            _store_scaled(out, at, block + 2, scale, bias, least, c)
            _store_scaled(out, at, block + 3, scale, bias, least, d)
        for block in range(blocks // 4 * 4, blocks):
            total = spread(f32(0))
            for j in range(depth):
                w = load(weights, block * step + j * COUNT)
                total = total + w * spread_at(flat, p * depth + j)
            _store_scaled(out, at, block, scale, bias, least, total)


@njit(error_model="numpy", nogil=True, cache=True)
def _store_scaled(out, row, block, scale, bias, least, total):
    at = block * COUNT
    store(out, row + at, maximum(total * load(scale, at) + load(bias, at), least))


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _many_rows(x, weights, scale, bias, least, listed, made):
    pairs = (len(bias) // COUNT + 1) // 2
    for task in prange(-(-len(x) // _BLOCK) * pairs):
        block, pair = task // pairs, task % pairs
        _columns(x, weights, scale, bias, least, listed, made, block, pair)
