"""What masks hide leaves no trace; what an alpha channel makes transparent stays empty."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import data
from splatting.config import TrainConfig
from splatting.evaluation import evaluate
from splatting.export import load_ply
from splatting.rasterization import render
from splatting.training import train

SAMPLES = Path(data.__file__).parent / "samples"


def room_with(folder: Path, colour: int) -> data.Scene:
    """The room at half size, the left third of each photo painted over and masked."""
    scene = Path(shutil.copytree(SAMPLES / "synth_room", folder))
    (scene / "masks").mkdir()
    for view in data.load_scene(scene).views:
        photo = np.asarray(Image.open(view.image_path).convert("RGB")).copy()
        width = photo.shape[1] // 3
        photo[:, :width] = colour
        Image.fromarray(photo).save(view.image_path)
        mask = np.full(photo.shape[:2], 255, np.uint8)
        mask[:, :width] = 0
        Image.fromarray(mask).save(scene / "masks" / f"{Path(view.name).stem}.png")
    return data.load_scene(scene, data_factor=2)


def test_what_masks_hide_leaves_no_trace(tmp_path: Path) -> None:
    config = TrainConfig(steps=120, sh_degree=0)
    seen: list[float] = []
    white = room_with(tmp_path / "white", 255)
    one = train(white, config, lambda step, values: seen.append(values["psnr"])).splats
    other = train(room_with(tmp_path / "black", 0), config).splats
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, other.arrays()[name])
    assert seen[-1] > seen[0] + 3


def test_scores_are_of_what_counts(tmp_path: Path) -> None:
    """PSNR over the kept pixels, by hand."""
    scene = room_with(tmp_path / "room", 255)
    splats = train(scene, TrainConfig(steps=30, sh_degree=0)).splats
    view = scene.test[0]
    score = evaluate(splats, [view], perceptual=False)["psnr"]
    kept, wrong = view.kept(), (np.clip(render(splats, view.camera).rgb, 0, 1) - view.image()) ** 2
    assert kept is not None
    error = (wrong * (kept > 0.5)[..., None]).sum() / (3 * (kept > 0.5).sum())
    assert score == pytest.approx(-10 * np.log10(error), abs=0.05)


def test_what_is_transparent_stays_empty(tmp_path: Path) -> None:
    """Known splats, photographed with their alpha. Without it, black paint behind them is as good
    as none."""
    scene = Path(shutil.copytree(SAMPLES / "synth_splats", tmp_path / "scene"))
    truth = load_ply(scene / "gt_splats.ply")
    cameras = {view.name: view for view in data.load_scene(scene).views}
    alphas = {}
    for name, view in cameras.items():
        drawn = render(truth, view.camera)
        alphas[name] = drawn.alpha
        straight = drawn.rgb / np.maximum(drawn.alpha, 1e-6)[..., None]
        rgba = np.concatenate([np.clip(straight, 0, 1), drawn.alpha[..., None]], axis=2)
        view.image_path.unlink()
        Image.fromarray(np.rint(255 * rgba).astype(np.uint8)).save(
            view.image_path.with_suffix(".png")
        )
    errors = []
    for alpha in ("transparent", "mask"):
        loaded = data.load_scene(scene, 2, train_on_all=True, alpha=alpha)
        splats = train(loaded, TrainConfig(steps=150, sh_degree=0, drop=0.0)).splats
        view = loaded.views[0]
        empty = alphas[view.name][::2, ::2][: view.camera.height, : view.camera.width] < 0.05
        errors.append(render(splats, view.camera).alpha[empty].mean())
    assert errors[0] < 0.05 and errors[0] < 0.5 * errors[1]
