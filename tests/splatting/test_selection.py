"""Which splats a selection keeps, and what a scale leaves alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.camera import Camera
from data.clouds import PointCloud
from data.errors import UserError
from splatting import kernels
from splatting.rasterization import render
from splatting.selection import Selection, kept, largest_sigmas, opacities
from splatting.splats import Splats, from_points, scaled, with_origin

UTM = (448_262.0, 5_411_932.0, 87.0)


def some_splats(n: int = 200, seed: int = 0) -> Splats:
    rng = np.random.default_rng(seed)
    cloud = PointCloud(rng.normal(size=(n, 3)), rng.integers(0, 256, (n, 3)).astype(np.uint8))
    splats = from_points(cloud, kernels.get("raised-cosine"), opacity=0.6)
    return replace(
        splats,
        log_scales=splats.log_scales + rng.normal(0, 0.3, (n, 3)).astype(np.float32),
        quats=rng.normal(size=(n, 4)).astype(np.float32),
        logit_opacities=rng.normal(0, 2, n).astype(np.float32),
        shN=rng.normal(0, 0.2, (n, 15, 3)).astype(np.float32),
    )


def test_nothing_is_left_out_by_default() -> None:
    assert kept(some_splats(), Selection()).all()


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.floats(-2, 2)] * 3),
    st.tuples(*[st.floats(0, 3)] * 3),
    st.floats(0, 0.99),
    st.floats(0.01, 2),
)
def test_each_condition_is_the_plain_one(low, size, faint, large) -> None:
    splats = some_splats()
    high = tuple(np.add(low, size))
    keep = kept(splats, Selection(low, high, faint, large))
    for i in range(0, len(splats), 7):
        inside = all(low[k] <= splats.means[i, k] <= high[k] for k in range(3))
        opaque = 1 / (1 + np.exp(-float(splats.logit_opacities[i]))) >= faint
        small = max(np.exp(float(s)) for s in splats.log_scales[i]) <= large
        assert keep[i] == (inside and opaque and small)


def test_a_box_is_in_the_coordinates_of_the_model_wherever_the_splats_have_their_zero() -> None:
    """A georeferenced model: its numbers do not fit into float32, those of the splats do."""
    near = some_splats()
    far = replace(near, origin_world=UTM)
    low, high = (-0.5, -0.4, -0.3), (0.6, 0.7, 0.8)
    box = Selection(tuple(np.add(low, UTM)), tuple(np.add(high, UTM)))
    expected = kept(near, Selection(low, high))
    assert 0 < expected.sum() < len(near)
    np.testing.assert_array_equal(kept(far, box), expected)
    moved = with_origin(far, (UTM[0] - 8, UTM[1] + 4, UTM[2]))
    np.testing.assert_array_equal(kept(moved, box), expected)


def test_floaters_are_told_by_scores() -> None:
    splats = some_splats(5)
    scores = np.array([0.0, 0.49, 0.5, 0.51, 1.0])
    keep = kept(splats, Selection(drop_floaters=0.5), scores)
    assert keep.tolist() == [True, True, True, False, False]
    with pytest.raises(ValueError, match="floater_scores"):
        kept(splats, Selection(drop_floaters=0.5))


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        (Selection(min_opacity=2.0), "--min-opacity: expected 0 to 1, found 2.0"),
        (Selection(max_size=-1.0), "--max-size: expected a sigma above 0, found -1.0"),
        (Selection(max_size=float("nan")), "--max-size"),
        (Selection(drop_floaters=1.5), "--drop-floaters: expected 0 to 1, found 1.5"),
    ],
)
def test_numbers_that_cannot_be_are_refused(selection: Selection, says: str) -> None:
    with pytest.raises(UserError, match=says):
        selection.check()


@pytest.mark.parametrize("factor", [0.1, 7.5])
def test_a_scaled_world_looks_the_same_from_scaled_cameras(factor: float) -> None:
    splats = replace(some_splats(), origin_world=(1.0, -2.0, 3.0))
    larger = scaled(splats, factor)
    pose = np.eye(4)
    pose[:3, 3] = [0.2, -0.1, 5.0]
    camera = Camera(np.array([[90.0, 0, 40], [0, 95, 30], [0, 0, 1]]), pose, 80, 60)
    pose = pose.copy()
    pose[:3, 3] *= factor
    before, after = render(splats, camera), render(larger, replace(camera, cam_from_world=pose))
    np.testing.assert_allclose(after.rgb, before.rgb, atol=2e-4)
    np.testing.assert_allclose(after.depth, factor * before.depth, rtol=1e-3, atol=1e-3 * factor)
    np.testing.assert_allclose(largest_sigmas(larger), factor * largest_sigmas(splats), rtol=1e-5)
    np.testing.assert_array_equal(opacities(larger), opacities(splats))
    model = splats.means + np.array(splats.origin_world)
    np.testing.assert_allclose(
        larger.means + np.array(larger.origin_world), factor * model, rtol=1e-5, atol=1e-5
    )
