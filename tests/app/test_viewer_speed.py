"""How large a picture may be: the cost of splats and of pixels are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from app.viewer.speed import MORE, Speed

FULL = 640 * 480


def driven(fixed_s: float, pixel_s: float, budget_s: float, noise: float = 0.0) -> tuple:
    """Pixels and seconds of the last pictures of a camera that moves on and on."""
    rng, speed, drawn = np.random.default_rng(0), Speed(), []
    for _ in range(200):
        pixels = min(speed.pixels_in(budget_s), FULL)
        seconds = (fixed_s + pixel_s * pixels) * float(np.exp(noise * rng.normal()))
        speed.add(pixels, seconds)
        drawn.append((pixels, seconds))
    return tuple(np.median(drawn[-50:], axis=0))


def test_a_fast_scene_is_drawn_whole():
    assert driven(0.01, 1e-7, 1 / 15)[0] == FULL


def test_pixels_fill_the_time_that_splats_leave():
    _pixels, seconds = driven(0.02, 1e-6, 1 / 15)
    assert seconds == pytest.approx(1 / 15, rel=0.05)


def test_a_scene_whose_splats_take_all_the_time_does_not_shrink_to_nothing():
    pixels, _seconds = driven(0.2, 1e-6, 1 / 15)
    assert pixels == pytest.approx(MORE * 0.2 / 1e-6, rel=0.15)


def test_noise_does_not_run_away():
    pixels, seconds = driven(0.02, 1e-6, 1 / 15, noise=0.3)
    assert 0.03 < seconds < 0.12 and pixels > 10_000


def test_a_picture_that_waited_for_the_compiler_is_no_measure():
    speed = Speed()
    speed.add(1e5, 60.0)
    assert speed.pixels_in(1 / 15) > 1e5


def test_a_scene_that_grows_slow_is_noticed_at_once():
    speed = Speed()
    for _ in range(50):
        speed.add(FULL, 0.03)
    for _ in range(3):
        speed.add(FULL, 0.5)
    assert speed.pixels_in(1 / 15) < FULL / 2
