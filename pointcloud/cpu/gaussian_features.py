"""3DGPE on a CPU (arXiv 2511.04797): responses, mixer and the maximum over points in one pass.

A tile of points becomes a tile of responses in the first cache, which is mixed and maximised there.
An exponent is -1/2 |T^T (x - mu)|^2, by differences: it takes three operations more than the
product with ten monomials (`gaussian_encoder`), and loses nothing where a Gaussian is sharp or far.

Tiles are the same points whatever the threads, and a maximum has no order: neither threads nor the
rest of a batch change a feature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numba import njit, prange

from pointcloud.cpu.gaussian_filters import Filter, Reach, reach_of
from pointcloud.cpu.mixing import ROWS, mix_max, padded, panels
from pointcloud.cpu.tiles import PARTS, TILE, Tiles
from simd.lane_functions import exp2
from simd.lane_memory import load, scratch, spread_at, store
from simd.lanes import COUNT, spread
from simd.threads import guarded

f32 = np.float32
_NUMBERS = 9
"""Of a Gaussian: its mean, then T column by column."""


@dataclass(frozen=True, eq=False)
class GaussianFeatures:
    """An encoder, ready to run."""

    gaussians: Float32[np.ndarray, "9 k"]
    weights: Float32[np.ndarray, "n"]
    bias: Float32[np.ndarray, "e"]
    reach: Reach

    def __call__(self, clouds: list[Float32[np.ndarray, "_ 3"]]) -> Float32[np.ndarray, "b e"]:
        """The features of each cloud: their maximum over its points."""
        return self._run(clouds)[0]

    def with_counts(
        self, clouds: list[Float32[np.ndarray, "_ 3"]]
    ) -> tuple[Float32[np.ndarray, "b e"], float]:
        """Features, and how many Gaussians were mixed for a point, on the mean."""
        features, counts, sizes = self._run(clouds)
        return features, float((counts * sizes).sum() / max(sizes.sum(), 1))

    def _run(self, clouds: list[Float32[np.ndarray, "_ 3"]]) -> tuple[np.ndarray, ...]:
        """Features, how many Gaussians were mixed for the points of each tile, and its size."""
        tiles = Tiles.of(clouds, self.reach.filter.voxels)
        best = np.full((len(clouds), PARTS, padded(len(self.bias))), -np.inf, f32)
        counts = np.zeros(len(tiles.begins), np.int64)
        reach = self.reach
        _features(
            tiles.points,
            tiles.begins,
            tiles.sizes,
            tiles.cells,
            tiles.firsts,
            self.gaussians,
            self.weights,
            reach.kind,
            reach.starts,
            reach.members,
            reach.means,
            reach.half,
            reach.squared,
            best,
            counts,
        )
        return best.max(1)[:, : len(self.bias)] + self.bias, counts, tiles.sizes


def gaussian_features(
    means: Float32[np.ndarray, "k 3"],
    factors: Float64[np.ndarray, "k 3 3"],
    mixer: Float32[np.ndarray, "e k"],
    bias: Float32[np.ndarray, "e"],
    filtered: Filter,
) -> GaussianFeatures:
    """The encoder of means, T (lower triangles) and mixer."""
    gaussians = side_by_side(means, factors)
    return GaussianFeatures(
        gaussians, panels(mixer.T), bias, reach_of(filtered, means, factors, mixer)
    )


def side_by_side(
    means: Float32[np.ndarray, "k 3"], factors: Float64[np.ndarray, "k 3 3"]
) -> Float32[np.ndarray, "9 e"]:
    """Means and T of Gaussians as the loops read them, filled up to whole vectors."""
    lower = np.stack([factors[:, i, j] for j in range(3) for i in range(j, 3)])
    # 2^-|y|^2 in place of e^(-|y|^2 / 2)
    lower *= np.sqrt(0.5 / np.log(2.0))
    gaussians = np.zeros((_NUMBERS, padded(len(means))), f32)
    gaussians[:3, : len(means)] = means.T
    gaussians[3:, : len(means)] = lower
    return gaussians


@njit(error_model="numpy", nogil=True, cache=True)
def _gather(gaussians, listed, count, chosen):
    """The Gaussians `listed`, side by side, filled up to whole vectors."""
    wide = (count + COUNT - 1) // COUNT * COUNT
    for number in range(_NUMBERS):
        for j in range(wide):
            chosen[number * wide + j] = gaussians[number, listed[j]] if j < count else f32(0)
    return wide


@njit(error_model="numpy", nogil=True, cache=True)
def responses(x, y, z, chosen, wide, k):
    """Of the sixteen Gaussians from `k` on, of `wide` that are `chosen`, to a point."""
    dx = x - load(chosen, k)
    dy = y - load(chosen, wide + k)
    dz = z - load(chosen, 2 * wide + k)
    first = dx * load(chosen, 3 * wide + k) + dy * load(chosen, 4 * wide + k)
    first = first + dz * load(chosen, 5 * wide + k)
    second = dy * load(chosen, 6 * wide + k) + dz * load(chosen, 7 * wide + k)
    third = dz * load(chosen, 8 * wide + k)
    squared = first * first + second * second + third * third
    return exp2(spread(f32(0)) - squared)


@njit(error_model="numpy", nogil=True, cache=True)
def _respond(points, begin, size, rounded, chosen, wide, rows):
    """Responses of `rounded` points to the `chosen` Gaussians; the last point stands for those
    that a whole number of rows lacks."""
    for p in range(rounded):
        at = 3 * (begin + min(p, size - 1))
        x, y, z = spread_at(points, at), spread_at(points, at + 1), spread_at(points, at + 2)
        for k in range(0, wide, COUNT):
            store(rows, p * wide + k, responses(x, y, z, chosen, wide, k))


@njit(error_model="numpy", nogil=True, cache=True)
def _near(points, begin, size, kind, means, half, squared, listed):
    """Fill `listed` with the Gaussians that may reach the box around points; their number.

    Kind 1 asks their own boxes, kind 2 the spheres around them.
    """
    low, high = np.empty(3, f32), np.empty(3, f32)
    for axis in range(3):
        low[axis] = high[axis] = points[3 * begin + axis]
        for p in range(begin + 1, begin + size):
            low[axis] = min(low[axis], points[3 * p + axis])
            high[axis] = max(high[axis], points[3 * p + axis])
    count = 0
    for k in range(len(means)):
        near, away = True, 0.0
        for axis in range(3):
            gap = max(low[axis] - means[k, axis], means[k, axis] - high[axis], 0.0)
            near &= gap <= half[k, axis]
            away += gap * gap
        if near if kind == 1 else away <= squared[k]:
            listed[count] = k
            count += 1
    return count


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _features(
    points,
    begins,
    sizes,
    cells,
    firsts,
    gaussians,
    weights,
    kind,
    starts,
    members,
    means,
    half,
    squared,
    best,
    counts,
):
    depth = len(means)
    wide = gaussians.shape[1]
    flat = points.reshape(-1)
    for task in prange(best.shape[0] * PARTS):
        cloud, part = task // PARTS, task % PARTS
        first, tiles = firsts[cloud], firsts[cloud + 1] - firsts[cloud]
        chosen, rows = scratch(_NUMBERS * wide), scratch(TILE * wide)
        listed = np.empty(wide, np.int64)
        for tile in range(first + part * tiles // PARTS, first + (part + 1) * tiles // PARTS):
            begin, size = begins[tile], sizes[tile]
            if kind == 0:
                start = starts[cells[tile]]
                count = starts[cells[tile] + 1] - start
                for j in range(count):
                    listed[j] = members[start + j]
            else:
                count = _near(flat, begin, size, kind, means, half, squared, listed)
            counts[tile] = count
            used = _gather(gaussians, listed, count, chosen)
            rounded = (size + ROWS - 1) // ROWS * ROWS
            _respond(flat, begin, size, rounded, chosen, used, rows)
            mix_max(rows, rounded, used, weights, depth, listed, count, best[cloud, part])
