"""The plan for memory: what fits is given, what does not is cut or refused in time."""

from __future__ import annotations

import pytest

from app.memory import BYTES_A_SPLAT, _free_bytes, plan
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


@pytest.mark.parametrize(
    ("limit", "used", "below"),
    [
        ("memory.max", "memory.current", "."),
        ("memory.max", "memory.current", "user.slice"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory/docker/1"),
    ],
)
def test_the_limit_of_a_container_counts_but_not_the_files_it_caches(tmp_path, limit, used, below):
    """Reading a large scene fills the container with pages that it gives back when asked."""
    (tmp_path / below).mkdir(exist_ok=True, parents=True)
    (tmp_path / "own").write_text("4:memory:/docker/1/job\n0::/user.slice/session\n")
    for name, content in (
        (limit, "8000000"),
        (used, "7900000"),
        ("memory.stat", "anon 400000\nactive_file 500000\ninactive_file 7000000"),
    ):
        (tmp_path / below / name).write_text(content + "\n")
    assert _free_bytes(tmp_path, tmp_path / "own") == 100_000 + 7_500_000
    (tmp_path / below / limit).write_text("max\n")
    assert _free_bytes(tmp_path, tmp_path / "own") > 1e8
    assert _free_bytes(tmp_path, tmp_path / "none") > 1e8
