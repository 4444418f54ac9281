from __future__ import annotations

import pytest
import torch
from torch import nn

from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from backbones.mixers import freeze, smooth, spatial_layers
from backbones.unshuffling import Unshuffler

MIXERS = {"conv": {"mixer": "conv"}, "tokens": {"mixer": "tokens", "tokens": 12}}


def learned(frozen: str, mixer: str = "conv") -> set[str]:
    config = BackboneConfig(width=16, depth=1, heads=2, frozen=frozen, **MIXERS[mixer])
    encoder = Encoder(config)
    return {name for name, p in encoder.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(("mixer", "spatial"), [("conv", "depthwise"), ("tokens", "token_")])
def test_what_is_frozen_does_not_learn(mixer: str, spatial: str) -> None:
    assert any(spatial in name for name in learned("none", mixer))
    for frozen in ("spatial", "smoothed"):
        left = learned(frozen, mixer)
        assert not any(spatial in name for name in left)
        assert "blocks.0.mlp_in.weight" in left
    left = learned("channels", mixer)
    assert any(spatial in name for name in left) and not any(
        name.endswith("mlp_in.weight") for name in left
    )
    assert all("norm" in name for name in learned("all", mixer))


def test_frozen_kernels_are_random_and_stay_through_training() -> None:
    config = BackboneConfig(width=16, depth=2, mixer="conv", frozen="spatial")
    encoder = Encoder(config)
    before = {name: p.clone() for name, p in encoder.named_parameters()}
    optimiser = torch.optim.AdamW([p for p in encoder.parameters() if p.requires_grad], 1e-2)
    encoder(torch.randn(2, 9, 16)).square().sum().backward()
    optimiser.step()
    for name, p in encoder.named_parameters():
        assert torch.equal(p, before[name]) == ("depthwise" in name), name


def test_smoothing_keeps_norms_and_lowers_high_frequencies() -> None:
    torch.manual_seed(0)
    kernels = torch.randn(32, 1, 9)
    smoothed = smooth(kernels)
    assert torch.allclose(smoothed.norm(dim=-1), kernels.norm(dim=-1), rtol=1e-5)
    assert smoothed.diff(dim=-1).norm() < 0.6 * kernels.diff(dim=-1).norm()
    flat = torch.ones(1, 1, 7)
    assert torch.allclose(smooth(flat), flat)


def test_freezing_works_on_networks_of_others() -> None:
    network = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4))
    assert spatial_layers(network) == [network[0]]
    freeze(network, "smoothed")
    flags = [p.requires_grad for p in network.parameters()]
    assert flags == [False, False, True, True, True, True]


@pytest.mark.parametrize("mixer", MIXERS)
def test_padding_changes_nothing(mixer: str) -> None:
    torch.manual_seed(0)
    encoder = Encoder(BackboneConfig(width=16, depth=2, **MIXERS[mixer]))
    mask = torch.arange(12) < 9
    tokens = torch.randn(1, 12, 16)
    other = tokens.masked_fill(mask[:, None], 0.0) * 5 + tokens.masked_fill(~mask[:, None], 0.0)
    first, second = (encoder(x, key_mask=mask[None]) for x in (tokens, other))
    assert torch.equal(first, second) and (first[:, 9:] == 0).all()
    if mixer == "conv":
        assert torch.allclose(first[:, :9], encoder(tokens[:, :9]), atol=1e-6)


def test_mixers_have_no_pairs_to_mask() -> None:
    encoder = Encoder(BackboneConfig(mixer="conv"))
    with pytest.raises(ValueError, match="attention_mask: expected none with mixer=conv"):
        encoder(torch.randn(1, 4, 64), attention_mask=torch.ones(4, 4, dtype=torch.bool))


def test_a_token_mixer_learns_to_unshuffle() -> None:
    """With the channels alone it cannot: mixing over tokens is what the task asks for."""
    torch.manual_seed(0)
    losses = {}
    for frozen in ("none", "spatial"):
        config = BackboneConfig(width=24, depth=1, heads=2, mixer="tokens", tokens=8, frozen=frozen)
        model = Unshuffler(config, 3, 8, torch.Generator().manual_seed(1))
        assert sorted(model.permutation.tolist()) == list(range(8))
        optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
        for _ in range(150):
            values = torch.randn(64, 8, 3)
            loss = (model(values) - values).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        losses[frozen] = float(loss.detach())
    assert losses["none"] < 0.3 < losses["spatial"]
    with pytest.raises(ValueError, match="expected 8 tokens, found 7"):
        model(torch.randn(1, 7, 3))
