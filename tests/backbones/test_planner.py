from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
import torch

from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from backbones.planner import expected_kappa, lean, least_heads, parameters, plans
from backbones.presets import PRESETS, preset
from backbones.spectra import kappa


def test_theory_of_gaussian_heads_peaks_where_the_width_is_the_number_of_tokens() -> None:
    """Away from the peak within 30 % of the median of drawn matrices."""
    torch.manual_seed(0)
    assert expected_kappa(64, 64) == inf
    drawn = {}
    for inner in (16, 32, 64, 128, 256, 1024):
        drawn[inner] = float(kappa(torch.randn(20, 64, inner)).median())
        if inner != 64:
            assert drawn[inner] == pytest.approx(expected_kappa(inner, 64), rel=0.3)
    assert drawn[16] < drawn[32] < drawn[64] > 10 * drawn[128] and drawn[128] > drawn[1024]


def test_lean_halves_the_depth_and_passes_the_number_of_tokens() -> None:
    config = BackboneConfig(depth=6, heads=2, head_dim=16, lean=True, tokens=128)
    plan = lean(config)
    assert (plan.depth, plan.heads, plan.lean) == (3, 9, False)
    assert plan.inner > 128 and least_heads(16, 128) == 9 and least_heads(16, 127) == 8
    assert lean(replace(config, heads=8)).heads == 16
    built = Encoder(config)
    assert len(built.blocks) == 3 and built.config.lean and built.blocks[0].mixer.heads == 9
    assert lean(BackboneConfig()) == BackboneConfig()


def test_plans_cost_no_more_and_obey_the_rule() -> None:
    config = BackboneConfig(depth=6, heads=4, head_dim=16)
    found = plans(config, tokens=100)
    assert found and found == sorted(found, key=lambda plan: plan.kappa)
    for plan in found:
        assert plan.parameters <= parameters(config) and plan.heads * 16 > 100
        shape = replace(config, depth=plan.depth, heads=plan.heads)
        assert plan.parameters == sum(p.numel() for p in Encoder(shape).parameters())
    assert found[0].depth < 6 and plans(config, tokens=100_000) == []


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attention": "poly3", "attention_scale": "learned"},
        {"impulse": "grid", "grid": (3, 4)},
        {"mixer": "conv", "impulse": "line", "frozen": "spatial"},
        {"mixer": "tokens", "tokens": 12, "impulse": "line"},
        {"lean": True, "tokens": 40, "mlp_ratio": 1.3},
    ],
)
def test_parameters_are_counted_without_building(options: dict) -> None:
    config = BackboneConfig(width=20, depth=3, heads=3, head_dim=5, **options)
    assert parameters(config) == sum(p.numel() for p in Encoder(config).parameters())


def test_presets_are_those_of_the_paper() -> None:
    """Parameters of the encoder against the published ones of the whole model, in millions."""
    assert all(name.removesuffix("-lean") in PRESETS for name in PRESETS)
    published = {"vit-b": 86, "bert": 119, "bert-lean": 84, "gpt2": 85}
    for name, millions in published.items():
        assert parameters(preset(name)) / 1e6 == pytest.approx(millions, rel=0.2), name
    for name in PRESETS:
        if name.endswith("-lean"):
            full, fewer = preset(name.removesuffix("-lean")), preset(name)
            assert fewer.depth < full.depth and fewer.heads > full.heads
            assert parameters(fewer) < parameters(full)
    with pytest.raises(ValueError, match="expected a preset among points"):
        preset("vit-xl")
