"""Clips at times between their frames."""

from __future__ import annotations

import numpy as np
import pytest

from lifting.clips import quickly_resampled, resampled

PHASES = np.random.default_rng(0).uniform(0, 6, (5, 3))


def walk(frames: int) -> np.ndarray:
    return np.sin(0.3 * np.arange(frames)[:, None, None] + PHASES)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 60])
def test_both_ways_go_through_the_frames_and_agree_away_from_the_ends(frames) -> None:
    xyz, whole = walk(frames), np.arange(frames, dtype=float)
    for way in (resampled, quickly_resampled):
        np.testing.assert_allclose(way(xyz, whole), xyz, atol=1e-12)
    if frames > 40:
        places = np.linspace(15, frames - 16, 77)
        truth = np.sin(0.3 * places[:, None, None] + PHASES)
        np.testing.assert_allclose(quickly_resampled(xyz, places), truth, atol=2e-4)
        np.testing.assert_allclose(
            quickly_resampled(xyz, places), resampled(xyz, places), atol=1e-7
        )


def test_beyond_an_end_lies_its_mirror_image() -> None:
    xyz = walk(8)
    twice = np.concatenate([xyz, xyz[-2::-1]])  # 0 ... 7 ... 0
    places = np.array([6.25, 6.75])
    there, back = quickly_resampled(twice, places), quickly_resampled(twice, 14 - places)
    np.testing.assert_allclose(there, back, atol=1e-12)
    np.testing.assert_allclose(quickly_resampled(xyz, places), there, atol=1e-12)
