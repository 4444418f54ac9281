"""Readers of clouds and meshes on spoilt files: finite points, or the reader's own one-line error;
as tests/data/test_fuzz.py for scenes."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from data.clouds import read_cloud
from data.errors import UserError
from tests.data.cloud_files import CLOUDS, MESHES, TEXT
from tests.data.test_fuzz import COUNT, SLACK_BYTES, SLOWEST_S, mutated


@pytest.mark.filterwarnings("error")
@pytest.mark.timeout(24 * 3600 if COUNT > 300 else 300)
@pytest.mark.parametrize("name", [*CLOUDS, *MESHES])
def test_spoilt_clouds(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    (CLOUDS | MESHES)[name](path)
    good = path.read_bytes()
    read_cloud(path)
    refused = 0
    for number in range(COUNT):
        rng = np.random.default_rng([number, *name.encode()])
        content = mutated(good, rng, name in TEXT)
        path.write_bytes(content)
        tracemalloc.start()
        started = time.process_time()
        try:
            cloud = read_cloud(path)
            assert len(cloud) and np.isfinite(cloud.xyz).all()
            assert cloud.normals is None or np.isfinite(cloud.normals).all()
            assert all(len(a) == len(cloud) for a in (cloud.rgb, cloud.labels) if a is not None)
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
