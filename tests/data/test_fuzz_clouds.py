"""Readers of clouds and meshes on spoilt files: finite points, or the reader's own one-line error;
spoilt.py says what they must stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.clouds import read_cloud
from data.labelled_clouds import read_labelled_clouds
from tests.data.cloud_files import CLOUDS, MESHES, TEXT
from tests.data.spoilt import LIMITED, spoil
from tests.pointcloud.solids import made_clouds, write_npz


@pytest.mark.filterwarnings("error")
@LIMITED
@pytest.mark.parametrize("name", [*CLOUDS, *MESHES])
def test_spoilt_clouds(name: str, tmp_path: Path) -> None:
    def read(path: Path) -> None:
        cloud = read_cloud(path)
        assert len(cloud) and np.isfinite(cloud.xyz).all()
        assert cloud.normals is None or np.isfinite(cloud.normals).all()
        assert all(len(a) == len(cloud) for a in (cloud.rgb, cloud.labels) if a is not None)

    (CLOUDS | MESHES)[name](tmp_path / name)
    file = tmp_path / name
    spoil(file, lambda: read(file), name, name in TEXT)


@LIMITED
def test_spoilt_archives_of_labelled_clouds(tmp_path: Path) -> None:
    def read(path: Path) -> None:
        found = read_labelled_clouds(path)
        assert len(found.clouds) == len(found.labels) == len(found.groups)
        assert all(len(cloud) and np.isfinite(cloud).all() for cloud in found.clouds)

    file = tmp_path / "a.npz"
    write_npz(file, made_clouds(("ball", "rod"), 3), dup_group=np.arange(6) // 2)
    spoil(file, lambda: read(file), "labelled.npz", text=False)
