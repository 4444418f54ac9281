"""3DGPE's encoder with a mixer of bytes: what takes nearly all of its time, at up to four times the
speed.

A response lies between 0 and 1 and becomes a number from 0 to 255, exactly what a processor's
product of bytes wants; a column of the mixer is divided by its largest weight and becomes numbers
from -127 to 127. Sums are whole numbers, so their maximum over points is exact, and a column's
scale, which is positive, waits until after it.

Neither threads nor the rest of a batch change a feature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int8
from numba import njit, prange

from pointcloud.cpu.gaussian_features import responses, side_by_side
from pointcloud.cpu.mixing import ROWS, in_bytes, padded
from pointcloud.cpu.tiles import PARTS, TILE, Tiles
from simd.byte_products import (
    QUAD,
    larger,
    no_sums,
    store_counts,
    sums_from,
    sums_to,
    with_products,
)
from simd.lane_memory import spread_at
from simd.lanes import COUNT, spread
from simd.threads import guarded

f32 = np.float32
_ONE = 255
"""What a response of 1 becomes."""
_LEAST = np.iinfo(np.int32).min


@dataclass(frozen=True, eq=False)
class ByteFeatures:
    """An encoder, ready to run."""

    gaussians: Float32[np.ndarray, "9 k"]
    weights: Int8[np.ndarray, "n"]
    scale: Float32[np.ndarray, "e"]
    bias: Float32[np.ndarray, "e"]

    def __call__(self, clouds: list[Float32[np.ndarray, "_ 3"]]) -> Float32[np.ndarray, "b e"]:
        """The features of each cloud: their maximum over its points."""
        tiles = Tiles.of(clouds)
        best = np.full((len(clouds), PARTS, padded(len(self.bias))), _LEAST, np.int32)
        _features(
            *(tiles.points, tiles.begins, tiles.sizes, tiles.firsts),
            *(self.gaussians, self.weights, best),
        )
        return best.max(1)[:, : len(self.bias)] * self.scale + self.bias


def byte_features(
    means: Float32[np.ndarray, "k 3"],
    factors: Float64[np.ndarray, "k 3 3"],
    mixer: Float32[np.ndarray, "e k"],
    bias: Float32[np.ndarray, "e"],
) -> ByteFeatures:
    """The encoder of means, T (lower triangles) and mixer."""
    columns, k = mixer.shape
    weights, scale = in_bytes(mixer.T)
    # (e / 16, k / 4, 16, 4): the four weights of a column that are summed at once
    wide = np.zeros((padded(columns), padded(k)), np.int8)
    wide[:columns, :k] = weights.T
    wide = wide.reshape(-1, COUNT, padded(k) // QUAD, QUAD).transpose(0, 2, 1, 3)
    gaussians = side_by_side(means, factors)
    return ByteFeatures(gaussians, np.ascontiguousarray(wide).reshape(-1), scale / _ONE, bias)


@njit(error_model="numpy", nogil=True, cache=True)
def _respond(points, begin, size, rounded, gaussians, wide, rows):
    """Responses of `rounded` points as bytes; the last point stands for those that a whole number
    of rows lacks."""
    for p in range(rounded):
        at = 3 * (begin + min(p, size - 1))
        x, y, z = spread_at(points, at), spread_at(points, at + 1), spread_at(points, at + 2)
        for k in range(0, wide, COUNT):
            found = responses(x, y, z, gaussians, wide, k) * spread(f32(_ONE))
            store_counts(rows, p * wide + k, found)


@njit(error_model="numpy", nogil=True, cache=True)
def _mix_max(rows, points, wide, weights, best):
    """Raise `best (e,)` to the largest of each column over `points` rows."""
    quads = wide // QUAD
    for block in range(len(best) // COUNT):
        top = sums_from(best, block * COUNT)
        panel = block * quads * QUAD * COUNT
        for p in range(0, points, ROWS):
            a = b = c = d = e = f = no_sums()
            for quad in range(quads):
                place, here = panel + quad * QUAD * COUNT, p * wide + quad * QUAD
                a = with_products(a, rows, here, weights, place)
                b = with_products(b, rows, here + wide, weights, place)
                c = with_products(c, rows, here + 2 * wide, weights, place)
                d = with_products(d, rows, here + 3 * wide, weights, place)
                e = with_products(e, rows, here + 4 * wide, weights, place)
                f = with_products(f, rows, here + 5 * wide, weights, place)
            top = larger(top, larger(larger(a, b), larger(larger(c, d), larger(e, f))))
        sums_to(best, block * COUNT, top)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _features(points, begins, sizes, firsts, gaussians, weights, best):
    wide = gaussians.shape[1]
    flat, numbers = points.reshape(-1), gaussians.reshape(-1)
    for task in prange(best.shape[0] * PARTS):
        cloud, part = task // PARTS, task % PARTS
        first, tiles = firsts[cloud], firsts[cloud + 1] - firsts[cloud]
        rows = np.empty(TILE * wide, np.uint8)
        for tile in range(first + part * tiles // PARTS, first + (part + 1) * tiles // PARTS):
            size = sizes[tile]
            rounded = (size + ROWS - 1) // ROWS * ROWS
            _respond(flat, begins[tile], size, rounded, numbers, wide, rows)
            _mix_max(rows, rounded, wide, weights, best[cloud, part])
