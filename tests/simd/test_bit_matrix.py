"""A square of bits and its transpose."""

from __future__ import annotations

import numpy as np

from simd.bit_matrix import SIDE, transpose


def bits_of(words: np.ndarray) -> np.ndarray:
    return (words[:, None] >> np.arange(SIDE, dtype=np.uint64)) & np.uint64(1)


def test_rows_become_columns():
    words = np.random.default_rng(0).integers(0, 2**64, SIDE, dtype=np.uint64)
    turned = words.copy()
    transpose(turned)
    np.testing.assert_array_equal(bits_of(turned), bits_of(words).T)


def test_twice_is_nothing():
    words = np.random.default_rng(1).integers(0, 2**64, SIDE, dtype=np.uint64)
    turned = words.copy()
    transpose(turned)
    transpose(turned)
    np.testing.assert_array_equal(turned, words)


def test_one_bit():
    words = np.zeros(SIDE, np.uint64)
    words[63] = np.uint64(1) << np.uint64(2)
    transpose(words)
    assert words[2] == np.uint64(1) << np.uint64(63) and np.count_nonzero(words) == 1
