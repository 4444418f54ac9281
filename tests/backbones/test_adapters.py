"""Adapters: nothing at first, the papers' formulas after, and the base untouched throughout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from backbones.adapters import (
    AdapterConfig,
    adapters_of,
    attach,
    detach,
    low_rank_parts,
    merge,
    unmerge,
)
from backbones.bounded_adapters import largest_norm
from backbones.lora import row_norms
from backbones.sine_lora import SineLoRA

KINDS = ("lora", "dora", "sine-lora", "sine-dora", "tanh-lora")
TARGETS = ("linear", "conv", "attention")


class Mixed(nn.Module):
    """One of each layer that can carry an adapter."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 12)
        self.conv = nn.Conv1d(12, 6, 3, padding=1)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.conv(self.linear(x).transpose(1, 2)).transpose(1, 2)
        return self.attention(tokens, tokens, tokens)[0]


def mixed(kind: str, rank: int = 2, **options: float) -> tuple[Mixed, torch.Tensor]:
    torch.manual_seed(0)
    model, x = Mixed(), torch.randn(3, 5, 8)
    attach(model, AdapterConfig(kind, rank, targets=TARGETS, **options), generator())
    return model, x


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def shake(model: nn.Module, by: float = 0.1) -> None:
    """Give every adapter something to say."""
    with torch.no_grad():
        for adapter in adapters_of(model).values():
            for value in adapter.parameters():
                value.add_(by * torch.randn(value.shape, generator=generator()).to(value))


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_step_begins_at_the_base_bit_for_bit(kind: str) -> None:
    torch.manual_seed(0)
    plain = Mixed()
    model, x = mixed(kind)
    assert list(adapters_of(model)) == [
        "linear.weight",
        "conv.weight",
        "attention.in_proj_weight",
    ]
    assert all(not part.delta().any() for part in low_rank_parts(adapters_of(model)).values())
    for name in ("linear", "conv"):
        assert torch.equal(getattr(model, name).weight, getattr(plain, name).weight)
    assert torch.equal(model(x), plain(x))


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_adapters_are_trained(kind: str) -> None:
    model, x = mixed(kind)
    shake(model)
    model(x).square().sum().backward()
    mine = {id(p) for adapter in adapters_of(model).values() for p in adapter.parameters()}
    for parameter in model.parameters():
        trained = parameter.grad is not None and bool(parameter.grad.any())
        assert trained == (id(parameter) in mine)


@pytest.mark.parametrize("kind", KINDS)
def test_merging_keeps_the_answer_and_unmerging_the_base(kind: str) -> None:
    model, x = (part.double() for part in mixed(kind))
    shake(model)
    base = {
        name: getattr(model, name).parametrizations.weight.original.clone()
        for name in ("linear", "conv")
    }
    answer, weight = model(x), model.linear.weight
    merged = merge(model)
    assert torch.equal(model.linear.weight, weight)
    assert not adapters_of(model)
    torch.testing.assert_close(model(x), answer)
    assert not torch.equal(model.linear.weight, base["linear"])
    unmerge(model, merged)
    assert torch.equal(model(x), answer)
    detach(model)
    for name, weight in base.items():
        assert torch.equal(getattr(model, name).weight, weight)


def test_delta_of_the_sine_is_the_papers() -> None:
    layer = nn.Conv1d(4, 6, 3)
    adapter = SineLoRA(layer.weight.detach(), 2, 8.0, 30.0, generator())
    with torch.no_grad():
        adapter.b.copy_(torch.randn(6, 2, generator=generator()))
    b, a = adapter.b.detach().double().numpy(), adapter.a.detach().double().numpy()
    by_hand = 8.0 / 2 * np.sin(30.0 * b @ a) / np.sqrt(12)  # in: 4 channels times 3 taps
    np.testing.assert_allclose(adapter.delta().detach().numpy(), by_hand, atol=2e-5)
    changed = adapter(layer.weight) - layer.weight
    np.testing.assert_allclose(changed.detach().numpy(), by_hand.reshape(6, 4, 3), atol=2e-5)


def test_dora_learns_row_lengths_apart_from_directions() -> None:
    model, _ = mixed("dora")
    shake(model)
    adapter = adapters_of(model)["linear.weight"]
    torch.testing.assert_close(row_norms(model.linear.weight), adapter.magnitude.abs())
    base = model.linear.parametrizations.weight.original
    direction = base + adapter.low_rank.delta()
    given = torch.randn(12, 8, generator=generator())
    (model.linear.weight * given).sum().backward()
    # ||V|| is a constant: dL/dV = m / ||V|| G, without the part along V taken out
    by_v = given * (adapter.magnitude / row_norms(direction))[:, None]
    expected = adapter.low_rank.scale * adapter.low_rank.b.T @ by_v
    torch.testing.assert_close(adapter.low_rank.a.grad, expected)


@pytest.mark.parametrize("kind", ["sine-lora", "tanh-lora"])
@pytest.mark.parametrize("omega", [1.0, 100.0])
def test_a_bounded_delta_stays_below_its_bound_whatever_the_ascent(kind, omega) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 40))
    attach(model, AdapterConfig(kind, 4, 8.0, omega, targets=("0",)), generator())
    adapter = adapters_of(model)["0.weight"]
    bound = 8.0 / 4 * 40**0.5
    assert largest_norm(adapter) == pytest.approx(bound)
    optimiser = torch.optim.Adam(adapter.parameters(), lr=0.1)
    x = torch.randn(64, 24)
    for _ in range(200):
        optimiser.zero_grad()
        (-model(x).square().mean()).backward()
        optimiser.step()
        assert adapter.delta().norm() <= bound * (1 + 1e-6)
    assert adapter.delta().norm() > 0.2 * bound
    with torch.no_grad():
        adapter.b.mul_(1e4)
        assert adapter.delta().norm() <= bound * (1 + 1e-6)


def test_the_sine_raises_the_rank_of_a_product_of_rank_one() -> None:
    ranks = []
    for omega in (1e-3, 100.0, 200.0, 2000.0):
        adapter = SineLoRA(torch.zeros(128, 128), 1, 1.0, omega, generator())
        with torch.no_grad():
            adapter.b.normal_(generator=torch.Generator().manual_seed(2)).mul_(0.5)
        s = torch.linalg.svdvals(adapter.delta().detach().double())
        ranks.append(float(s.square().sum() / s[0] ** 2))
    assert ranks[0] == pytest.approx(1.0, abs=1e-4)  # a small angle is its own sine
    assert ranks == sorted(ranks) and ranks[1] > 1.3 and ranks[3] > 8, ranks


def test_what_cannot_carry_an_adapter_is_refused() -> None:
    model, _ = mixed("lora")
    with pytest.raises(ValueError, match="linear: expected a plain weight"):
        attach(model, AdapterConfig(targets=("linear",)))
    with pytest.raises(ValueError, match="targets: expected some of"):
        attach(Mixed(), AdapterConfig(targets=("q_proj",)))
    with pytest.raises(ValueError, match="rank: expected 1 to 8, got 9"):
        attach(Mixed(), AdapterConfig(rank=9, targets=("linear",)))
    with pytest.raises(ValueError, match="kind: expected one of"):
        AdapterConfig("cosine")
