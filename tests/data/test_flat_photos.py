"""Undistorted photos in the cache: the same pixels with it, without it, and when it is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data import flat_photos, load_scene
from data.scene import View
from tests.data.model_files import binary_model, smooth_photo


@pytest.fixture
def bent(tmp_path, monkeypatch) -> View:
    """A photo of a bending lens, shrunk, and a cache of its own."""
    monkeypatch.setenv("DARB3D_CACHE", str(tmp_path / "cache"))
    lens = (1, 2, 40, 30, (50.0, 20.0, 15.0, -0.5))
    binary_model(tmp_path / "sparse/0", ["a.png", "b.png"], [lens])
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(smooth_photo(40, 30)).save(tmp_path / "images" / name)
    return load_scene(tmp_path, data_factor=2).views[0]


def kept_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "photos").glob("*.npy"))


def test_the_second_reading_undistorts_nothing(bent, tmp_path, monkeypatch):
    first = bent.image()
    assert len(kept_files(tmp_path)) == 1
    monkeypatch.setattr("data.scene.undistort", None)
    np.testing.assert_array_equal(bent.image(), first)


def test_another_photo_or_another_lens_is_another_entry(bent, tmp_path):
    from dataclasses import replace

    first = bent.image()
    Image.fromarray(255 - smooth_photo(40, 30)).save(bent.image_path)
    assert np.abs(bent.image() - first).max() > 0.1
    replace(bent, lens=replace(bent.lens, coefficients=(-0.4,))).image()
    assert len(kept_files(tmp_path)) == 3


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY broken", b"x" * 100])
def test_a_broken_entry_is_made_anew(bent, tmp_path, content):
    first = bent.image()
    (entry,) = kept_files(tmp_path)
    entry.write_bytes(content)
    np.testing.assert_array_equal(bent.image(), first)


def test_a_cache_that_cannot_be_written_costs_time_alone(bent, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DARB3D_CACHE", str(tmp_path / "file"))
    assert bent.image().shape == (bent.camera.height, bent.camera.width, 3)


def test_it_stays_within_its_limit(bent, tmp_path, monkeypatch):
    bent.image()
    monkeypatch.setattr(flat_photos, "LIMIT_BYTES", 10)
    flat_photos.tidy()
    assert kept_files(tmp_path) == []
