"""Every option with every other: it works, or one line names both."""

from __future__ import annotations

from dataclasses import fields
from itertools import combinations

import pytest
import torch

from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from backbones.exclusions import EXCLUSIONS

N = 12
BASE = {"width": 24, "depth": 2, "heads": 4, "head_dim": 8, "tokens": N, "grid": (3, 4)}
PARENTS = (-1, 0, 1, 2, 2, 4, 5, 2, 7, 8, 0, 10)
OPTIONS = {
    "poly2": {"attention": "poly2"},
    "poly3": {"attention": "poly3"},
    "poly3 learned": {"attention": "poly3", "attention_scale": "learned"},
    "lean": {"lean": True},
    "line": {"impulse": "line"},
    "grid": {"impulse": "grid"},
    "skeleton": {"impulse": "skeleton", "parents": PARENTS},
    "conditioning": {"conditioning": 0.1},
    "svd": {"graying": "svd"},
    "dct": {"graying": "dct"},
    "skip of the MLP alone": {"skips": "mlp"},
    "no skips": {"skips": "none"},
    "conv": {"mixer": "conv"},
    "tokens": {"mixer": "tokens"},
    "frozen conv": {"mixer": "conv", "frozen": "spatial"},
    "smoothed conv": {"mixer": "conv", "frozen": "smoothed"},
    "frozen tokens": {"mixer": "tokens", "frozen": "spatial"},
    "frozen channels": {"mixer": "conv", "frozen": "channels"},
    "relu": {"activation": "relu"},
    "tanh": {"activation": "tanh"},
    "gaussian": {"activation": "gaussian", "activation_scale": 0.5},
    "sinc": {"activation": "sinc", "activation_scale": 2.0},
}
PAIRS = [
    (one, other)
    for one, other in combinations(OPTIONS, 2)
    if all(OPTIONS[other].get(k, v) == v for k, v in OPTIONS[one].items())
]


def excluded(options: dict) -> bool:
    """By the table alone, without the check that reads it."""
    values = {field.name: field.default for field in fields(BackboneConfig)} | options
    return any(
        values[pair.first] in pair.first_values and values[pair.second] in pair.second_values
        for pair in EXCLUSIONS
    )


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_options_compose_or_one_line_names_both(one: str, other: str) -> None:
    options = {**BASE, **OPTIONS[one], **OPTIONS[other]}
    if excluded(options):
        with pytest.raises(ValueError, match=r"\w+=\w+ and \w+=\w+ exclude each other: "):
            BackboneConfig(**options)
        return
    works(BackboneConfig(**options))


@pytest.mark.parametrize(
    "many",
    [
        ("poly2", "lean", "conditioning", "svd", "no skips", "sinc"),
        ("lean", "skeleton", "conditioning", "svd", "skip of the MLP alone", "gaussian"),
        ("line", "conditioning", "dct", "frozen conv", "relu"),
        ("grid", "svd", "frozen tokens", "tanh"),
    ],
)
def test_many_options_compose(many: tuple[str, ...]) -> None:
    options = dict(BASE)
    for name in many:
        options |= OPTIONS[name]
    works(BackboneConfig(**options))


def works(config: BackboneConfig) -> None:
    """Forward, backward, finite, deaf to padding; and a set of tokens stays one."""
    generator = torch.Generator().manual_seed(0)
    model = Encoder(config, generator).double()
    tokens = torch.randn(2, N, 24, generator=generator, dtype=torch.float64).requires_grad_()
    out = model(tokens)
    assert out.shape == tokens.shape and torch.isfinite(out).all()
    out.square().sum().backward()
    learned = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in learned)
    assert torch.isfinite(tokens.grad).all() and tokens.grad.abs().max() > 0
    mask = torch.arange(N) < torch.tensor([[N], [N - 4]])
    with torch.no_grad():
        noisy = tokens + 9.0 * ~mask[..., None]
        masked = model(tokens, key_mask=mask)
        assert torch.allclose(masked, model(noisy, key_mask=mask), atol=1e-9)
        assert (masked[~mask] == 0).all() and torch.allclose(masked[0], out[0], atol=1e-9)
        order = torch.randperm(N, generator=generator)
        same = torch.allclose(model(tokens[:, order]), out[:, order], atol=1e-7)
    assert same != config.ordered


def test_the_same_seed_draws_the_same_weights() -> None:
    for options in OPTIONS.values():
        config = BackboneConfig(**{**BASE, **options})
        first, second = (
            Encoder(config, torch.Generator().manual_seed(3)).state_dict() for _ in range(2)
        )
        assert all(torch.equal(first[name], second[name]) for name in first)
