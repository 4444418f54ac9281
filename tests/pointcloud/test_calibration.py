"""What is unlike the training data: hand-computed distances, the share that is flagged."""

from __future__ import annotations

import numpy as np
import pytest

from pointcloud.calibration import (
    Familiarity,
    fitted_familiarity,
    fitted_temperature,
    lifted_classes,
    probabilities,
)


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of two classes, about (1, 0, 0) and (0, 1, 0): wide along the third axis alone."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, count)
    noise = generator.normal(size=(count, 3)) * (0.01, 0.01, 0.3)
    return np.eye(3)[labels] + noise, labels


def test_the_distance_is_that_of_unit_features_to_the_nearest_class() -> None:
    known = Familiarity(np.diag([1.0, 2.0, 1.0]), np.array([[1.0, 0, 0], [0, 2, 0]]), 0.9)
    found = known.distance(np.array([[3.0, 0, 0], [0, 5, 0], [0, 0, 2], [0.6, 0.8, 0]]))
    # whitened: (1, 0, 0), (0, 2, 0), (0, 0, 1), (0.6, 1.6, 0)
    np.testing.assert_allclose(found, [0, 0, 2, 0.36 + 0.16], atol=1e-12)
    assert known.unlike(np.array([[0, 0, 2.0], [0.6, 0.8, 0]])).tolist() == [True, False]


def test_directions_count_by_how_wide_the_classes_are() -> None:
    seen, labels = drawn(4000)
    known = fitted_familiarity(seen, labels, drawn(1000, 1)[0])
    # the same angle from a class's mean: along what varies, and across it
    assert known.unlike(np.array([[1, 0, 0.35], [1, -0.35, 0]])).tolist() == [False, True]


@pytest.mark.parametrize("share", [0.02, 0.05])
def test_the_share_of_held_out_clouds_that_is_flagged(share: float) -> None:
    seen, labels = drawn(4000)
    held_out = drawn(1000, 1)[0]
    known = fitted_familiarity(seen, labels, held_out, share)
    assert known.unlike(held_out).mean() == share
    half = [np.float32(np.float16(a)) for a in (known.whitening, known.means)]
    assert Familiarity(half[0], half[1], known.most).unlike(held_out).mean() == share


def test_few_clouds_of_many_features_and_a_class_without_any() -> None:
    generator = np.random.default_rng(0)
    seen = np.repeat(np.eye(64)[:2], 3, 0) + 0.1 * generator.normal(size=(6, 64))
    known = fitted_familiarity(seen, np.repeat([0, 2], 3), seen + 0.01)
    assert known.means.shape == (2, 64) and np.isfinite(known.most)
    assert known.unlike(-seen).all() and known.unlike(seen).mean() < 0.5


def test_clouds_that_are_all_the_same() -> None:
    known = fitted_familiarity(np.ones((4, 3)), np.zeros(4, int), np.ones((2, 3)))
    assert known.unlike(np.array([[1.0, 1, 1], [1, 1, -1]])).tolist() == [False, True]


def test_a_few_right_answers_do_not_make_a_model_certain() -> None:
    scores, labels = np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([0, 1])
    # without what is believed beforehand the best temperature would be the least one allowed
    assert 0.4 < fitted_temperature(scores, labels) < 1.0
    many = np.tile(scores, (2000, 1)), np.tile(labels, 2000)
    assert fitted_temperature(*many) < 0.3


def test_lifting_all_the_way_gives_what_equally_common_classes_would() -> None:
    # two classes of which one is nine times as common, told apart by nothing: Bayes says 9 to 1
    labels = np.repeat([0, 1], [90, 10])
    lifted = lifted_classes(labels, 3, 1.0)
    np.testing.assert_allclose(lifted, [0.0, np.log(9.0), 0.0])
    scores = np.log([[0.9, 0.1, 1e-9]]) + lifted
    np.testing.assert_allclose(probabilities(scores)[0, :2], [0.5, 0.5], atol=1e-8)
    np.testing.assert_allclose(lifted_classes(labels, 2, 0.5), [0.0, np.log(3.0)])
