"""Readers of keypoints on spoilt files: animals that hold together, or the reader's own one-line
error; spoilt.py says what they must stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.keypoints import read_keypoints
from data.points3d import read_points3d
from tests.data import keypoint_files as files
from tests.data.spoilt import LIMITED, spoil

TEXT = (".csv", ".json")


def read(path: Path) -> None:
    for animal in read_keypoints(path):
        assert not np.isinf(animal.xy).any() and np.isfinite(animal.confidence).all()
        assert animal.xy.shape == (*animal.confidence.shape, 2)
        assert (np.diff(np.asarray(animal.frames)) > 0).all()


@LIMITED
@pytest.mark.parametrize("name", [*files.LAYOUTS, "rig.npz"])
def test_spoilt_keypoints(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix in (".h5", ".slp"):
        pytest.importorskip("h5py")
    if name == "rig.npz":
        rig = {"parents": np.array([-1, 0]), "joint_names": np.array(["a", "b"]), "up": "y"}
        np.savez(path, positions=np.zeros((4, 2, 3)), clip_lengths=np.array([2, 2]), **rig)
    else:
        writer, several = files.LAYOUTS[name]
        writer(path, files.clip(2 if several else 1))
    load = read_points3d if name == "rig.npz" else read
    spoil(path, lambda: load(path), name, path.suffix in TEXT)
