from __future__ import annotations

import pytest
import torch

from backbones.graying import gray, gray_dct, gray_svd
from backbones.ordering import morton_order
from backbones.spectra import kappa


def tokens(n: int = 20, d: int = 12, dtype=torch.float64) -> torch.Tensor:
    """Neighbouring tokens are alike, as along a curve."""
    torch.manual_seed(0)
    walk = torch.randn(3, n, d, dtype=torch.float64).cumsum(1)
    return (walk + 0.05 * torch.randn(3, n, d)).to(dtype)


@pytest.mark.parametrize("power", [0.9, 0.7, 0.5])
@pytest.mark.parametrize("shape", [(20, 12), (12, 20)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_svd_multiplies_log_kappa_by_the_power(power, shape, dtype) -> None:
    x = tokens(*shape, dtype)
    ratio = kappa(gray_svd(x, power)).log() / kappa(x).log()
    assert ratio.tolist() == pytest.approx([power] * 3, abs=1e-3)


def test_svd_turns_nothing() -> None:
    x = tokens()
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    expected = (u * (s / s[:, :1])[:, None] ** 0.7) @ vh
    expected *= x.norm(dim=(1, 2), keepdim=True) / expected.norm(dim=(1, 2), keepdim=True)
    assert torch.allclose(gray_svd(x, 0.7), expected, atol=1e-8)


def test_dct_is_its_formula_and_lowers_kappa_step_by_step() -> None:
    from scipy.fft import dctn, idctn

    x = tokens()
    waves = dctn(x[0].numpy(), norm="ortho")
    relative = abs(waves) / abs(waves).max()
    expected = torch.from_numpy(idctn(waves / abs(waves) * relative**0.7, norm="ortho"))
    expected *= x[0].norm() / expected.norm()
    assert torch.allclose(gray_dct(x, 0.7)[0], expected, atol=1e-8)
    found = [float(kappa(gray_dct(x, power)).median()) for power in (1.0, 0.95, 0.9, 0.7, 0.5)]
    assert found == sorted(found, reverse=True) and found[0] > 3 * found[-1]


def test_a_power_of_one_changes_nothing() -> None:
    x = tokens()
    assert torch.allclose(gray_svd(x, 1.0), x) and torch.allclose(gray_dct(x, 1.0), x)


def test_svd_treats_tokens_as_a_set_and_dct_does_not() -> None:
    x, order = tokens(), torch.randperm(20)
    assert torch.allclose(gray_svd(x, 0.7)[:, order], gray_svd(x[:, order], 0.7), atol=1e-9)
    assert not torch.allclose(gray_dct(x, 0.7)[:, order], gray_dct(x[:, order], 0.7), atol=0.1)


@pytest.mark.parametrize("kind", ["svd", "dct"])
def test_padding_has_no_say(kind: str) -> None:
    x = tokens()
    mask = torch.arange(25) < torch.tensor([[20], [13], [0]])
    padded = torch.cat([x, torch.zeros(3, 5, 12)], 1).masked_fill(~mask[..., None], 0.0)
    found = gray(padded, kind, 0.7, mask)
    assert torch.allclose(found[0, :20], gray(x[:1], kind, 0.7)[0], atol=1e-9)
    assert torch.allclose(found[1, :13], gray(x[1:2, :13], kind, 0.7)[0], atol=1e-9)
    assert (found[~mask] == 0).all() and torch.isfinite(found).all()


@pytest.mark.parametrize("kind", ["svd", "dct"])
@pytest.mark.parametrize("x", [torch.zeros(1, 5, 4), torch.ones(1, 5, 4), torch.eye(5, 4)[None]])
def test_low_rank_tokens_have_finite_gradients(kind: str, x: torch.Tensor) -> None:
    x = x.clone().requires_grad_()
    out = gray(x, kind, 0.7)
    out.square().sum().backward()
    assert torch.isfinite(out).all() and torch.isfinite(x.grad).all()


def test_the_multipliers_are_constants() -> None:
    """So the gradient is that of a linear map: the map's own transpose."""
    x = tokens()[:, :6, :4].requires_grad_()
    _, s, vh = torch.linalg.svd(x.detach(), full_matrices=False)
    weight = torch.randn_like(x)
    (gray_svd(x, 0.7) * weight).sum().backward()
    turn = (vh.transpose(-1, -2) * ((s / s[:, :1]) ** 0.7 / s)[:, None]) @ vh
    size = x.detach().norm(dim=(1, 2), keepdim=True) / (x.detach() @ turn).norm(
        dim=(1, 2), keepdim=True
    )
    assert torch.allclose(x.grad, size * weight @ turn, atol=1e-8)


def test_morton_order_keeps_neighbours_near() -> None:
    torch.manual_seed(3)
    xyz = torch.rand(2, 512, 3)
    order = morton_order(xyz)
    assert all(sorted(one.tolist()) == list(range(512)) for one in order)
    ordered = xyz.gather(1, order[..., None].expand(-1, -1, 3))
    hop = (ordered[:, 1:] - ordered[:, :-1]).norm(dim=-1).mean()
    assert hop < 0.4 * (xyz[:, 1:] - xyz[:, :-1]).norm(dim=-1).mean()
    corners = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert morton_order(corners).tolist() == [1, 2, 3, 4, 0]
