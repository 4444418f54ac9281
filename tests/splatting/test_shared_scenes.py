"""Every real scene at hand trains as it is, without an edit, and beats a picture of one colour."""

from __future__ import annotations

import numpy as np
import pytest

from data import load_scene
from splatting import metrics
from splatting.config import TrainConfig
from splatting.rasterization import render
from splatting.training import train

FACTORS = {
    "fox": 4, "banana": 4, "sceaux": 4, "sceaux_full": 12, "sacre_coeur": 4, "king": 4,
    "lund_subdirs": 4, "lego": 2, "synth_room": 2, "synth_room_lens": 2, "synth_splats": 2,
}  # fmt: skip


@pytest.mark.parametrize("name", FACTORS)
def test_two_hundred_steps_beat_the_mean_colour(shared_scenes, name: str) -> None:
    scene = load_scene(shared_scenes / name, FACTORS[name])
    splats = train(scene, TrainConfig(steps=200, drop=0.0)).splats
    gains = []
    for view in scene.train[:: -(-len(scene.train) // 8)]:
        photo = view.image()
        flat = np.broadcast_to(photo.mean(axis=(0, 1)), photo.shape).astype(np.float32)
        drawn = np.clip(render(splats, view.camera).rgb, 0, 1)
        gains.append(metrics.psnr(drawn, photo) - metrics.psnr(flat, photo))
    assert np.mean(gains) > 3, gains
