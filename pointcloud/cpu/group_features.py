"""The encoder of groups that Mamba3D has of its own (Point-MAE's): two layers, the maximum of the
group beside each point, two layers, the maximum; batch norms folded into the layers.

A group goes through all layers in the first caches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numba import njit, prange

from pointcloud.cpu.mixing import ROWS, mix_max, mix_rows, padded, panels
from pointcloud.cpu.stored_layers import linear, normed
from simd.lane_memory import load, scratch, spread_at, store
from simd.lanes import COUNT, maximum, spread
from simd.threads import guarded

f32 = np.float32
PARTS = 16
"""Threads that the groups are for."""


@dataclass(frozen=True, eq=False)
class GroupFeatures:
    """The encoder, ready to run; biases are filled up to whole vectors."""

    widths: tuple[int, int, int, int]
    weights: tuple[Float32[np.ndarray, "n"], ...]
    """Of the first two layers, of the part of the third that sees points, and of the fourth."""
    of_group: Float32[np.ndarray, "n"]
    """The part of the third layer that sees the group."""
    biases: tuple[Float32[np.ndarray, "e"], ...]

    @staticmethod
    def of(weights: dict[str, np.ndarray], name: str = "encoder") -> GroupFeatures:
        """From the weights of a file."""
        first, bias_one, scale = normed(weights, f"{name}.layers.0", f"{name}.norms.0")
        second, bias_two = linear(weights, f"{name}.layers.1")
        third, bias_three, scale_three = normed(weights, f"{name}.layers.2", f"{name}.norms.1")
        of_group, of_point = np.split(third * scale_three, 2)
        fourth, bias_four = linear(weights, f"{name}.layers.3")
        layers = (first * scale, second, of_point, fourth)
        biases = (bias_one, bias_two, bias_three, bias_four)
        one, two, three, four = (len(bias) for bias in biases)
        return GroupFeatures(
            (one, two, three, four),
            tuple(panels(layer) for layer in layers),
            panels(of_group),
            tuple(np.pad(b, (0, padded(len(b)) - len(b))).astype(f32) for b in biases),
        )

    def __call__(self, groups: Float32[np.ndarray, "g k 3"]) -> Float32[np.ndarray, "g e"]:
        """A row for each group."""
        points = groups.shape[1]
        rounded = -(-points // ROWS) * ROWS
        # the last point stands for those that a whole number of rows lacks
        filled = np.ascontiguousarray(groups[:, np.minimum(np.arange(rounded), points - 1)])
        best = np.full((len(groups), len(self.biases[3])), -np.inf, f32)
        _features(filled, self.widths, self.weights, self.of_group, self.biases, best)
        return (best + self.biases[3])[:, : self.widths[3]]


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _features(groups, widths, weights, of_group, biases, best):
    points = groups.shape[1]
    one, two, three, four = weights
    bias_one, bias_two, bias_three, _ = biases
    wide_one, wide_two, wide_three = len(bias_one), len(bias_two), len(bias_three)
    flat = groups.reshape(-1)
    for task in prange(PARTS):
        first, last = task * len(groups) // PARTS, (task + 1) * len(groups) // PARTS
        inner, middle = scratch(points * wide_one), scratch(points * wide_two)
        outer = scratch(points * wide_three)
        largest, beside = scratch(wide_two), scratch(wide_three)
        listed = np.arange(max(3, widths[0], widths[1], widths[2]))
        for group in range(first, last):
            place = flat[3 * points * group : 3 * points * (group + 1)]
            mix_rows(place, points, 3, one, 3, listed, bias_one, f32(0), inner)
            free = f32(-np.inf)
            mix_rows(inner, points, wide_one, two, widths[0], listed, bias_two, free, middle)
            _largest(middle, points, wide_two, largest)
            _mix_one(largest, of_group, widths[1], bias_three, beside)
            mix_rows(middle, points, wide_two, three, widths[1], listed, beside, f32(0), outer)
            depth = widths[2]
            mix_max(outer, points, wide_three, four, depth, listed, depth, best[group])


@njit(error_model="numpy", nogil=True, cache=True)
def _largest(rows, points, wide, found):
    for at in range(0, wide, COUNT):
        highest = load(rows, at)
        for p in range(1, points):
            highest = maximum(highest, load(rows, p * wide + at))
        store(found, at, highest)


@njit(error_model="numpy", nogil=True, cache=True)
def _mix_one(row, weights, depth, bias, made):
    """One row times a matrix, plus `bias`."""
    for at in range(0, len(bias), COUNT):
        total, other = load(bias, at), spread(f32(0))
        for j in range(0, depth - 1, 2):
            place = at * depth + j * COUNT
            total = total + load(weights, place) * spread_at(row, j)
            other = other + load(weights, place + COUNT) * spread_at(row, j + 1)
        if depth % 2:
            last = at * depth + (depth - 1) * COUNT
            total = total + load(weights, last) * spread_at(row, depth - 1)
        store(made, at, total + other)
