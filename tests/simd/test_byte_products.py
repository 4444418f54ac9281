"""Sums of products of bytes: compiled by the processor's own instruction, by products of sixteen
bits, and not at all, they are the same whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from simd import lane_memory
from simd.byte_products import (
    QUAD,
    by_pairs,
    larger,
    no_sums,
    store_counts,
    sums_from,
    sums_to,
    with_products,
)

QUADS = 9
WIDE = 16 * QUAD


def loop(products):
    def largest(counts, weights, best):
        found = no_sums()
        for quad in range(QUADS):
            found = products(found, counts, 1 + QUAD * quad, weights, 3 + WIDE * quad)
        sums_to(best, 2, larger(sums_from(best, 2), found))

    return largest


def rounded(numbers, counts):
    store_counts(counts, 1, lane_memory.load(numbers, 1))


WAYS = {
    "of this processor": njit(loop(with_products)),
    "of all processors": njit(loop(by_pairs)),
    "none": loop(with_products),
}


@pytest.mark.parametrize("instruction", WAYS)
def test_sums_are_exact_and_do_not_saturate(instruction: str) -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 256, 2 + QUAD * QUADS).astype(np.uint8)
    weights = rng.integers(-128, 128, 3 + WIDE * QUADS).astype(np.int8)
    # the largest of all products, side by side: two of them are beyond sixteen bits
    counts[1:9], weights[3 : 3 + WIDE], weights[3 + WIDE : 3 + WIDE + 32] = 255, -128, 127
    best = rng.integers(-(10**5), 10**5, 20).astype(np.int32)
    columns = weights[3:].astype(np.int64).reshape(QUADS, 16, QUAD)
    expected = best.copy()
    made = np.einsum("qck,qk->c", columns, counts[1:-1].astype(np.int64).reshape(QUADS, QUAD))
    expected[2:18] = np.maximum(best[2:18], made)
    WAYS[instruction](counts, weights, best)
    np.testing.assert_array_equal(best, expected)


@pytest.mark.parametrize("compile_", [njit, lambda plain: plain])
def test_counts_are_rounded(compile_) -> None:
    numbers = np.array([9, *np.linspace(0, 255, 16)], np.float32)
    numbers[2:5] = 0.49, 0.51, 254.6
    counts = np.full(19, 7, np.uint8)
    compile_(rounded)(numbers, counts)
    np.testing.assert_array_equal(counts[1:17], np.floor(numbers[1:] + 0.5))
    assert counts[0] == 7 and (counts[17:] == 7).all()


@pytest.mark.parametrize("compile_", [njit, lambda plain: plain])
def test_bytes_are_read_as_numbers(compile_) -> None:
    def read(array, out):
        lane_memory.store(out, 0, lane_memory.load(array, 1))

    array, out = np.arange(-9, 9).astype(np.int8), np.zeros(16, np.float32)
    compile_(read)(array, out)
    np.testing.assert_array_equal(out, array[1:17])
