from __future__ import annotations

import numpy as np
import pytest
import torch

from backbones import shrinkage
from backbones.activations import ACTIVATIONS, Activation

X = np.linspace(-1, 1, 64)
KNOTS = np.linspace(-1.1, 1.1, 256)


def spectrum(name: str, scale: float = 0.05) -> np.ndarray:
    basis = shrinkage.spline_basis(X, KNOTS, name, scale)
    return np.linalg.svd(basis, compute_uv=False)


@pytest.mark.parametrize("name", [*ACTIVATIONS, "step", "sigmoid"])
def test_gradient_descent_is_the_mask(name: str) -> None:
    rng = np.random.default_rng(0)
    basis, y = shrinkage.spline_basis(X, KNOTS, name, 0.1), rng.standard_normal(64)
    u, s, _ = np.linalg.svd(basis, full_matrices=False)
    rate, w = 0.9 / s[0] ** 2, np.zeros(256)
    for _ in range(200):
        w -= rate * basis.T @ (basis @ w - y)
    expected = u @ (shrinkage.mask(s, rate, 200) * (u.T @ y))
    assert np.abs(basis @ w - expected).max() < 1e-8


def test_activations_by_hand() -> None:
    x = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    assert Activation("gaussian", 2.0)(x).tolist() == pytest.approx(
        [1, np.exp(-1 / 8), np.exp(-0.5)]
    )
    assert Activation("sinc", 2.0)(x).tolist() == pytest.approx([1, 2 / np.pi, 0], abs=1e-12)
    assert Activation("relu", 2.0)(x).tolist() == [0, 0.5, 1]
    assert Activation("tanh", 0.5)(x)[1] == pytest.approx(np.tanh(2.0))
    assert "sinc, scale=2.0" in repr(Activation("sinc", 2.0))


@pytest.mark.parametrize(("name", "low", "high"), [("step", 0.45, 0.55), ("relu", 0.2, 0.3)])
def test_rising_activations_learn_a_band_that_grows_with_training(name, low, high) -> None:
    s = spectrum(name)
    steps = np.array([10, 40, 160, 640, 2560, 10240])
    active = [shrinkage.bandwidth(s, 1 / s[0] ** 2, q) for q in steps]
    slope = np.polyfit(np.log(steps[1:]), np.log(active[1:]), 1)[0]
    assert low <= slope <= high, active


def test_the_width_of_a_sinc_is_its_band() -> None:
    wide, narrow = spectrum("sinc", 0.25), spectrum("sinc", 0.06)
    for s in (wide, narrow):
        active = [shrinkage.bandwidth(s, 1 / s[0] ** 2, q) for q in (40, 160, 640, 2560)]
        assert np.polyfit(np.log([40, 160, 640, 2560]), np.log(active), 1)[0] < 0.05
    rate = 1 / narrow[0] ** 2
    assert shrinkage.bandwidth(narrow, rate, 100) > 2 * shrinkage.bandwidth(
        wide, 1 / wide[0] ** 2, 100
    )


def test_steps_and_bandwidth_are_each_others_inverse() -> None:
    s = spectrum("step")
    rate = 1 / s[0] ** 2
    for components in (2, 5, 17):
        steps = shrinkage.steps_for(s, components, rate)
        assert shrinkage.bandwidth(s, rate, steps) >= components
        assert shrinkage.bandwidth(s, rate, max(1, steps - 2)) <= components
        small = np.log(2) / (rate * np.sort(s)[::-1][components - 1] ** 2)
        assert steps == pytest.approx(small, rel=0.05, abs=1.5)
    assert shrinkage.cutoff(rate, 100) == pytest.approx(np.sqrt(np.log(2) / (rate * 100)), rel=0.01)
    assert shrinkage.growth_exponent(1.0) == 0.5 and shrinkage.growth_exponent(2.0) == 0.25
    with pytest.raises(ValueError, match="rank"):
        shrinkage.steps_for(np.array([1.0, 0.0]), 2, 0.5)
