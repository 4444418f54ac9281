from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lifting.baselines import BASELINES, Retrieval, filled
from lifting.cameras import look_from, view_of
from lifting.metrics import errors


def turning(frames: int = 40, bends: float = 0.0) -> np.ndarray:
    """A body that turns fully about a tilted axis, and perhaps bends slowly in one way."""
    rng = np.random.default_rng(0)
    shape, bend = rng.standard_normal((2, 15, 3))
    axis = np.array([0.3, 1.0, 0.2])
    angles = np.linspace(0, 2 * np.pi, frames)[:, None] * axis / np.linalg.norm(axis)
    weight = bends * np.sin(np.linspace(0, 2 * np.pi, frames))[:, None, None]
    bodies = shape + weight * bend
    bodies = bodies - bodies.mean(axis=1, keepdims=True)
    return bodies @ Rotation.from_rotvec(angles).as_matrix().transpose(0, 2, 1)


def least_of_both_signs(found: np.ndarray, truth: np.ndarray) -> float:
    """The sign of depth is not in an orthographic picture."""
    return min(errors(found * [1, 1, sign], truth).fa_mpjpe for sign in (1, -1))


def test_a_rigid_body_that_turns_is_found() -> None:
    truth = turning()
    assert least_of_both_signs(BASELINES["rigid"](truth[..., :2]), truth) < 1e-6


def test_a_body_that_bends_is_found_better_by_those_that_let_it() -> None:
    truth = turning(bends=0.15)
    found = {
        name: least_of_both_signs(BASELINES[name](truth[..., :2]), truth) for name in BASELINES
    }
    assert found["bmm"] < 0.6 * found["rigid"] and found["pta"] < found["flat"]
    assert found["rigid"] < 0.4 * found["flat"]


@pytest.mark.parametrize("name", BASELINES)
def test_whatever_comes_the_answer_is_finite_and_projects_onto_the_picture(name) -> None:
    rng = np.random.default_rng(1)
    cases = [
        np.repeat(rng.standard_normal((1, 6, 2)), 12, axis=0),
        rng.standard_normal((2, 5, 2)),
        rng.standard_normal((1, 4, 2)),
        np.zeros((5, 3, 2)),
    ]
    for xy in cases:
        found = BASELINES[name](xy)
        assert found.shape == (*xy.shape[:2], 3) and np.isfinite(found).all()
    truth = turning(bends=0.2)
    found = BASELINES["bmm"](truth[..., :2])
    np.testing.assert_allclose(found[..., :2], truth[..., :2], atol=1e-6)


def test_retrieval_knows_what_it_has_seen() -> None:
    up = np.array([0.0, 1.0, 0.0])
    truth = turning(bends=0.3)
    views = [view_of(truth, look_from(a, 0.2, 0.0, up), up, 3.0) for a in (0.0, 1.5, 3.0)]
    found = Retrieval(views)(views[1].xy)
    assert errors(found, views[1].xyz_cam).fa_mpjpe < 1e-9


def test_gaps_are_filled_along_time() -> None:
    xy = np.arange(24.0).reshape(4, 3, 2)
    gaps = xy.copy()
    gaps[1:3, 0] = np.nan
    gaps[:, 2] = np.nan
    found = filled(gaps)
    np.testing.assert_allclose(found[:, :2], xy[:, :2])
    np.testing.assert_allclose(found[:, 2], xy[:, :2].mean(axis=1))
