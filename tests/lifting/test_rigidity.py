"""Edges from tracks alone."""

from __future__ import annotations

import numpy as np
import pytest

from lifting import rigidity
from lifting.rigidity import infer_edges


def tracks(frames: int, joints: int) -> np.ndarray:
    rng = np.random.default_rng(frames)
    xy = np.cumsum(rng.standard_normal((frames, joints, 2)), axis=0)
    xy[rng.random((frames, joints)) < 0.2] = np.nan
    return xy


def test_a_stick_figure_hangs_together_by_its_bones() -> None:
    """Two arms that swing about a body: each end belongs to its own arm."""
    turn = np.linspace(0, 2 * np.pi, 60)
    body = np.zeros((60, 2))
    left = body + np.stack([np.cos(turn), np.sin(turn)], 1)
    right = np.array([5.0, 0.0]) + np.stack([np.cos(3 * turn), np.sin(3 * turn)], 1)
    xy = np.stack([body, left, body + np.array([5.0, 0.0]), right], axis=1)
    found = {frozenset(edge) for edge in infer_edges(xy).tolist()}
    assert frozenset((0, 1)) in found and frozenset((2, 3)) in found and len(found) == 3


@pytest.mark.parametrize("frames", [1, 2, 6, 40])
def test_a_pair_costs_about_its_length_and_what_that_changes(frames: int, monkeypatch) -> None:
    xy = tracks(frames, 9)
    monkeypatch.setattr(rigidity, "_AT_ONCE", 2 * frames * 9)  # two joints at a time, then one
    cost = rigidity._costs(xy)
    for a in range(9):
        for b in range(9):
            apart = np.linalg.norm(xy[:, a] - xy[:, b], axis=1)
            apart = apart[np.isfinite(apart)]
            known = a != b and len(apart) > 0
            wanted = np.quantile(apart, 0.9) + apart.std() if known else np.inf
            assert cost[a, b] == pytest.approx(wanted)


def test_joints_that_are_never_seen_together_share_no_edge() -> None:
    xy = tracks(20, 5)
    xy[:10, 3:], xy[10:, :3] = np.nan, np.nan
    found = infer_edges(xy)
    assert len(found) == 3 and all((a < 3) == (b < 3) for a, b in found.tolist())
    assert infer_edges(np.full((4, 3, 2), np.nan)).shape == (0, 2)


def test_names_keep_the_sides_apart_and_alike() -> None:
    """Two feet side by side under a body: without names they hang together."""
    rng = np.random.default_rng(3)
    body = np.cumsum(0.1 * rng.standard_normal((30, 1, 2)), axis=0)
    places = np.array([[0.0, 2.0], [-0.4, 1.0], [0.4, 1.0], [-0.3, 0.0], [0.3, 0.0]])
    xy = body + places
    names = ("hips", "left_knee", "right_knee", "left_paw", "right_paw")

    def found(*words: str) -> set[frozenset[int]]:
        return {frozenset(edge) for edge in infer_edges(xy, words).tolist()}

    legs = {frozenset(pair) for pair in ((0, 1), (0, 2), (1, 3), (2, 4))}
    assert found() != legs and found(*names) == legs
    xy[:, 3] = np.nan  # never seen: it hangs where the other paw does
    assert found(*names) == legs


def test_neighbours_in_a_list_of_names_are_likelier_neighbours() -> None:
    """A folded leg, whose ankle comes nearer to the hip than its knee does."""
    leg = np.array([[[0.0, 0.0], [0.8, -0.5], [0.05, -0.7], [0.6, -1.0]]])
    names = ("hip", "knee", "ankle", "foot")

    def found(*words: str) -> set[frozenset[int]]:
        return {frozenset(edge) for edge in infer_edges(leg, words).tolist()}

    assert frozenset((0, 2)) in found()
    assert found(*names) == {frozenset(pair) for pair in ((0, 1), (1, 2), (2, 3))}
