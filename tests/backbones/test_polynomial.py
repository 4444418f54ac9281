from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from backbones import polynomial
from backbones.attention import Attention
from backbones.config import BackboneConfig
from backbones.polynomial import features, monomials, polynomial_attention


def tensors(tokens: int = 9, dim: int = 4, dtype=torch.float64) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 3, tokens, dim, dtype=dtype, requires_grad=True) for _ in range(3)]


def plain(q, k, v, power, keys=None, pairs=None):
    """The definition: every pair of tokens on its own."""
    out = torch.zeros_like(q)
    n = q.shape[2]
    count = torch.full((2,), n) if keys is None else keys.sum(1)
    for i in range(n):
        for j in range(n):
            score = (q[:, :, i] * k[:, :, j]).sum(-1) / q.shape[-1] ** 0.5
            weight = score**power / count[:, None] ** 0.5
            if keys is not None:
                weight = weight * keys[:, j, None]
            if pairs is not None:
                weight = weight * pairs[:, i, j, None]
            out[:, :, i] = out[:, :, i] + weight[..., None] * v[:, :, j]
    return out


@pytest.mark.parametrize("power", [2, 3])
@pytest.mark.parametrize("masked", ["none", "keys", "pairs", "both"])
@pytest.mark.parametrize("way", ["whole", "blocks", "features"])
def test_every_way_is_the_definition_in_value_and_gradient(power, masked, way, monkeypatch) -> None:
    monkeypatch.setattr(polynomial, "LARGEST_WHOLE", 0 if way == "blocks" else 4096)
    monkeypatch.setattr(polynomial, "QUERIES_A_BLOCK", 4)
    monkeypatch.setattr(polynomial, "TOKENS_A_FEATURE", 0.0 if way == "features" else 1e9)
    q, k, v = tensors()
    keys = (
        torch.arange(9).expand(2, 9) < torch.tensor([[9], [6]])
        if masked in ("keys", "both")
        else None
    )
    pairs = torch.rand(2, 9, 9) < 0.6 if masked in ("pairs", "both") else None
    found = polynomial_attention(q, k, v, power, 1.0, keys, pairs)
    expected = plain(q, k, v, power, keys, pairs)
    assert torch.allclose(found, expected, atol=1e-12)
    weight = torch.randn_like(found)
    gradients = torch.autograd.grad((found * weight).sum(), (q, k, v))
    for one, other in zip(
        gradients, torch.autograd.grad((expected * weight).sum(), (q, k, v)), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-11)


@pytest.mark.parametrize("power", [2, 3])
def test_monomials_multiply_to_the_power_of_the_product(power: int) -> None:
    x, y = torch.randn(2, 5, 7, dtype=torch.float64)
    product = (monomials(x, power) * monomials(y, power)).sum(-1)
    assert torch.allclose(product, (x * y).sum(-1) ** power, rtol=1e-12)
    assert monomials(x, power).shape[-1] == features(7, power)
    assert features(16, 2) == 136 and features(16, 3) == 816


class Largest(TorchDispatchMode):
    """The largest tensor that any operation returns."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        self.numbers = max([self.numbers, *sizes])
        return out


@pytest.mark.parametrize("power", [2, 3])
def test_beyond_4096_tokens_nothing_is_n_by_n(power: int) -> None:
    """Masked, forward and backward; heads wide enough that features do not pay."""
    n = 4100
    q, k, v = (torch.randn(1, 1, n, 128, requires_grad=True) for _ in range(3))
    keys = torch.arange(n)[None] < 4000
    with Largest() as largest:
        polynomial_attention(q, k, v, power, 1.0, keys).sum().backward()
    assert largest.numbers < n * n / 7
    assert torch.isfinite(q.grad).all() and (v.grad[:, :, 4000:] == 0).all()


def test_powers_are_taken_in_float32_under_autocast() -> None:
    q, k, v = (30 * x.detach().float() for x in tensors())
    with torch.autocast("cpu", torch.bfloat16):
        half = polynomial_attention(q.bfloat16(), k.bfloat16(), v.bfloat16(), 3)
    rounded = [x.bfloat16().float() for x in (q, k, v)]
    assert half.dtype == torch.bfloat16
    assert torch.equal(half, polynomial_attention(*rounded, 3).bfloat16())


def test_the_scale_is_fixed_learned_or_none() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(1, 25, 8)
    layers = {}
    for scale in ("fixed", "learned", "none"):
        torch.manual_seed(1)
        config = BackboneConfig(
            width=8, heads=2, head_dim=4, attention="poly2", attention_scale=scale
        )
        layers[scale] = Attention(config)
        layers[scale].out_proj.bias.data.zero_()
    fixed = layers["fixed"](tokens)
    assert torch.allclose(layers["learned"](tokens), fixed, atol=1e-6)
    assert torch.allclose(layers["none"](tokens), 5 * fixed, atol=1e-5)
    assert layers["learned"].scale.shape == (2, 1, 1)
    layers["learned"](tokens).sum().backward()
    assert layers["learned"].scale.grad.abs().min() > 0


def test_norms_grow_as_the_paper_says() -> None:
    """log ||A||_F over log N: x^3 1.0, with 1 / sqrt(N) 0.5, softmax below 0.5."""
    torch.manual_seed(0)
    sizes = torch.tensor([64, 128, 256, 512, 1024])
    norms = {"softmax": [], "x^3": [], "x^3 / sqrt(N)": []}
    for n in sizes.tolist():
        q, k = torch.randn(2, 4, n, 16, dtype=torch.float64)
        scores = q @ k.transpose(-1, -2) / 4
        norms["softmax"].append(scores.softmax(-1).norm(dim=(1, 2)).mean())
        norms["x^3"].append((scores**3).norm(dim=(1, 2)).mean())
        norms["x^3 / sqrt(N)"].append((scores**3 / n**0.5).norm(dim=(1, 2)).mean())
    steps = (sizes.double().log() - sizes.double().log().mean())[:, None]
    slope = {
        name: float(torch.linalg.lstsq(steps, torch.stack(found).log()[:, None]).solution)
        for name, found in norms.items()
    }
    assert slope["x^3"] == pytest.approx(1.0, abs=0.1)
    assert slope["x^3 / sqrt(N)"] == pytest.approx(0.5, abs=0.1)
    assert slope["softmax"] < 0.3
