from __future__ import annotations

import pytest
import torch

from backbones.conditioning import condition, polar_factor, spectral_norm
from backbones.spectra import kappa


def with_kappa(n: int, d: int, condition_number: float, dtype=torch.float64) -> torch.Tensor:
    torch.manual_seed(0)
    k = min(n, d)
    u, v = (torch.linalg.qr(torch.randn(size, k, dtype=torch.float64))[0] for size in (n, d))
    return (3.0 * (u * torch.logspace(0, -torch.tensor(condition_number).log10(), k)) @ v.T).to(
        dtype
    )


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(64, 24), (24, 64), (32, 32)])
@pytest.mark.parametrize("before", [10.0, 4.3e3])
def test_kappa_is_one_plus_t_over_t_plus_one_over_kappa(strength, shape, before) -> None:
    x = with_kappa(*shape, before, torch.float32)[None]
    expected = (1 + strength) / (strength + 1 / before)
    assert float(kappa(condition(x, strength))) == pytest.approx(expected, rel=0.01)


def test_the_polar_factor_is_that_of_the_svd() -> None:
    x = with_kappa(40, 24, 1e4)
    u, _, vh = torch.linalg.svd(x, full_matrices=False)
    assert torch.allclose(polar_factor(x), u @ vh, atol=1e-5)
    assert float(spectral_norm(x)) == pytest.approx(3.0, rel=1e-3)


@pytest.mark.parametrize("d", [5, 24])
def test_the_norm_of_noise_is_right_to_a_thousandth(d: int) -> None:
    torch.manual_seed(1)
    x = torch.randn(6, 30, d)
    exact = torch.linalg.matrix_norm(x, 2)
    assert torch.allclose(spectral_norm(x), exact, rtol=2e-3)


def test_tokens_are_a_set_and_padding_stays_zero() -> None:
    torch.manual_seed(2)
    x, order = torch.randn(2, 16, 24, dtype=torch.float64), torch.randperm(16)
    assert torch.allclose(condition(x, 0.3)[:, order], condition(x[:, order], 0.3), atol=1e-12)
    padded = torch.cat([x, torch.zeros(2, 5, 24)], 1)
    assert torch.allclose(condition(padded, 0.3)[:, :16], condition(x, 0.3), atol=1e-12)
    assert (condition(padded, 0.3)[:, 16:] == 0).all()


@pytest.mark.parametrize("x", [torch.zeros(1, 4, 6), torch.ones(1, 4, 6), torch.eye(4, 6)[None]])
def test_low_rank_tokens_have_finite_values_and_plain_gradients(x: torch.Tensor) -> None:
    x = x.clone().requires_grad_()
    condition(x, 0.5).sum().backward()
    assert torch.isfinite(condition(x, 0.5)).all() and (x.grad == 1).all()
