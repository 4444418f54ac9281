"""Sums of products of bfloat16: compiled by the processor's own instruction, by products of
float32, and not at all, they are those of the numbers to the digits of float32."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from simd import lane_memory
from simd.half_products import PAIR, by_parts, with_half_products

PAIRS = 9
WIDE = 16 * PAIR


def loop(products):
    def total(numbers, weights, out):
        found = lane_memory.load(out, 2)
        for pair in range(PAIRS):
            found = products(found, numbers, 1 + PAIR * pair, weights, 3 + WIDE * pair)
        lane_memory.store(out, 2, found)

    return total


WAYS = {
    "of this processor": njit(loop(with_half_products)),
    "of all processors": njit(loop(by_parts)),
    "none": loop(with_half_products),
}


def bits_of(numbers: np.ndarray) -> np.ndarray:
    """Cut to bfloat16."""
    return (numbers.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def numbers_of(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


@pytest.mark.parametrize("instruction", WAYS)
def test_sums_are_those_of_the_numbers(instruction: str) -> None:
    rng = np.random.default_rng(0)
    # of either sign and of sizes far apart, as bfloat16 has them
    numbers = bits_of(rng.normal(size=2 + PAIR * PAIRS) * 2.0 ** rng.integers(-20, 20))
    weights = bits_of(rng.normal(size=3 + WIDE * PAIRS))
    out = rng.normal(size=20).astype(np.float32)
    columns = numbers_of(weights[3:]).reshape(PAIRS, 16, PAIR)
    made = columns * numbers_of(numbers[1:-1]).reshape(PAIRS, 1, PAIR)
    expected = out.astype(np.float64)
    expected[2:18] += made.sum((0, 2))
    size = np.abs(made).sum((0, 2)).max() + np.abs(out).max()
    WAYS[instruction](numbers, weights, out)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6 * size)
    assert (out[:2] == expected[:2]).all() and (out[18:] == expected[18:]).all()
