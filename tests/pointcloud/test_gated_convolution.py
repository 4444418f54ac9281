"""The compiled convolution against the float64 reference, in value and gradient, across vectors,
parts, lengths and taps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pointcloud.gated_convolution import gated_convolution, reference
from simd.threads import set_threads


def arguments(b: int, length: int, d: int, taps: int) -> list[Tensor]:
    g = torch.Generator().manual_seed(0)
    return [torch.randn(*s, generator=g) for s in ((b, length, d), (taps, d), (d,))]


def differentiated(function, given: list[Tensor]) -> list[Tensor]:
    """The value and the gradients of a weighted sum of it."""
    leaves = [x.clone().requires_grad_() for x in given]
    u = function(*leaves)
    weights = torch.arange(u.numel(), dtype=u.dtype).sin().view_as(u)
    (u * weights).sum().backward()
    return [u.detach(), *(x.grad for x in leaves)]


@pytest.mark.parametrize(
    "sizes", [(1, 1, 16, 4), (2, 7, 3, 2), (3, 33, 80, 4), (2, 65, 130, 4), (1, 3, 48, 5)]
)
def test_value_and_gradients_are_the_references(sizes) -> None:
    given = arguments(*sizes)
    found = differentiated(gated_convolution, given)
    expected = differentiated(reference, [x.double() for x in given])
    for one, other in zip(found, expected, strict=True):
        size = float(other.abs().max())
        np.testing.assert_allclose(one, other, atol=3e-6 * max(size, 1.0), rtol=1e-4)


def test_the_reference_is_differentiated_numerically() -> None:
    given = [x.double().requires_grad_() for x in arguments(1, 5, 3, 3)]
    assert torch.autograd.gradcheck(gated_convolution, given)


def test_two_taps_by_hand() -> None:
    x = torch.tensor([1.0, 2.0, -1.0]).view(1, 3, 1)
    found = gated_convolution(x, torch.tensor([[10.0], [1.0]]), torch.tensor([0.5]))
    before = torch.tensor([0.5 + 1, 0.5 + 10 + 2, 0.5 + 20 - 1])
    torch.testing.assert_close(found.flatten(), before * before.sigmoid())


def test_parts_of_a_larger_tensor_and_threads_make_no_difference() -> None:
    given = arguments(2, 30, 96, 4)
    wide = torch.cat([given[0], given[0].flip(-1)], -1)
    part = wide.chunk(2, -1)[0]
    assert not part.is_contiguous()
    found = []
    for threads in (1, 2):
        set_threads(threads)
        found.append(differentiated(gated_convolution, given))
    set_threads(None)
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(gated_convolution(part, *given[1:]), found[0][0])
