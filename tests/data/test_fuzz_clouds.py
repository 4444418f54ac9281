"""Readers of clouds and meshes on spoilt files: finite points, or the reader's own one-line error;
as tests/data/test_fuzz.py for scenes."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.clouds import read_cloud
from data.errors import UserError
from data.labelled_clouds import read_labelled_clouds
from tests.data.cloud_files import CLOUDS, MESHES, TEXT
from tests.data.test_fuzz import COUNT, SLACK_BYTES, SLOWEST_S, mutated
from tests.pointcloud.solids import made_clouds, write_npz

SPOILT = pytest.mark.timeout(24 * 3600 if COUNT > 300 else 300)


@pytest.mark.filterwarnings("error")
@SPOILT
@pytest.mark.parametrize("name", [*CLOUDS, *MESHES])
def test_spoilt_clouds(name: str, tmp_path: Path) -> None:
    def read(path: Path) -> None:
        cloud = read_cloud(path)
        assert len(cloud) and np.isfinite(cloud.xyz).all()
        assert cloud.normals is None or np.isfinite(cloud.normals).all()
        assert all(len(a) == len(cloud) for a in (cloud.rgb, cloud.labels) if a is not None)

    (CLOUDS | MESHES)[name](tmp_path / name)
    spoil(tmp_path / name, read)


@SPOILT
def test_spoilt_archives_of_labelled_clouds(tmp_path: Path) -> None:
    def read(path: Path) -> None:
        found = read_labelled_clouds(path)
        assert len(found.clouds) == len(found.labels) == len(found.groups)
        assert all(len(cloud) and np.isfinite(cloud).all() for cloud in found.clouds)

    write_npz(tmp_path / "a.npz", made_clouds(("ball", "rod"), 3), dup_group=np.arange(6) // 2)
    spoil(tmp_path / "a.npz", read)


def spoil(path: Path, read: Callable[[Path], None]) -> None:
    """Read a good file, then mutations of it."""
    good, name = path.read_bytes(), path.name
    read(path)
    refused = 0
    for number in range(COUNT):
        rng = np.random.default_rng([number, *name.encode()])
        content = mutated(good, rng, name in TEXT)
        path.write_bytes(content)
        tracemalloc.start()
        started = time.process_time()
        try:
            read(path)
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
    assert refused > COUNT / 20, "hardly a mutation was refused: the test changes nothing"
