"""Attention of tokens in bfloat16, with autocast on: values and gradients are those of float32
from the same tokens, rounded once, with masks and without."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backbones.attention import softmax_attention


def tokens() -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(3, 2, 20, 8).bfloat16() for _ in range(3)]


MASK = torch.rand(3, 1, 20, 20, generator=torch.Generator().manual_seed(1)) < 0.6
MASK[1, 0, 4] = False  # one query may look nowhere
MASKS = {"none": None, "allowed": MASK, "keys": MASK[:, :, :1]}


def outcome(given: list[Tensor], mask: Tensor | None) -> list[Tensor]:
    given = [x.clone().requires_grad_() for x in given]
    with torch.autocast("cpu", torch.bfloat16):
        out = softmax_attention(given[0], given[1], given[2], mask)
    (out.float() * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
    return [out.detach(), *(x.grad for x in given if x.grad is not None)]


@pytest.mark.parametrize("name", MASKS)
def test_it_is_attention_in_float32_rounded_once(name: str) -> None:
    found = outcome(tokens(), MASKS[name])
    exact = [x.float().requires_grad_() for x in tokens()]
    expected = softmax_attention(*exact, MASKS[name])
    slope = torch.linspace(-1, 1, expected.numel()).view_as(expected).bfloat16().float()
    expected = [expected.detach(), *torch.autograd.grad((expected * slope).sum(), exact)]
    assert len(found) == 4
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.bfloat16
        torch.testing.assert_close(one, other.bfloat16(), rtol=2**-7, atol=1e-6)
