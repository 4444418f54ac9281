"""The compiled polynomials: value and slope against numpy, in q and in d, for several degrees."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numpy.polynomial import Polynomial

from splatting.cpu.falloff import falloff, falloff_and_slope


@njit
def evaluate(program, q):
    value = np.empty_like(q)
    slope = np.empty_like(q)
    alone = np.empty_like(q)
    for i in range(len(q)):
        alone[i] = falloff(program, q[i])
        value[i], slope[i] = falloff_and_slope(program, q[i])
    return alone, value, slope


@pytest.mark.parametrize("degree", [1, 2, 4, 8])
@pytest.mark.parametrize("in_d", [False, True])
def test_value_and_slope_match_numpy(degree: int, in_d: bool) -> None:
    rng = np.random.default_rng(degree)
    coefficients = rng.normal(size=degree + 1)
    program = tuple(np.float32(c) for c in coefficients) + ((np.int8(0),) if in_d else ())
    q = np.linspace(0.01, 1.5, 50).astype(np.float32)
    alone, value, slope = evaluate(program, q)
    polynomial = Polynomial([float(np.float32(c)) for c in coefficients])
    v = np.sqrt(q.astype(np.float64)) if in_d else q.astype(np.float64)
    chain = 0.5 / v if in_d else 1.0
    np.testing.assert_allclose(value, polynomial(v), rtol=2e-5, atol=1e-5)
    np.testing.assert_array_equal(alone, value)
    np.testing.assert_allclose(slope, polynomial.deriv()(v) * chain, rtol=1e-4, atol=1e-4)


def test_a_tip_in_d_is_finite_at_the_centre() -> None:
    """A cone has no slope at d = 0; the compiled one must still be a number."""
    program = (np.float32(1), np.float32(-1), np.int8(0))
    _, value, slope = evaluate(program, np.zeros(1, np.float32))
    assert value[0] == pytest.approx(1, abs=1e-5)
    assert np.isfinite(slope[0])
