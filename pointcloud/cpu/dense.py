"""Layers on the features of clouds, with the loops of the encoders: a BLAS wakes its threads for
the few rows there are, which takes longer than the product.

Sums run over the inputs in their order whatever the number of rows: a cloud's answer is the same to
the last bit alone and among others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numba import njit, prange

from pointcloud.cpu.mixing import ROWS, mix_six, padded, panels
from simd.lane_memory import load, spread_at, store
from simd.lanes import COUNT, maximum, spread
from simd.threads import guarded

f32 = np.float32
_ALONE = 4
"""Rows that one thread has done before another is awake."""


@dataclass(frozen=True, eq=False)
class Dense:
    """A matrix and a bias, ready to run."""

    weights: Float32[np.ndarray, "n"]
    bias: Float32[np.ndarray, "e"]
    """Filled up to whole vectors."""
    inputs: int
    outputs: int

    @staticmethod
    def of(weight: Float32[np.ndarray, "k e"], bias: Float32[np.ndarray, "e"]) -> Dense:
        """The layer x weight + bias."""
        inputs, outputs = weight.shape
        wide = np.zeros(padded(outputs), f32)
        wide[:outputs] = bias
        return Dense(panels(weight), wide, inputs, outputs)

    def __call__(
        self, x: Float32[np.ndarray, "b k"], relu: bool = False
    ) -> Float32[np.ndarray, "b e"]:
        """The layer's answer, held above zero with `relu`."""
        made = np.empty((len(x), len(self.bias)), f32)
        run = _one_thread if len(x) <= _ALONE else _threads
        least = f32(0) if relu else f32(-np.inf)
        listed = np.arange(self.inputs)
        run(np.ascontiguousarray(x, f32), self.weights, self.bias, least, listed, made)
        return made[:, : self.outputs]


@njit(error_model="numpy", nogil=True, cache=True)
def _columns(x, weights, bias, least, listed, made, block):
    """Sixteen columns of every row."""
    rows, depth = x.shape
    wide = len(bias)
    flat, out = x.reshape(-1), made.reshape(-1)
    shift, panel = load(bias, block * COUNT), block * depth
    whole = rows // ROWS * ROWS
    for p in range(0, whole, ROWS):
        a, b, c, d, e, f = mix_six(flat, p * depth, depth, weights, panel, listed, depth)
        at = p * wide + block * COUNT
        store(out, at, maximum(a + shift, least))
        store(out, at + wide, maximum(b + shift, least))
        store(out, at + 2 * wide, maximum(c + shift, least))
        store(out, at + 3 * wide, maximum(d + shift, least))
        store(out, at + 4 * wide, maximum(e + shift, least))
        store(out, at + 5 * wide, maximum(f + shift, least))
    for p in range(whole, rows):
        total = spread(f32(0))
        for j in range(depth):
            total = total + load(weights, (panel + j) * COUNT) * spread_at(flat, p * depth + j)
        store(out, p * wide + block * COUNT, maximum(total + shift, least))


@njit(error_model="numpy", nogil=True, cache=True)
def _one_thread(x, weights, bias, least, listed, made):
    for block in range(len(bias) // COUNT):
        _columns(x, weights, bias, least, listed, made, block)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _threads(x, weights, bias, least, listed, made):
    for block in prange(len(bias) // COUNT):
        _columns(x, weights, bias, least, listed, made, block)
