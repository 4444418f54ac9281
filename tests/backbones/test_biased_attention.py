"""The compiled attention with a bias against torch's own steps in float64: values and every
gradient, at sizes around the width of vectors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backbones.attention import biased_attention

CLIPS, REPEATS, HEADS = 2, 3, 2


def drawn(n: int, d: int, seed: int = 0) -> list[Tensor]:
    """q, k, v and a bias that hides a third of the keys, never a query's own."""
    torch.manual_seed(seed)
    q, k, v = (torch.randn(CLIPS * REPEATS, HEADS, n, d) for _ in range(3))
    bias = 2 * torch.randn(CLIPS, HEADS, n, n)
    hidden = (torch.rand(CLIPS, HEADS, n, n) < 0.3) & ~torch.eye(n, dtype=torch.bool)
    return [q, k, v, bias.masked_fill(hidden, float("-inf"))]


def with_gradients(given: list[Tensor], slope: Tensor) -> tuple[Tensor, ...]:
    given = [x.clone().requires_grad_() for x in given]
    found = biased_attention(*given)
    return found.detach(), *torch.autograd.grad((found * slope).sum(), given)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 48])
@pytest.mark.parametrize("d", [16, 32])
def test_value_and_gradients_are_those_of_float64(n: int, d: int) -> None:
    given = drawn(n, d)
    slope = torch.randn(CLIPS * REPEATS, HEADS, n, d)
    found = with_gradients(given, slope)
    expected = with_gradients([x.double() for x in given], slope.double())
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), other, rtol=2e-5, atol=2e-5)


def test_large_scores_neither_overflow_nor_lose_their_order() -> None:
    q, k, v, bias = drawn(20, 16)
    given = [30 * q, 30 * k, v, bias + 500]
    slope = torch.ones(v.shape)
    found = with_gradients(given, slope)
    expected = with_gradients([x.double() for x in given], slope.double())
    torch.testing.assert_close(found[0].double(), expected[0], rtol=1e-3, atol=1e-3)
    assert all(torch.isfinite(x).all() for x in found)


def test_strided_and_half_precise_input_is_taken_as_it_is() -> None:
    q, k, v, bias = drawn(9, 16)
    heads_last = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v)]
    slope = torch.randn(v.shape)
    found, expected = (with_gradients([*x, bias], slope) for x in (heads_last, (q, k, v)))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    halves = [x.bfloat16() for x in (q, k, v)]
    found = with_gradients([*halves, bias], slope)
    assert [x.dtype for x in found] == [torch.bfloat16] * 4 + [torch.float32]
    expected = with_gradients([*(x.float() for x in halves), bias], slope)
    torch.testing.assert_close(found[0].float(), expected[0], rtol=1e-2, atol=1e-2)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    from simd.threads import set_threads

    given = drawn(17, 16)
    found = []
    for threads in (1, 2):
        set_threads(threads)
        found.append(biased_attention(*(x.clone().requires_grad_() for x in given)).detach())
    set_threads(None)
    assert torch.equal(*found)
