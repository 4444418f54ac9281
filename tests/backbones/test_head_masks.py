"""Masks and biases that differ from head to head, against the formula written out."""

from __future__ import annotations

import pytest
import torch

from backbones.attention import Attention, softmax_attention
from backbones.config import BackboneConfig


def test_a_mask_and_a_bias_of_each_head_are_the_formula() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 5, 4, dtype=torch.float64) for _ in range(3))
    mask = torch.rand(2, 3, 5, 5) < 0.6
    mask[0, 1, 2] = False
    bias = torch.randn(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    found = softmax_attention(q, k, v, mask, bias)
    scores = (q @ k.transpose(-1, -2)) / 2.0 + bias
    weights = scores.exp() * mask
    sums = weights.sum(-1, keepdim=True)
    expected = (weights / sums.clamp(min=1e-300)) @ v
    torch.testing.assert_close(found, expected)
    assert (found[0, 1, 2] == 0).all()
    (gradient,) = torch.autograd.grad(found.square().sum(), bias)
    (wanted,) = torch.autograd.grad(expected.square().sum(), bias)
    torch.testing.assert_close(gradient, wanted)
    assert torch.isfinite(gradient).all()


def test_attention_passes_them_on() -> None:
    torch.manual_seed(0)
    attention = Attention(BackboneConfig(width=12, heads=3, head_dim=4)).double()
    tokens = torch.randn(2, 5, 12, dtype=torch.float64)
    same = torch.rand(2, 5, 5) < 0.7
    each = same[:, None].expand(2, 3, 5, 5)
    torch.testing.assert_close(
        attention(tokens, None, each), attention(tokens, None, same), rtol=0, atol=1e-12
    )
    far = torch.full((2, 3, 5, 5), -1e4, dtype=torch.float64)
    far[..., 0] = 0.0
    only_first = torch.zeros(5, 5, dtype=torch.bool)
    only_first[:, 0] = True
    torch.testing.assert_close(
        attention(tokens, None, None, far), attention(tokens, None, only_first)
    )


def test_polynomial_attention_takes_masks_of_heads_and_no_bias() -> None:
    torch.manual_seed(0)
    attention = Attention(BackboneConfig(width=8, heads=2, head_dim=4, attention="poly3"))
    tokens, mask = torch.randn(1, 4, 8), torch.rand(1, 2, 4, 4) < 0.5
    other = mask.clone()
    other[:, 1] = False
    assert not torch.equal(attention(tokens, None, mask), attention(tokens, None, other))
    with pytest.raises(ValueError, match="attention_bias"):
        attention(tokens, None, None, torch.zeros(1, 2, 4, 4))


def test_a_bias_of_few_rows_serves_the_batch_in_turn() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(6, 2, 5, 4, dtype=torch.float64, requires_grad=True) for _ in range(3))
    bias = torch.randn(2, 2, 5, 5, dtype=torch.float64)
    bias[..., 3] = float("-inf")
    bias.requires_grad_()
    found = softmax_attention(q, k, v, bias=bias)
    wanted = softmax_attention(
        q, k, v, torch.isfinite(bias).repeat_interleave(3, 0), bias.repeat_interleave(3, 0)
    )
    torch.testing.assert_close(found, wanted)
    given = (q, k, v, bias)
    for a, b in zip(
        torch.autograd.grad(found.square().sum(), given),
        torch.autograd.grad(wanted.square().sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(a, b)
