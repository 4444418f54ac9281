"""PointNet's shared layers on a CPU (arXiv 1612.00593), batch norms folded into them, and the
maximum over points, in one pass: a tile of points goes through all layers in the first cache.

The same loops as for 3DGPE (`gaussian_features`), so that the two are compared fairly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numba import njit, prange

from pointcloud.cpu.mixing import ROWS, mix_max, mix_rows, padded, panels
from pointcloud.cpu.tiles import PARTS, TILE, Tiles
from simd.lane_memory import scratch
from simd.threads import guarded

f32 = np.float32
Layer = tuple[Float32[np.ndarray, "a b"], Float32[np.ndarray, "b"]]
"""Weight (in, out) and bias."""


@dataclass(frozen=True, eq=False)
class PointNetFeatures:
    """An encoder, ready to run: three layers, ReLU behind the first two."""

    widths: tuple[int, int, int]
    weights: tuple[Float32[np.ndarray, "n"], ...]
    biases: tuple[Float32[np.ndarray, "e"], ...]
    """Filled up to whole vectors but for the last."""

    def __call__(self, clouds: list[Float32[np.ndarray, "_ 3"]]) -> Float32[np.ndarray, "b e"]:
        """The features of each cloud: their maximum over its points."""
        tiles = Tiles.of(clouds)
        best = np.full((len(clouds), PARTS, padded(self.widths[2])), -np.inf, f32)
        one, two, three = self.weights
        _features(
            tiles.points,
            tiles.begins,
            tiles.sizes,
            tiles.firsts,
            self.widths,
            one,
            two,
            three,
            self.biases[0],
            self.biases[1],
            best,
        )
        return best.max(1)[:, : self.widths[2]] + self.biases[2]


def pointnet_features(layers: list[Layer]) -> PointNetFeatures:
    """The encoder of three layers."""
    first, second, third = (len(bias) for _, bias in layers)
    biases = [
        np.pad(bias, (0, padded(len(bias)) - len(bias))).astype(f32) for _, bias in layers[:2]
    ]
    weights = tuple(panels(weight) for weight, _ in layers)
    return PointNetFeatures((first, second, third), weights, (*biases, layers[2][1]))


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _features(points, begins, sizes, firsts, widths, one, two, three, bias_one, bias_two, best):
    for task in prange(best.shape[0] * PARTS):
        cloud, part = task // PARTS, task % PARTS
        first, tiles = firsts[cloud], firsts[cloud + 1] - firsts[cloud]
        places = scratch(3 * TILE)
        inner, outer = scratch(TILE * len(bias_one)), scratch(TILE * len(bias_two))
        listed = np.arange(max(3, widths[0], widths[1]))
        for tile in range(first + part * tiles // PARTS, first + (part + 1) * tiles // PARTS):
            begin, size = begins[tile], sizes[tile]
            rounded = (size + ROWS - 1) // ROWS * ROWS
            for p in range(rounded):
                for axis in range(3):
                    places[3 * p + axis] = points[begin + min(p, size - 1), axis]
            stride = len(bias_one)
            mix_rows(places, rounded, 3, one, 3, listed, bias_one, f32(0), inner)
            mix_rows(inner, rounded, stride, two, widths[0], listed, bias_two, f32(0), outer)
            mix_max(
                outer,
                rounded,
                len(bias_two),
                three,
                widths[1],
                listed,
                widths[1],
                best[cloud, part],
            )
