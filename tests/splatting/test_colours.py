"""Colours as one camera sees them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from splatting import kernels, reference
from splatting.colours import colours_from
from splatting.splats import Splats


@pytest.mark.parametrize("degree", range(4))
def test_colours_from_a_place_are_those_of_the_oracle(degree):
    n, rng = 20_000, np.random.default_rng(degree)  # more than one part
    draw = lambda *shape: rng.normal(0, 0.5, shape).astype(np.float32)  # noqa: E731
    sh0, shN, means = draw(n, 3), draw(n, (degree + 1) ** 2 - 1, 3), draw(n, 3)
    splats = Splats(means, draw(n, 3), draw(n, 4), draw(n), sh0, shN, kernels.get("parabolic"))
    eye = np.array([0.5, -3.0, 2.0])
    away = torch.from_numpy(means - eye)
    truth = reference.spherical_harmonics(
        away / away.norm(dim=1, keepdim=True),
        torch.from_numpy(sh0.astype(np.float64)),
        torch.from_numpy(shN.astype(np.float64)),
    )
    found = colours_from(splats, eye)
    assert found.dtype == np.float32 and found.min() == 0.0
    np.testing.assert_allclose(found, truth, atol=2e-5)
    np.testing.assert_array_equal(splats.sh0, sh0)
