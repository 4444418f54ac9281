"""Two threads at once on numba's workqueue layer, which dies when entered twice without a gate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import threading
import numpy as np
import data, numba
from splatting.config import TrainConfig
from splatting.export import load_ply
from splatting.rasterization import render
from splatting.training import train

scene = data.load_scene("data/samples/synth_room", data_factor=2)
splats = load_ply("data/samples/synth_splats/gt_splats.ply")
view = data.load_scene("data/samples/synth_splats").views[0]
alone = render(splats, view.camera).rgb
wrong = []

def look():
    for _ in range(30):
        if not np.array_equal(render(splats, view.camera).rgb, alone):
            wrong.append(1)

lookers = [threading.Thread(target=look) for _ in range(2)]
for looker in lookers:
    looker.start()
train(scene, TrainConfig(steps=30, refine_every=10, refine_from=0.0, sh_degree=1))
for looker in lookers:
    looker.join()
assert not wrong
print("layer", numba.threading_layer())
"""


@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_training_and_two_viewers_share_the_loops(layer: str) -> None:
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert layer == "default" or "layer workqueue" in result.stdout
