"""The plan for memory: what fits is given, what does not is cut or refused in time."""

from __future__ import annotations

import pytest

from app.memory import BYTES_A_SPLAT, plan
from data import load_scene
from data.errors import UserError


@pytest.fixture(scope="module")
def scene(banana):
    return load_scene(banana)


def test_plenty(scene):
    found = plan(scene, 100_000, None, free_bytes=16e9)
    photos = 4 * 13 * 500 * 332
    assert found.max_splats == 100_000 and found.cache_bytes == 4e9
    assert found.peak_bytes == pytest.approx(0.3e9 + 120 * 500 * 332 + photos + 1600 * 100_000)
    assert found.note == "memory: about 0.5 GB at most, 16.0 GB are free"


def test_splats_are_cut_to_what_fits(scene):
    found = plan(scene, 10_000_000, None, free_bytes=2e9)
    assert found.max_splats < 1_000_000 and found.peak_bytes <= 0.9 * 2e9 + BYTES_A_SPLAT
    assert f"at most {found.max_splats:,} splats fit" in found.note


def test_photos_are_decoded_anew_where_they_do_not_fit(scene):
    found = plan(scene, 10_000, 0.001, free_bytes=2e9)
    assert found.cache_bytes == 1e6 and "of the photos stay decoded" in found.note


def test_too_little_is_refused(scene):
    with pytest.raises(UserError, match=r"expected 0\.\d GB free .*found 0\.3 GB; .*--data-factor"):
        plan(scene, 10_000, None, free_bytes=0.3e9)
