"""Layers of many rows against float64, across blocks of rows, pairs of columns and threads."""

from __future__ import annotations

import numpy as np
import pytest

from pointcloud.cpu.dense import Dense
from simd.threads import set_threads

f32 = np.float32


def layer(inputs: int, outputs: int, halves: bool) -> tuple[Dense, np.ndarray, np.ndarray]:
    """A layer, and the weights and bias that it has."""
    rng = np.random.default_rng(inputs)
    weight = rng.normal(size=(inputs, outputs)).astype(np.float16 if halves else f32).astype(f32)
    bias = rng.normal(size=outputs).astype(f32)
    return Dense.of(weight, bias, halves=halves), weight, bias


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("outputs", [8, 16, 40, 64, 80])
@pytest.mark.parametrize("inputs", [1, 24, 384])
@pytest.mark.parametrize("rows", [1, 5, 6, 13, 384, 401])
def test_it_is_the_product_in_double_precision(rows, inputs, outputs, halves) -> None:
    made, weight, bias = layer(inputs, outputs, halves)
    x = np.random.default_rng(rows).normal(size=(rows, inputs)).astype(f32)
    exact = x.astype(np.float64) @ weight + bias
    np.testing.assert_allclose(made(x), exact, atol=2e-6 * inputs, rtol=1e-5)
    np.testing.assert_allclose(made(x, relu=True), np.maximum(exact, 0), atol=2e-6 * inputs)


def test_rows_do_not_depend_on_each_other_or_on_threads() -> None:
    made, _, _ = layer(100, 48, halves=False)
    x = np.random.default_rng(0).normal(size=(401, 100)).astype(f32)
    whole = made(x)
    set_threads(1)
    np.testing.assert_array_equal(made(x), whole)
    np.testing.assert_array_equal(made(x[390:]), whole[390:])
    set_threads(None)


def test_weights_begin_with_a_cache_line() -> None:
    for halves in (False, True):
        made, _, _ = layer(24, 32, halves)
        assert made.weights.ctypes.data % 64 == 0
