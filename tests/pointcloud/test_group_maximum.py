"""The compiled maximum of groups against torch's, in value and gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pointcloud.group_maximum import group_maximum


@pytest.mark.parametrize("sizes", [(1, 1, 1, 16), (2, 5, 3, 7), (3, 9, 16, 130), (2, 64, 8, 64)])
def test_value_and_gradient_are_torchs(sizes) -> None:
    x = torch.randn(sizes, generator=torch.Generator().manual_seed(0))
    gradients = []
    for function in (group_maximum, lambda x: x.amax(2)):
        leaf = x.clone().requires_grad_()
        found = function(leaf)
        assert torch.equal(found, x.amax(2))
        (found * torch.arange(found.numel()).sin().view_as(found)).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


def test_of_equal_points_the_first_has_the_gradient() -> None:
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor([1.0, 3.0, 3.0, 2.0, 3.0], dtype=dtype).view(1, 1, 5, 1).requires_grad_()
        group_maximum(x).sum().backward()
        assert x.grad is not None
        np.testing.assert_array_equal(x.grad.flatten(), [0, 1, 0, 0, 0])


def test_parts_of_other_tensors() -> None:
    x = torch.randn(2, 3, 8, 40, generator=torch.Generator().manual_seed(0))
    part = x[:, :, ::2, 3:30]
    assert torch.equal(group_maximum(part), part.amax(2))
