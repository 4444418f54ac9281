"""The compiled scan against the float64 reference, in value and gradient, across vectors, parts and
lengths."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pointcloud.selective_scan import reference, selective_scan
from simd.threads import set_threads


def arguments(b: int, length: int, d: int, n: int, seed: int = 0) -> list[torch.Tensor]:
    """u, dt, A, B, C, D, z, bias in float32."""
    g = torch.Generator().manual_seed(seed)
    shapes = [(b, length, d), (b, length, d), (d, n), (b, length, n), (b, length, n)]
    given = [torch.randn(*s, generator=g) for s in [*shapes, (d,), (b, length, d), (d,)]]
    given[2] = -given[2].exp()
    return given


def differentiated(function, given: list[torch.Tensor]) -> list[torch.Tensor]:
    """The value and the gradients of a weighted sum of it."""
    leaves = [x.clone().requires_grad_() for x in given]
    y = function(*leaves)
    weights = torch.arange(y.numel(), dtype=y.dtype).sin().view_as(y)
    (y * weights).sum().backward()
    return [y.detach(), *(x.grad for x in leaves)]


@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 16, 1), (2, 7, 3, 5), (1, 40, 64, 16), (3, 33, 80, 4), (2, 129, 130, 16)],
)
def test_value_and_gradients_are_the_references(sizes) -> None:
    given = arguments(*sizes)
    found = differentiated(selective_scan, given)
    expected = differentiated(reference, [x.double() for x in given])
    for name, one, other in zip(
        ["y", "u", "dt", "A", "B", "C", "D", "z", "bias"], found, expected, strict=True
    ):
        size = other.abs().max()
        np.testing.assert_allclose(
            one, other, atol=float(3e-6 * max(size, 1.0)), rtol=2e-4, err_msg=name
        )


def test_the_reference_is_differentiated_numerically() -> None:
    given = [x.double().requires_grad_() for x in arguments(1, 4, 3, 2)]
    assert torch.autograd.gradcheck(selective_scan, given)


def test_one_state_by_hand() -> None:
    """h = e^(-s) h + s u: with s = ln 2 (dt 0, no bias) a state of 1 halves each step."""
    one = torch.ones(1, 1, 1)
    length = 4
    u = torch.zeros(1, length, 1)
    u[:, 0] = 1.0
    y = selective_scan(
        u,
        torch.zeros(1, length, 1),
        -one[0],
        one.expand(1, length, 1),
        one.expand(1, length, 1),
        torch.zeros(1),
        torch.full((1, length, 1), 100.0),
        torch.zeros(1),
    )
    halves = np.log(2) * 0.5 ** np.arange(length) * 100.0
    np.testing.assert_allclose(y[0, :, 0], halves, rtol=1e-5)


def test_threads_make_no_difference() -> None:
    given = arguments(2, 30, 96, 8)
    found = []
    for threads in (1, 2):
        set_threads(threads)
        found.append(differentiated(selective_scan, given))
    set_threads(None)
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_long_and_fast_scans_stay_finite() -> None:
    """Steps so long that every state is forgotten at once, and inputs of any size."""
    given = arguments(1, 300, 16, 16)
    given[1] *= 100
    given[0] *= 1e3
    for value in differentiated(selective_scan, given):
        assert torch.isfinite(value).all()
