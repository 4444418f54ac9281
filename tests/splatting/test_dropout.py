"""Splats that rest: how many, what the others do for them, and that nothing is changed in place."""

from __future__ import annotations

import numpy as np

from splatting import kernels
from splatting.dropout import share_for, thinned
from splatting.splats import Splats


def cloud(n: int, logit: float) -> Splats:
    f32 = np.float32
    return Splats(
        means=np.zeros((n, 3), f32),
        log_scales=np.zeros((n, 3), f32),
        quats=np.ones((n, 4), f32),
        logit_opacities=np.full(n, logit, f32),
        sh0=np.zeros((n, 3), f32),
        shN=np.zeros((n, 0, 3), f32),
        kernel=kernels.get("gaussian"),
    )


def test_a_share_rests_and_the_mean_opacity_stays() -> None:
    n, share = 200_000, 0.2
    for logit in (-5.0, -3.0):
        splats = cloud(n, logit)
        drawn = thinned(splats, share, np.random.default_rng(0))
        opacity = 1 / (1 + np.exp(-drawn.logit_opacities.astype(np.float64)))
        resting = opacity < 1 / 255 / 100
        assert abs(resting.mean() - share) < 0.005
        before = 1 / (1 + np.exp(-logit))
        np.testing.assert_allclose(opacity.mean(), before, rtol=0.02)
        assert (splats.logit_opacities == np.float32(logit)).all()
        assert drawn.means is splats.means


def test_an_opaque_splat_stays_below_one() -> None:
    drawn = thinned(cloud(100, 9.0), 0.5, np.random.default_rng(1))
    kept = drawn.logit_opacities[drawn.logit_opacities > 0]
    odds = np.exp(kept.astype(np.float64))
    np.testing.assert_allclose(odds, 2 * np.exp(9.0), rtol=1e-5)


def test_fewer_photos_let_more_rest() -> None:
    assert share_for(1) == share_for(8) == 0.3
    assert share_for(40) == 0.1
    assert share_for(4000) < 0.002


def test_no_share_changes_nothing() -> None:
    splats = cloud(10, 0.3)
    drawn = thinned(splats, 0.0, np.random.default_rng(2))
    np.testing.assert_array_equal(drawn.logit_opacities, splats.logit_opacities)
