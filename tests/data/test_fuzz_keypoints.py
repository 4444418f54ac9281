"""Readers of keypoints on spoilt files: animals that hold together, or the reader's own one-line
error; as tests/data/test_fuzz.py for scenes."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from data.errors import UserError
from data.keypoints import read_keypoints
from data.points3d import read_points3d
from tests.data import keypoint_files as files
from tests.data.test_fuzz import COUNT, SLACK_BYTES, SLOWEST_S, mutated

TEXT = (".csv", ".json")


def read(path: Path) -> None:
    for animal in read_keypoints(path):
        assert not np.isinf(animal.xy).any() and np.isfinite(animal.confidence).all()
        assert animal.xy.shape == (*animal.confidence.shape, 2)
        assert (np.diff(np.asarray(animal.frames)) > 0).all()


@pytest.mark.timeout(24 * 3600 if COUNT > 300 else 300)
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
    good = path.read_bytes()
    load = read_points3d if name == "rig.npz" else read
    load(path)
    refused = 0
    for number in range(COUNT):
        rng = np.random.default_rng([number, *name.encode()])
        content = mutated(good, rng, path.suffix in TEXT)
        path.write_bytes(content)
        tracemalloc.start()
        started = time.process_time()
        try:
            load(path)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error), (name, number)
        except Exception as error:
            raise AssertionError(f"{name}, mutation {number}: {error!r}") from error
        finally:
            seconds = time.process_time() - started
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert seconds < SLOWEST_S, (name, number, seconds)
        assert peak < 10 * len(content) + SLACK_BYTES, (name, number, peak)
    assert refused, "no mutation was refused: the test changes nothing"
