"""Quantisation: as good as the best there is for bell curves, exactly as large as it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from backbones.adapters import AdapterConfig, attach, low_rank_parts
from backbones.quantised_adapters import (
    BITS,
    centroids,
    pack,
    quantise,
    quantise_adapters,
    stable_rank_bounds,
    stored_bytes,
    unpack,
)

LLOYD_MAX = {1: 0.6028, 2: 0.3427, 3: 0.1859, 4: 0.0975, 5: 0.0500}
"""Relative error of the best scalar quantiser of a Gaussian (Max 1960, square roots of table 1)."""


def gaussian(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def error(values: np.ndarray, bits: int, method: str = "kmeans") -> float:
    found = quantise(values, bits, method).values()
    return float(np.linalg.norm(found - values) / np.linalg.norm(values))


@pytest.mark.parametrize("bits", LLOYD_MAX)
def test_the_error_of_kmeans_is_that_of_lloyd_and_max(bits: int) -> None:
    values = gaussian(40_000)
    assert error(values, bits) == pytest.approx(LLOYD_MAX[bits], rel=0.02)
    assert error(values, bits, "uniform") > 1.4 * error(values, bits)


def test_every_further_bit_helps_to_the_last() -> None:
    errors = [error(gaussian(256, 16), bits) for bits in BITS]
    assert all(after < 0.62 * before for before, after in itertools.pairwise(errors))


def test_centroids_are_means_of_what_is_nearest_to_them() -> None:
    values = gaussian(999)
    levels = centroids(values, 16)
    nearest = np.abs(values[:, None] - levels).argmin(1)
    means = [values[nearest == level].mean() for level in range(16)]
    np.testing.assert_allclose(levels, means, atol=1e-12)


@pytest.mark.parametrize("bits", BITS)
def test_codes_come_back_from_their_bits(bits: int) -> None:
    codes = np.random.default_rng(bits).integers(1 << bits, size=101)
    packed = pack(codes, bits)
    assert len(packed) == -(-101 * bits // 8)
    np.testing.assert_array_equal(unpack(packed, bits, 101), codes)


def test_codes_of_three_bits_by_hand() -> None:
    assert pack(np.array([5, 1, 7]), 3).tolist() == [0b10100111, 0b10000000]


@pytest.mark.parametrize("method", ["kmeans", "uniform"])
@pytest.mark.parametrize("bits", BITS)
def test_size_is_what_was_said(bits: int, method: str) -> None:
    found = quantise(gaussian(7, 31), bits, method)
    assert found.nbytes == stored_bytes(7 * 31, bits, method)
    assert found.values().shape == (7, 31)


@pytest.mark.parametrize("method", ["kmeans", "uniform"])
def test_few_values_are_kept_exactly_and_scale_does_not_matter(method: str) -> None:
    for values in (np.zeros(9), np.ones(3), np.array([-2.0, 2.0, 2.0])):
        np.testing.assert_allclose(quantise(values, 2, method).values(), values, rtol=1e-3)
    assert quantise(np.zeros((0, 4)), 3, method).values().shape == (0, 4)
    small = gaussian(50)
    scaled = quantise(1e-9 * small, 4, method).values() * 1e9
    np.testing.assert_allclose(scaled, quantise(small, 4, method).values(), rtol=1e-5)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_stable_rank_lies_between_its_bounds(bits: int) -> None:
    def stable_rank(matrix: np.ndarray) -> float:
        return float((np.linalg.norm(matrix) / np.linalg.norm(matrix, 2)) ** 2)

    for seed in range(4):
        b, a = gaussian(128, 4, seed=seed), gaussian(4, 96, seed=seed + 9)
        stored = [np.float64(quantise(factor, bits).values()) for factor in (b, a)]
        for exact, found in zip((b, a, b @ a), (*stored, stored[0] @ stored[1]), strict=True):
            low, high = stable_rank_bounds(exact, found)
            assert low <= stable_rank(found) <= high
        product, quantised = stable_rank(b @ a), stable_rank(stored[0] @ stored[1])
        assert quantised == pytest.approx(product, rel=0.35 if bits == 1 else 0.15)


def test_bounds_close_on_the_stable_rank_as_bits_are_added() -> None:
    matrix = gaussian(64, 4)
    spans = []
    for bits in (2, 4, 6, 8):
        low, high = stable_rank_bounds(matrix, quantise(matrix, bits).values())
        spans.append(high / low)
    assert spans == sorted(spans, reverse=True) and spans[-1] < 1.1


def test_what_is_stored_is_what_the_adapter_becomes() -> None:
    model = nn.Sequential(nn.Linear(32, 16))
    adapters = attach(model, AdapterConfig("sine-lora", 3, targets=("0",)))
    (part,) = low_rank_parts(adapters).values()
    with torch.no_grad():
        part.b.normal_()
    ((a, b),) = quantise_adapters(adapters, 3).values()
    np.testing.assert_array_equal(part.a.detach().numpy(), a.values())
    np.testing.assert_array_equal(part.b.detach().numpy(), b.values())
    assert len(np.unique(a.values())) <= 8


def test_what_cannot_be_quantised_is_refused() -> None:
    with pytest.raises(ValueError, match="bits: expected 1 to 8, got 9"):
        quantise(np.ones(3), 9)
    with pytest.raises(ValueError, match="finite"):
        quantise(np.array([1.0, np.nan]), 4)
    with pytest.raises(ValueError, match="method"):
        quantise(np.ones(3), 4, "median")
