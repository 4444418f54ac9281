"""Known Gaussians: our picture of them equals the truth to 1e-4 at every pixel, and survives a
file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import data
from splatting.export import load_ply, save_ply
from splatting.rasterization import render

SAMPLE = Path(data.__file__).parent / "samples" / "synth_splats"


def check_against_truth(folder: Path, window: tuple[int, int, int, int] | None) -> int:
    truth = np.load(folder / "gt_float.npz")
    splats, scene = load_ply(folder / "gt_splats.ply"), data.load_scene(folder)
    seen = 0
    for view in scene.views:
        stem = Path(view.name).stem.split("_")[-1]
        if f"rgb_{stem}" not in truth:
            continue
        drawn = render(splats, view.camera)
        x, y, w, h = window or (0, 0, view.camera.width, view.camera.height)
        part = (slice(y, y + h), slice(x, x + w))
        assert np.abs(drawn.rgb[part] - truth[f"rgb_{stem}"]).max() < 1e-4
        assert np.abs(drawn.alpha[part] - truth[f"alpha_{stem}"]).max() < 1e-4
        # depths reach 4 units: the same relative precision
        assert np.abs(drawn.depth[part] - truth[f"depthsum_{stem}"]).max() < 4e-4
        seen += 1
    return seen


def test_bundled_splats_match_the_truth_at_every_pixel() -> None:
    window = tuple(int(v) for v in np.load(SAMPLE / "gt_float.npz")["window"])
    assert check_against_truth(SAMPLE, window) == 3


def test_whole_pictures_match_the_truth_at_every_pixel(shared_scenes: Path) -> None:
    assert check_against_truth(shared_scenes / "synth_splats", None) == 3


def test_the_picture_is_the_same_after_export_and_import(tmp_path: Path) -> None:
    splats, view = load_ply(SAMPLE / "gt_splats.ply"), data.load_scene(SAMPLE).views[0]
    save_ply(tmp_path / "again.ply", splats)
    before = render(splats, view.camera)
    after = render(load_ply(tmp_path / "again.ply"), view.camera)
    assert np.abs(before.rgb - after.rgb).max() <= 1e-6


def test_background_shows_through_what_is_not_covered() -> None:
    splats, view = load_ply(SAMPLE / "gt_splats.ply"), data.load_scene(SAMPLE).views[0]
    black = render(splats, view.camera)
    red = render(splats, view.camera, background=(1.0, 0.0, 0.0))
    np.testing.assert_allclose(red.rgb[..., 0] - black.rgb[..., 0], 1 - black.alpha, atol=1e-6)
    np.testing.assert_array_equal(red.rgb[..., 1], black.rgb[..., 1])


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_fewer_harmonics_than_stored_can_be_drawn(degree: int) -> None:
    splats, view = load_ply(SAMPLE / "gt_splats.ply"), data.load_scene(SAMPLE).views[0]
    fewer = render(splats, view.camera, sh_degree=degree)
    assert np.isfinite(fewer.rgb).all()
    assert degree == 2 or np.abs(fewer.rgb - render(splats, view.camera).rgb).max() > 1e-3
