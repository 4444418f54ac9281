from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from backbones import impulse
from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from backbones.neighbours import (
    grid_targets,
    in_windows,
    line_targets,
    out_of_windows,
    shifted_mask,
    skeleton_targets,
    targets,
    window_mask,
)

SPINE = (-1, 0, 1, 2, 2, 4, 5, 2, 7, 8, 0, 10, 11, 0, 13, 14, 3)
"""Seventeen joints, as in the usual set of poses."""


def masses(config: BackboneConfig, content: float = 0.0) -> list[float]:
    """Mean attention on the target of every block of a new encoder, over its heads."""
    encoder = Encoder(config, torch.Generator().manual_seed(0))
    positions, wanted = encoder.positions, targets(encoder.plan)
    noise = torch.randn(1, *positions.shape, generator=torch.Generator().manual_seed(1))
    tokens = positions + content * positions.std() * noise
    normal = functional.layer_norm(tokens, tokens.shape[-1:])
    return [
        float(impulse.mass(block.mixer.scores(normal).softmax(-1), wanted).mean())
        for block in encoder.blocks
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"impulse": "line", "tokens": 27, "width": 64, "heads": 5},
        {"impulse": "line", "tokens": 81, "width": 96, "heads": 5, "head_dim": 32},
        {"impulse": "skeleton", "parents": SPINE, "width": 64},
        {"impulse": "grid", "grid": (8, 8), "width": 192, "heads": 9, "head_dim": 64},
    ],
)
def test_attention_starts_on_its_target(options: dict) -> None:
    config = BackboneConfig(depth=2, **options)
    assert all(found >= 0.8 for found in masses(config)), masses(config)
    uniform = Encoder(BackboneConfig(width=config.width, depth=1, heads=config.heads))
    noise = torch.randn(1, config.places, config.width)
    scattered = uniform.blocks[0].mixer.scores(noise).softmax(-1)
    assert float(impulse.mass(scattered, targets(config)).mean()) < 0.2


def test_content_of_the_size_of_the_positions_leaves_most_of_it() -> None:
    config = BackboneConfig(impulse="line", tokens=27, depth=1, heads=5)
    assert masses(config, content=0.5)[0] > 0.5


def test_heads_too_small_for_their_tokens_say_so() -> None:
    config = BackboneConfig(impulse="line", tokens=153, depth=1, heads=3, head_dim=8)
    with pytest.warns(UserWarning, match="for 153 tokens; raise head_dim=8"):
        Encoder(config, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("rtol", "low", "high"), [(1e-9, 0.0, 0.02), (1e-2, 0.5, 1.0)])
def test_positions_of_low_rank_are_a_trap(rtol, low, high, monkeypatch) -> None:
    """Sines have rank in name alone: their small directions, kept, leave attention uniform."""
    torch.manual_seed(0)
    monkeypatch.setattr(impulse, "_RTOL", rtol)
    angles = torch.arange(64)[:, None] / 64 * torch.pi * torch.arange(1, 9)
    sines = torch.cat([angles.sin(), angles.cos()], 1) @ torch.randn(16, 96)
    positions, target = functional.layer_norm(sines.double(), (96,)), line_targets(64, 1)[0]
    q, k = impulse.solve(positions, target.double(), 16)
    _, found = impulse.least_gain(positions @ q @ k.T @ positions.T / 4, target.double())
    assert low <= found <= high


def test_targets_by_hand() -> None:
    line = line_targets(4, 3)
    assert torch.equal(line[0], torch.eye(4))
    assert line[1, 1, 0] == line[2, 1, 2] == 1 and line[1, 0].sum() == line[2, 3].sum() == 0
    grid = grid_targets(2, 3, 9)
    assert torch.equal(grid[0], torch.eye(6))
    assert grid[1, 4, 1] == 1 and grid[1, 1].sum() == 0, "the one above"
    assert grid[2, 0, 1] == 1 and grid[2, 2].sum() == 0, "the one to the right"
    assert torch.equal(grid.sum(0), ((grid + grid.transpose(1, 2)).sum(0) > 0).float())
    bones = skeleton_targets((-1, 0, 0), 4)
    assert torch.equal(bones[1], torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 0, 0]]))
    assert torch.equal(bones[2], bones[1].T)
    assert torch.equal(bones[3], torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 1, 0]])), "siblings"
    assert skeleton_targets((-1, 0, 1), 4, mirror=(0, 2, 1))[3, 1, 2] == 1


def test_windows_are_small_grids_and_come_back() -> None:
    tokens = torch.arange(2 * 4 * 6).view(2, 24, 1).float()
    for shift in (0, 1):
        apart = in_windows(tokens, (4, 6), 2, shift)
        assert apart.shape == (12, 4, 1)
        assert torch.equal(out_of_windows(apart, (4, 6), 2, shift), tokens)
    assert in_windows(tokens, (4, 6), 2)[1].flatten().tolist() == [2, 3, 8, 9]
    assert window_mask((4, 6), 2)[2].nonzero().flatten().tolist() == [2, 3, 8, 9]
    still = shifted_mask((4, 6), 2, 0)
    assert still.shape == (6, 4, 4) and still.all()
    shifted = shifted_mask((4, 6), 2, 1)
    assert shifted[0].all(), "within the grid"
    assert shifted[2, 0].tolist() == [True, False, True, False], "over its right edge"
    assert torch.equal(shifted[5], torch.eye(4).bool()), "its corner: four strangers"
    with pytest.raises(ValueError, match="whole windows of 3"):
        in_windows(tokens, (4, 6), 3)
    encoder = Encoder(BackboneConfig(width=16, depth=1, heads=4, impulse="grid", grid=(2, 2)))
    assert encoder(torch.randn(12, 4, 16)).shape == (12, 4, 16)


def test_a_convolution_starts_as_single_taps() -> None:
    config = BackboneConfig(width=8, depth=1, mixer="conv", conv_kernel=5, impulse="line")
    kernels = Encoder(config).blocks[0].mixer.depthwise.weight[:, 0]
    assert kernels.argmax(-1).tolist() == [2, 1, 3, 0, 4, 2, 1, 3]
    assert torch.equal(kernels.sum(-1), torch.ones(8)) and (kernels >= 0).all()


def test_a_token_mixer_starts_with_neighbours_in_its_hidden_groups() -> None:
    config = BackboneConfig(width=8, depth=1, heads=3, mixer="tokens", tokens=6, impulse="line")
    mixer = Encoder(config).blocks[0].mixer
    x = torch.randn(6)
    assert torch.equal(mixer.token_in(x), (line_targets(6, 3) @ x).flatten())
    groups = mixer.token_out.weight.unflatten(1, (3, 6))
    assert torch.allclose(groups.abs(), torch.eye(6)[:, None].expand(6, 3, 6) / 3**0.5)
