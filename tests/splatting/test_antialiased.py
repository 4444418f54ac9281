"""The anti-aliased mode keeps the paint of a splat that is smaller than a pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from own_kernel import EVERY
from test_densification import camera, one_splat

from splatting import rasterization


@pytest.mark.parametrize("kernel", EVERY)
def test_a_splat_seen_from_far_paints_in_proportion_to_its_area(kernel: str) -> None:
    """4 times as far is a 16th of the area; the low-pass alone would stop shrinking at a pixel."""
    near = one_splat(kernel, 0.95)
    near.log_scales[:] -= np.log(4.0)
    far = replace(near, means=near.means * np.float32(4))
    sums = {}
    for mode in (False, True):
        shown = [replace(splats, antialiased=mode) for splats in (near, far)]
        sums[mode] = [float(rasterization.render(s, camera()).alpha.sum()) for s in shown]
    assert sums[True][0] / sums[True][1] == pytest.approx(16, rel=0.25)
    assert sums[False][0] / sums[False][1] < 11


def test_large_splats_look_the_same() -> None:
    splats = one_splat("raised-cosine", 0.9)
    plain = rasterization.render(splats, camera()).alpha
    other = rasterization.render(replace(splats, antialiased=True), camera()).alpha
    assert np.abs(plain - other).max() < 0.06
