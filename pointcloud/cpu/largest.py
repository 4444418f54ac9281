"""The largest product of a row with each column of a matrix, and which row it is of; the products
themselves are never written."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64
from numba import njit, prange

from pointcloud.cpu.channels import PARTS, range_of
from pointcloud.cpu.mixing import ROWS, mix_six, mix_twelve, padded, panels
from simd.lane_memory import load, load_part, scratch, store, store_sums
from simd.lanes import COUNT, spread, where
from simd.registers import ROOMY
from simd.threads import guarded

f32 = np.float32


def largest(
    x: Float32[np.ndarray, "b n i"], weight: Float32[np.ndarray, "o i"]
) -> tuple[Float32[np.ndarray, "b o"], Int64[np.ndarray, "b o"]]:
    """Maxima over n of x weight^T, and the first n they are at; n lies below 2^24."""
    batch, rows, depth = x.shape
    outputs = len(weight)
    if rows < ROWS:
        x = x[:, np.arange(ROWS) % rows]
    found = np.empty((batch, padded(outputs)), f32)
    places = np.empty(found.shape, np.int64)
    _largest(np.ascontiguousarray(x), panels(weight.T), np.arange(depth), found, places)
    return found[:, :outputs], places[:, :outputs]


@njit(error_model="numpy", nogil=True, cache=True)
def _higher(top, place, value, row):
    higher = value > top
    return where(higher, value, top), where(higher, spread(f32(row)), place)


@njit(error_model="numpy", nogil=True, cache=True)
def higher_of_six(top, place, values, row):
    """The largest of `top` and six values of rows from `row` on, and whose it is."""
    p, q, r, s, t, u = values
    top, place = _higher(top, place, p, row)
    top, place = _higher(top, place, q, row + 1)
    top, place = _higher(top, place, r, row + 2)
    top, place = _higher(top, place, s, row + 3)
    top, place = _higher(top, place, t, row + 4)
    return _higher(top, place, u, row + 5)


@njit(error_model="numpy", nogil=True, cache=True)
def _keep(found, places, here, top, place, at_rows):
    """Write maxima, and whose they are."""
    store(found, here, top)
    store(at_rows, 0, place)
    for lane in range(COUNT):
        places[here + lane] = int(at_rows[lane])


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _largest(x, weights, every, found, places):
    batch, rows, depth = x.shape
    columns = found.shape[1]
    flat, flat_found, flat_places = x.reshape(-1), found.reshape(-1), places.reshape(-1)
    for task in prange(batch * PARTS):
        b, part = task // PARTS, task % PARTS
        first, last = range_of(part, columns // COUNT)
        at_rows = scratch(COUNT)
        pairs = (last - first) // 2 if ROOMY else 0
        for pair in range(pairs):
            block = first + 2 * pair
            top, place = spread(f32(-np.inf)), spread(f32(0))
            right, place_right = spread(f32(-np.inf)), spread(f32(0))
            for begin in range(0, rows, ROWS):
                row = min(begin, rows - ROWS)
                at = (b * rows + row) * depth
                p, q, r, s, t, u, v, w, x_, y, z, o = mix_twelve(
                    flat, at, depth, weights, block * depth, depth, every, depth
                )
                top, place = higher_of_six(top, place, (p, q, r, s, t, u), row)
                right, place_right = higher_of_six(right, place_right, (v, w, x_, y, z, o), row)
            here = b * columns + block * COUNT
            _keep(flat_found, flat_places, here, top, place, at_rows)
            _keep(flat_found, flat_places, here + COUNT, right, place_right, at_rows)
        for block in range(first + 2 * pairs, last):
            top, place = spread(f32(-np.inf)), spread(f32(0))
            for begin in range(0, rows, ROWS):
                # the last six may be some of those before: equal numbers change nothing
                row = min(begin, rows - ROWS)
                at = (b * rows + row) * depth
                six = mix_six(flat, at, depth, weights, block * depth, every, depth)
                top, place = higher_of_six(top, place, six, row)
            _keep(flat_found, flat_places, b * columns + block * COUNT, top, place, at_rows)


def products_at(
    x: Float32[np.ndarray, "b n i"],
    weight: Float32[np.ndarray, "o i"],
    places: Int64[np.ndarray, "b o"],
) -> Float32[np.ndarray, "b o"]:
    """The product of each row of `weight` with the row of x that is its own."""
    found = np.empty(places.shape, f32)
    _products_at(x, weight, places, found)
    return found


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _products_at(x, weight, places, found):
    outputs, depth = weight.shape
    rows, columns, flat = x.reshape(-1), weight.reshape(-1), found.reshape(-1)
    whole = depth // COUNT * COUNT
    for b in prange(len(x)):
        for o in range(outputs):
            at, there = (b * x.shape[1] + places[b, o]) * depth, o * depth
            left = depth - whole
            total = load_part(rows, at + whole, left) * load_part(columns, there + whole, left)
            for i in range(0, whole, COUNT):
                total = total + load(rows, at + i) * load(columns, there + i)
            store_sums(flat, b * outputs + o, (total,))


def add_slopes(
    x: Float32[np.ndarray, "b n i"],
    weight: Float32[np.ndarray, "o i"],
    places: Int64[np.ndarray, "b o"],
    slope: Float32[np.ndarray, "b o"],
    d_x: Float32[np.ndarray, "b n i"],
    d_weight: Float32[np.ndarray, "o i"],
) -> None:
    """Add to `d_x` and `d_weight` what the gradient `slope` of maxima at `places` is to them."""
    _to_rows(weight, places, slope, d_x)
    _to_weights(x, places, slope, d_weight)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _to_rows(weight, places, slope, d_x):
    outputs, depth = weight.shape
    for b in prange(len(d_x)):
        for o in range(outputs):
            row, g = places[b, o], slope[b, o]
            for i in range(depth):
                d_x[b, row, i] += g * weight[o, i]


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _to_weights(x, places, slope, d_weight):
    outputs, depth = d_weight.shape
    for o in prange(outputs):
        for b in range(len(x)):
            row, g = places[b, o], slope[b, o]
            for i in range(depth):
                d_weight[o, i] += g * x[b, row, i]
