"""Batches of splats as columns: which patches each reaches, against every pixel asked by itself."""

from __future__ import annotations

import numpy as np
import pytest

from splatting.cpu import screen as s
from splatting.cpu import splat_columns as sc


def records(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = np.zeros((count, s.WIDTH), np.float32)
    position = rng.uniform(90, 138, (count, 2))
    made[:, [s.X_WHOLE, s.Y_WHOLE]] = np.floor(position)
    made[:, [s.X_PART, s.Y_PART]] = position - np.floor(position)
    angle, long, short = rng.uniform(0, np.pi, count), rng.uniform(0.6, 30, count), 0.6
    u, v = np.cos(angle), np.sin(angle)
    made[:, s.CONIC_A] = u * u / long**2 + v * v / short**2
    made[:, s.CONIC_B] = u * v * (1 / long**2 - 1 / short**2)
    made[:, s.CONIC_C] = v * v / long**2 + u * u / short**2
    made[:, s.OPACITY] = rng.uniform(0.1, 1, count)
    made[:, s.Q_CUT] = rng.uniform(0.1, 6, count)
    made[:, [s.RED, s.GREEN, s.BLUE, s.DEPTH]] = rng.uniform(0, 5, (count, 4))
    return made


@pytest.mark.parametrize("count", [1, 16, 37, 64])
def test_the_patches_reached(count: int) -> None:
    made = records(count, count)
    tile_x, tile_y = 96, 96
    batch, words = np.full(sc.SIZE, np.nan, np.float32), np.ones(sc.PATCHES, np.uint64)
    table = np.array([[1, -0.5], [0, -0.5]], np.float32)
    order = np.arange(count, dtype=np.int32)
    sc.fetch(made, order, 0, count, tile_x, tile_y, table, batch)
    sc.reach(batch, count, words)
    y, x = np.mgrid[: s.TILE, : s.TILE] + 0.5
    for i, record in enumerate(made.astype(np.float64)):
        dx = x + tile_x - record[s.X_WHOLE] - record[s.X_PART]
        dy = y + tile_y - record[s.Y_WHOLE] - record[s.Y_PART]
        q = record[s.CONIC_A] * dx**2 + 2 * record[s.CONIC_B] * dx * dy + record[s.CONIC_C] * dy**2
        for patch in range(sc.PATCHES):
            row, column = divmod(patch, sc.SIDE)
            rows = slice(row * sc.PATCH, (row + 1) * sc.PATCH)
            smallest = q[rows, column * sc.PATCH : (column + 1) * sc.PATCH].min()
            reached = bool(int(words[patch]) >> i & 1)
            # a patch may be reached between its pixel centres, but none that paints is left out
            assert reached or smallest > record[s.Q_CUT] * (1 - 1e-4)
    assert all(int(word) < 1 << count for word in words)


def test_what_is_fetched() -> None:
    made = records(3, 0)
    batch = np.zeros(sc.SIZE, np.float32)
    table = np.array([[1, -0.5], [0, -0.5]], np.float32)
    sc.fetch(made, np.array([9, 2, 0], np.int32), 1, 2, 90, 80, table, batch)
    for i, splat in enumerate((2, 0)):
        record = made[splat]
        assert batch[sc.X + i] == pytest.approx(record[s.X_WHOLE] + record[s.X_PART] - 90)
        assert batch[sc.Y + i] == pytest.approx(record[s.Y_WHOLE] + record[s.Y_PART] - 80)
        assert batch[sc.TWO_B + i] == 2 * record[s.CONIC_B] == 2 * batch[sc.B + i]
        assert batch[sc.PAINT + i] == record[s.OPACITY]
        assert batch[sc.PAINT + sc.BATCH + i] == np.float32(-0.5) * record[s.OPACITY]
        assert batch[sc.SLOPE + i] == 0
