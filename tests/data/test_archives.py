"""Scenes in a .zip: read as the folder is, unpacked once, and refused where unsafe."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from data import load_scene, user_cache
from data.archives import unpacked
from data.errors import UserError
from tests.data.model_files import small_scene


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("DARB3D_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def packed(folder: Path, out: Path, below: str) -> Path:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, Path(below) / file.relative_to(folder))
    return out


@pytest.mark.parametrize("below", ["", "my scene"])
def test_it_is_read_as_the_folder_is(tmp_path, cache, below):
    folder = small_scene(tmp_path / "scene", 4)
    archive = packed(folder, tmp_path / "Walk.zip", below)
    scene, plain = load_scene(archive, 2), load_scene(folder, 2)
    assert scene.name == "Walk" and len(scene.views) == len(plain.views)
    np.testing.assert_array_equal(scene.views[1].image(), plain.views[1].image())
    assert scene.path.is_relative_to(cache)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Walk.zip", "cache", "scene"]


def test_it_is_unpacked_once_and_again_when_it_changes(tmp_path):
    folder = small_scene(tmp_path / "scene", 4)
    archive = packed(folder, tmp_path / "a.zip", "")
    first = unpacked(archive)
    (first / "mark").touch()
    assert (unpacked(archive) / "mark").exists()
    packed(small_scene(tmp_path / "other", 5), archive, "")
    assert not (unpacked(archive) / "mark").exists()


def of_members(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "C:\\out.txt"])
def test_members_that_lead_out_are_refused(tmp_path, name):
    archive = of_members(tmp_path / "bad.zip", {name: b"x"})
    with pytest.raises(UserError, match=r"bad\.zip: expected files below one folder"):
        unpacked(archive)
    assert not (tmp_path / "out.txt").exists()


def test_what_would_fill_the_disk_is_refused(tmp_path):
    archive = of_members(tmp_path / "bomb.zip", {"zeros": bytes(300_000_000)})
    with pytest.raises(UserError, match=r"found 0\.3 GB in 0\.3 MB"):
        unpacked(archive)


@pytest.mark.parametrize("spoil", ["cut", "text", "none", "flipped"])
def test_broken_archives_are_one_line(tmp_path, cache, spoil):
    good = packed(small_scene(tmp_path / "scene", 4), tmp_path / "a.zip", "")
    content = bytearray(good.read_bytes())
    bad = tmp_path / "bad.zip"
    if spoil == "cut":
        bad.write_bytes(content[: len(content) // 2])
    elif spoil == "text":
        bad.write_text("nothing")
    elif spoil == "flipped":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            start = archive.infolist()[-1].header_offset + 60
        content[start : start + 20] = bytes(20)
        bad.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.zip") as caught:
        load_scene(bad)
    assert "\n" not in str(caught.value)
    assert not list(cache.rglob("*.png"))  # nothing half unpacked stays


def test_the_cache_forgets_what_was_used_longest_ago(tmp_path):
    import os

    for age, name in enumerate("abcd"):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    user_cache.keep_below(tmp_path, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
