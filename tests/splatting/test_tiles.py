"""Tile lists: complete (no touched pixel is missed), tight, sorted, the same on any number of
threads."""

from __future__ import annotations

import numpy as np
import pytest

from data.camera import Camera
from simd.threads import set_threads
from splatting import kernels
from splatting.cpu import pipeline
from splatting.cpu import screen as s
from splatting.splats import Splats

WIDTH, HEIGHT = 90, 70


def splats_of(seed: int, n: int = 1000, antialiased: bool = False) -> Splats:
    rng = np.random.default_rng(seed)
    f32 = np.float32
    z = rng.uniform(2, 6, n)
    xy = rng.uniform(-0.7, 0.7, (n, 2)) * z[:, None]
    return Splats(
        means=np.column_stack([xy, z]).astype(f32),
        log_scales=rng.uniform(-4, -0.5, (n, 3)).astype(f32),
        quats=rng.normal(size=(n, 4)).astype(f32),
        logit_opacities=rng.normal(0, 3, n).astype(f32),
        sh0=np.zeros((n, 3), f32),
        shN=np.zeros((n, 0, 3), f32),
        kernel=kernels.get("raised-cosine"),
        antialiased=antialiased,
    )


def drawn(splats: Splats) -> pipeline.Frame:
    intrinsics = np.array([[80.0, 0, WIDTH / 2], [0, 80.0, HEIGHT / 2], [0, 0, 1]])
    camera = Camera(intrinsics, np.eye(4), WIDTH, HEIGHT)
    return pipeline.forward(pipeline.Workspace(), splats, camera, 0, np.zeros(3))


def frame_of(seed: int, n: int = 1000) -> pipeline.Frame:
    return drawn(splats_of(seed, n))


def touched_tiles(record: np.ndarray) -> set[int]:
    """Tiles with a pixel centre inside the ellipse q <= q_cut, by trying every pixel."""
    record = record.astype(np.float64)
    y, x = np.mgrid[0 : -(-HEIGHT // s.TILE) * s.TILE, 0 : -(-WIDTH // s.TILE) * s.TILE] + 0.5
    dx = x - record[s.X_WHOLE] - record[s.X_PART]
    dy = y - record[s.Y_WHOLE] - record[s.Y_PART]
    a, b, c = record[s.CONIC_A], record[s.CONIC_B], record[s.CONIC_C]
    rows, columns = np.nonzero(a * dx**2 + 2 * b * dx * dy + c * dy**2 <= record[s.Q_CUT])
    return set((rows // s.TILE * -(-WIDTH // s.TILE) + columns // s.TILE).tolist())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_lists_are_complete_and_tight(seed: int) -> None:
    frame = frame_of(seed)
    listed: dict[int, set[int]] = {int(i): set() for i in frame.visible}
    for tile in range(len(frame.tile_start) - 1):
        for splat in frame.splat_of[frame.tile_start[tile] : frame.tile_start[tile + 1]]:
            listed[int(splat)].add(tile)
    spare = 0
    for splat, tiles in listed.items():
        needed = touched_tiles(frame.records[splat])
        assert needed <= tiles
        spare += len(tiles) - len(needed)
    # a tile may be listed although the ellipse passes between its pixel centres
    assert spare <= 0.1 * len(frame.splat_of)


def test_each_list_is_sorted_by_depth_and_pairs_are_a_permutation() -> None:
    frame = frame_of(3)
    depth = frame.records[:, s.DEPTH]
    for start, end in zip(frame.tile_start[:-1], frame.tile_start[1:], strict=True):
        assert np.all(np.diff(depth[frame.splat_of[start:end]]) >= 0)
    np.testing.assert_array_equal(np.sort(frame.pair_of), np.arange(len(frame.pair_of)))
    for j, splat in enumerate(frame.visible):
        own = np.sort(frame.pair_of[frame.splat_of == splat])
        expected = np.arange(frame.pair_start[j], frame.pair_start[j + 1])
        np.testing.assert_array_equal(own, expected)


def test_one_and_two_threads_agree_bit_for_bit() -> None:
    pictures = []
    for threads in (1, 2):
        set_threads(threads)
        frame = frame_of(4)
        pictures.append((frame.rgb.copy(), frame.splat_of.copy(), frame.depth.copy()))
    set_threads(None)
    for one, two in zip(*pictures, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize(
    "name", ["means", "log_scales", "quats", "logit_opacities", "sh0", "behind"]
)
def test_a_splat_that_is_no_number_disturbs_no_other(
    name: str, number: float, antialiased: bool
) -> None:
    splats = splats_of(5, 150, antialiased)
    if name == "behind":
        splats.means[7, 2] = -abs(number)
    else:
        getattr(splats, name)[7, ...] = number
    frame = drawn(splats)
    assert set(frame.splat_of.tolist()) <= set(range(150))
    # a disc, a rotation of that length, and full or no paint are something to draw
    flat, turned = name == "log_scales" and number < 0, name == "quats" and number == 3e38
    painted = name == "logit_opacities" and not np.isnan(number)
    if name != "sh0" and not (flat or turned or painted):
        assert 7 not in frame.visible
        rest = splats_of(5, 150, antialiased)
        rest.logit_opacities[7] = -50.0
        np.testing.assert_array_equal(frame.rgb, drawn(rest).rgb)


def test_buffers_begin_at_a_cache_line() -> None:
    work = pipeline.Workspace()
    for size, dtype in ((1, np.float32), (70, np.int16), (3000, np.uint64), (40, np.bool_)):
        assert work.take(f"{size}", (size,), dtype).ctypes.data % 64 == 0
