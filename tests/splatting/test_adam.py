"""Adam against its own formula, on the drawn rows alone."""

from __future__ import annotations

import numpy as np

from splatting.cpu.adam import BETA1, BETA2, EPSILON, adam, bias


def test_two_steps_follow_the_formula_and_other_rows_rest() -> None:
    rng = np.random.default_rng(0)
    wide, narrow = rng.normal(size=(50, 7)).astype(np.float32), np.ones((50, 1), np.float32)
    start = wide.copy()
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in (wide, narrow)]
    visible = np.arange(0, 50, 3, dtype=np.int32)
    rates = np.array([0.01, 0.1], np.float32)
    m = v = 0.0
    expected = start[visible].astype(np.float64)
    for step in (1, 2):
        gradient = rng.normal(size=(len(visible), 7)).astype(np.float32)
        adam(
            (wide, narrow),
            tuple(first for first, _ in moments),
            tuple(second for _, second in moments),
            (gradient, np.zeros((len(visible), 1), np.float32)),
            visible,
            rates,
            *bias(step),
        )
        m = BETA1 * m + (1 - BETA1) * gradient.astype(np.float64)
        v = BETA2 * v + (1 - BETA2) * gradient.astype(np.float64) ** 2
        m_hat, v_hat = m / (1 - BETA1**step), v / (1 - BETA2**step)
        expected -= 0.01 * m_hat / (np.sqrt(v_hat) + EPSILON)
    np.testing.assert_allclose(wide[visible], expected, atol=1e-6)
    rest = np.setdiff1d(np.arange(50), visible)
    np.testing.assert_array_equal(wide[rest], start[rest])
    np.testing.assert_array_equal(narrow, 1.0)


def test_a_gradient_that_is_no_number_moves_nothing() -> None:
    p, m, v = (np.zeros((2, 3), np.float32) for _ in range(3))
    gradient = np.array([[1, np.nan, 1], [1, 1, 1]], np.float32)
    visible = np.arange(2, dtype=np.int32)
    adam((p,), (m,), (v,), (gradient,), visible, np.ones(1, np.float32), *bias(1))
    for array in (p, m, v):
        assert array[0, 1] == 0
    np.testing.assert_allclose(np.delete(p, 1), -1, rtol=1e-5)


def test_rows_of_any_width_and_any_gaps_move_alike() -> None:
    """Runs of neighbours move together."""
    rng = np.random.default_rng(1)
    n = 3000
    visible = np.flatnonzero(rng.random(n) < 0.7).astype(np.int32)
    for width in (1, 3, 4, 45):
        start = rng.normal(size=(n, width)).astype(np.float32)
        gradient = rng.normal(size=(len(visible), width)).astype(np.float32)
        p, m, v = start.copy(), np.zeros_like(start), np.zeros_like(start)
        adam((p,), (m,), (v,), (gradient,), visible, np.full(1, 0.1, np.float32), *bias(1))
        expected = start.copy()
        expected[visible] -= 0.1 * np.sign(gradient)
        np.testing.assert_allclose(p, expected, atol=1e-5)
        np.testing.assert_allclose(m[visible], 0.1 * gradient, rtol=1e-4)
