"""The compiled polynomials against numpy: value and slope, in q, in its roots, in two pieces."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numpy.polynomial import Polynomial

from simd.lane_memory import load, store
from splatting.cpu.falloff import coefficients, paint, paint_and_slope

STRIDE = 3


@njit
def evaluate(program, q, opacity):
    value, slope, alone = np.empty_like(q), np.empty_like(q), np.empty_like(q)
    table = coefficients(program)
    # as a batch of splats has them: a column of each coefficient, times the opacity
    columns = np.full(2 * STRIDE * table.shape[1], np.float32(np.nan))
    slopes = STRIDE * table.shape[1] + 1
    for k in range(table.shape[1]):
        columns[1 + STRIDE * k] = opacity * table[0, k]
        columns[slopes + STRIDE * k] = opacity * table[1, k]
    for i in range(0, len(q), 16):
        at = load(q, i)
        store(alone, i, paint(program, columns, 1, STRIDE, at))
        v, g = paint_and_slope(program, columns, 1, slopes, STRIDE, at)
        store(value, i, v)
        store(slope, i, g)
    return alone, value, slope


@pytest.mark.parametrize("degree", [1, 2, 4, 8])
@pytest.mark.parametrize("in_d", [False, True])
def test_value_and_slope_match_numpy(degree: int, in_d: bool) -> None:
    rng = np.random.default_rng(degree)
    coefficients = rng.normal(size=degree + 1)
    program = tuple(np.float32(c) for c in coefficients) + ((np.int8(0),) if in_d else ())
    q = np.linspace(0.01, 1.5, 48).astype(np.float32)
    alone, value, slope = evaluate(program, q, np.float32(0.75))
    polynomial = Polynomial([float(np.float32(c)) for c in coefficients])
    v = np.sqrt(q.astype(np.float64)) if in_d else q.astype(np.float64)
    chain = 0.5 / v if in_d else 1.0
    np.testing.assert_allclose(value, 0.75 * polynomial(v), rtol=2e-5, atol=1e-5)
    np.testing.assert_array_equal(alone, value)
    np.testing.assert_allclose(slope, 0.75 * polynomial.deriv()(v) * chain, rtol=1e-4, atol=1e-4)


def test_a_tip_in_d_is_finite_at_the_centre() -> None:
    """A cone has no slope at d = 0; the compiled one must still be a number."""
    program = (np.float32(1), np.float32(-1), np.int8(0))
    _, value, slope = evaluate(program, np.zeros(16, np.float32), np.float32(1))
    assert value[0] == pytest.approx(1, abs=1e-5)
    assert np.isfinite(slope[0])


def test_the_second_piece_begins_at_the_knot() -> None:
    near, far, knot = [0.9, -0.3, 0.1], [0.7, -0.5, 0.2], 0.8
    program = (*(np.float32(c) for c in (*near, *far, knot)), np.int32(0))
    q = np.linspace(0, 1.6, 32).astype(np.float32)
    _, value, slope = evaluate(program, q, np.float32(1))
    pieces = [Polynomial(near)(q), Polynomial(far)(q - knot)]
    slopes = [Polynomial(near).deriv()(q), Polynomial(far).deriv()(q - knot)]
    np.testing.assert_allclose(value, np.where(q <= np.float32(knot), *pieces), rtol=1e-5)
    np.testing.assert_allclose(slope, np.where(q <= np.float32(knot), *slopes), rtol=1e-5)
