"""What stands in a motion page: shapes, turns, colours, places, the picture of the 2D input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import data
from app.viewer.colour_maps import BACKGROUND, LEFT, RIGHT, UNKNOWN, named, scaled
from app.viewer.error_panel import BINS, binned
from app.viewer.flat_figure import ERROR, extent, flat_figure
from app.viewer.limb_colours import BY_LIMB, BY_SIDE, choices, joint_colours, limbs
from app.viewer.placement import SIZE, grid_step, placed
from app.viewer.skeleton_view import spindle, turns_from_z
from app.viewer.trails import trail_frames
from data.geometry import rotation_from_quat
from data.motion import Motion
from data.motion_files import read_motions
from data.skeleton import Skeleton
from data.stick_figure import icosphere


@pytest.fixture(scope="module")
def dog() -> Motion:
    return read_motions(Path(data.__file__).parent / "samples" / "motion" / "dog.npz")[0]


@pytest.mark.parametrize(("shape", "volume"), [(icosphere(3), 4 / 3 * np.pi), (spindle(), None)])
def test_shapes_are_closed_and_face_outward(shape, volume):
    points, faces = shape
    edges = [tuple(face[[k, (k + 1) % 3]]) for face in faces for k in range(3)]
    assert len(set(edges)) == len(edges) and {e[::-1] for e in edges} == set(edges)
    a, b, c = (points[faces[:, k]] for k in range(3))
    found = np.einsum("fi,fi->f", a, np.cross(b, c)).sum() / 6
    assert found > 0
    if volume is not None:
        assert found == pytest.approx(volume, rel=0.02)


def test_turns_take_z_along_each_bone():
    rng = np.random.default_rng(0)
    along = np.concatenate([rng.normal(size=(50, 3)), [(0, 0, 2.0)], [(0, 0, -3.0)], [(0, 0, 0.0)]])
    found = rotation_from_quat(turns_from_z(along))[:, :, 2]
    unit = along[:-1] / np.linalg.norm(along[:-1], axis=1, keepdims=True)
    np.testing.assert_allclose(found[:-1], unit, atol=1e-6)
    assert np.isfinite(found).all()


def test_a_motion_of_any_size_and_up_stands_on_the_floor(dog):
    for up, turned in (
        ((0.0, 1.0, 0.0), dog.xyz),
        ((0.0, 0.0, 1.0), dog.xyz[..., [2, 0, 1]]),
        ((0.0, -1.0, 0.0), dog.xyz * (1, -1, -1)),
    ):
        there = placed(replace(dog, xyz=1e3 * turned + 5e3, up=up))
        assert there.xyz[..., 1].min() == pytest.approx(0.0, abs=0.02)
        sides = np.linalg.norm(np.ptp(there.xyz, axis=1), axis=1)
        assert np.median(sides) == pytest.approx(SIZE, rel=0.15)
        assert np.abs(there.xyz.mean(axis=(0, 1))[[0, 2]]).max() < 0.05
    still = placed(dog, in_place=True)
    assert np.abs(still.xyz.mean(axis=1)[:, [0, 2]]).max() < 1e-5
    moved = placed(dog)
    assert np.ptp(moved.xyz[:, 0, 0]) > 3 * np.ptp(still.xyz[:, 0, 0])


def test_frames_and_clips_without_any_joint_do_no_harm(dog):
    xyz = dog.xyz.copy()
    xyz[:5] = np.nan
    there = placed(replace(dog, xyz=xyz), in_place=True)
    assert np.isnan(there.xyz[:5]).all() and np.isfinite(there.xyz[5:]).all()
    nothing = placed(replace(dog, xyz=np.full_like(xyz, np.nan)))
    assert nothing.reach == SIZE


def test_an_animal_that_goes_far_is_shown_in_place(dog):
    way = np.linspace(0.0, 30 * dog.diagonal, len(dog))[:, None, None] * np.array([1.0, 0.0, 0.0])
    assert placed(replace(dog, xyz=dog.xyz + way)).roams
    assert not placed(dog).roams
    assert not placed(replace(dog, xyz=dog.xyz + way), in_place=True).roams
    aloft = placed(replace(dog, xyz=dog.xyz + way[..., [1, 0, 2]]), in_place=True)
    assert not aloft.roams and abs(np.median(aloft.xyz[..., 1].min(axis=1))) < 0.05 * SIZE


def test_squares_on_the_floor_are_round_numbers():
    for scale in (1e-4, 0.013, 1.0, 7.0, 450.0):
        step = grid_step(scale)
        assert float(f"{step:.0e}"[0]) in (1, 2, 5) and 0.19 < step * scale <= 0.51


def test_colours_tell_left_from_right_and_limbs_apart(dog):
    names = dog.skeleton.names
    rgb = joint_colours(dog, BY_SIDE, 0)
    assert tuple(rgb[names.index("left_knee")]) == LEFT
    assert tuple(rgb[names.index("right_knee")]) == RIGHT
    which = limbs(dog.skeleton)
    leg = {which[names.index(f"left_{joint}")] for joint in ("hip", "knee", "hock", "hind_paw")}
    assert len(leg) == 1 and leg != {which[names.index("right_knee")]}
    assert choices(dog) == ("side", "limb", "confidence", "error")
    plain = Motion(np.zeros((2, 2, 3)), Skeleton(("a", "b"), np.array([(0, 1)])))
    assert choices(plain) == (BY_LIMB,)


def test_scales_are_clipped_and_grey_where_nothing_is_known():
    rgb = scaled(np.array([-5.0, 0.0, 1.0, 9.0, np.nan]), 0.0, 1.0)
    assert (rgb[0] == rgb[1]).all() and (rgb[2] == rgb[3]).all() and tuple(rgb[4]) == UNKNOWN
    assert tuple(named(np.array([-1]))[0]) == UNKNOWN
    assert len(np.unique(named(np.arange(12)), axis=0)) == 12


def count(picture: np.ndarray, rgb: tuple[int, int, int], within: int = 40) -> int:
    return int((np.abs(picture.astype(int) - rgb).sum(axis=2) < within).sum())


def test_the_picture_shows_both_skeletons_and_what_lies_between(dog):
    good, swapped = flat_figure(dog, 10, BY_SIDE), flat_figure(dog, 62, BY_SIDE)
    assert good.shape == (300, 480, 3)
    for rgb in (LEFT, RIGHT):
        assert count(good, rgb) > 60
    assert count(good, BACKGROUND) > 0.9 * 300 * 480
    assert count(swapped, ERROR) > 10 * max(count(good, ERROR), 1)
    blind = replace(dog, xy=np.full_like(dog.xy, np.nan), xy_reprojected=None)
    assert count(flat_figure(blind, 0, BY_SIDE), BACKGROUND) > 0.97 * 300 * 480


def test_without_a_size_the_picture_is_a_box_around_the_points(dog):
    low, size = extent(replace(dog, image_size=None))
    known = dog.xy[np.isfinite(dog.xy).all(axis=-1)]
    assert (low < np.percentile(known, 1, axis=0)).all()
    assert (low + size > np.percentile(known, 99, axis=0)).all()
    assert size.min() >= 0.39 * size.max()


def test_trails_always_have_as_many_lines_and_end_at_the_frame():
    assert trail_frames(0, 5, 3).tolist() == [0] * 6
    assert trail_frames(50, 5, 3).tolist() == [45, 46, 47, 48, 49, 50]
    long = trail_frames(900, 800, 100)
    assert len(long) == 41 and (long[0], long[-1]) == (100, 900)


def test_long_curves_are_drawn_by_the_largest_of_each_part():
    seconds = np.arange(10_000) / 100
    curve = np.full(10_000, np.nan)
    curve[5_000:] = 1.0
    curve[7_777] = 9.0
    at, thin = binned(seconds, curve)
    assert len(at) == len(thin) == BINS
    assert np.nanmax(thin) == 9.0 and np.isnan(thin[:140]).all() and (thin[151:] >= 1).all()
    assert [len(part) for part in binned(np.zeros(1), np.ones(1))] == [2, 2]
