"""The compiled pooling against the float64 reference, in value and gradient, across vectors, clouds
and numbers of neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pointcloud.local_norm_pooling import pooled_differences, reference
from simd.threads import set_threads


def arguments(b: int, c: int, k: int, w: int) -> list[Tensor]:
    g = torch.Generator().manual_seed(0)
    near = torch.stack([torch.randperm(c, generator=g)[:k] for _ in range(b * c)])
    own, scale, offset = (torch.randn(*s, generator=g) for s in ((b, c, w), (w,), (w,)))
    return [own, near.view(b, c, k), scale, offset]


def differentiated(function, given: list[Tensor]) -> list[Tensor]:
    """The value and the gradients of a weighted sum of it."""
    leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in given]
    found = function(*leaves)
    weights = torch.arange(found.numel(), dtype=found.dtype).sin().view_as(found)
    (found * weights).sum().backward()
    return [found.detach(), *(x.grad for x in leaves if x.grad is not None)]


def double(given: list[Tensor]) -> list[Tensor]:
    return [x.double() if x.is_floating_point() else x for x in given]


@pytest.mark.parametrize(
    "sizes", [(1, 4, 4, 16), (2, 7, 3, 5), (3, 64, 4, 192), (2, 33, 1, 20), (5, 16, 8, 48)]
)
def test_value_and_gradients_are_the_references(sizes) -> None:
    given = arguments(*sizes)
    found = differentiated(pooled_differences, given)
    expected = differentiated(reference, double(given))
    assert len(found) == 4
    for one, other in zip(found, expected, strict=True):
        size = float(other.abs().max())
        np.testing.assert_allclose(one, other, atol=1e-5 * max(size, 1.0), rtol=1e-4)


def test_the_reference_is_differentiated_numerically() -> None:
    own, near, scale, offset = double(arguments(2, 5, 3, 2))
    leaves = [x.requires_grad_() for x in (own, scale, offset)]

    def function(own: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
        return pooled_differences(own, near, scale, offset)

    assert torch.autograd.gradcheck(function, leaves)


def test_two_centres_by_hand() -> None:
    # differences 0 and 3, and 0 and -3: mean 0, root of 18 / 3
    own, near = torch.tensor([[[1.0], [4.0]]]), torch.tensor([[[0, 1], [1, 0]]])
    found = pooled_differences(own, near, torch.ones(1), torch.zeros(1)).flatten()
    d = 3 / (6**0.5 + 1e-5)
    weights = [np.exp(d) / (1 + np.exp(d)), np.exp(-d) / (1 + np.exp(-d))]
    np.testing.assert_allclose(found, [d * weights[0], -d * weights[1]], rtol=1e-5)


def test_equal_features_pool_the_offset_and_have_finite_gradients() -> None:
    own, near, scale, offset = arguments(2, 6, 3, 18)
    found = differentiated(pooled_differences, [torch.ones_like(own), near, scale, offset])
    np.testing.assert_allclose(found[0], offset.expand(2, 6, 18), rtol=1e-6)
    assert all(torch.isfinite(x).all() for x in found)


def test_large_differences_do_not_overflow() -> None:
    own, near, scale, offset = arguments(1, 9, 4, 16)
    found = pooled_differences(own, near, 1e4 * scale, offset)
    expected = reference(*double([own, near, 1e4 * scale, offset]))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-2)


def test_threads_make_no_difference() -> None:
    given = arguments(3, 20, 4, 96)
    found = []
    for threads in (1, 2):
        set_threads(threads)
        found.append(differentiated(pooled_differences, given))
    set_threads(None)
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
