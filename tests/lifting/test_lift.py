from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import lifting
from backbones.config import BackboneConfig
from data.errors import UserError
from data.keypoints import Keypoints2D
from data.skeleton import Skeleton
from lifting.bones import constant_bones
from lifting.cameras import look_from, view_of
from lifting.confidence import choose_cut
from lifting.config import LifterConfig
from lifting.lift import Lift, LiftOptions, upright
from lifting.lifter_files import SavedLifter, load_lifter, save_lifter
from lifting.metrics import bone_spread
from lifting.model import new_lifter
from lifting.motions import random_motion
from lifting.random_rigs import random_rig
from lifting.rigidity import infer_edges

SMALL = LifterConfig(BackboneConfig(width=16, depth=2, heads=2, head_dim=8), fourier=4)


def lifter() -> Lift:
    return Lift(SavedLifter(new_lifter(SMALL, 0).eval(), {}))


def tracks(frames: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rig = random_rig(rng, "bird")
    motion = random_motion(rig, rng, frames=frames)
    up = np.array([0.0, 1.0, 0.0])
    view = view_of(motion.xyz, look_from(0.8, 0.2, 0.0, up), up, 3.0)
    return 500 * view.xy + 300, rig.skeleton.edges


def keypoints(**changes) -> Keypoints2D:
    xy, edges = tracks()
    given = {"xy": xy, "confidence": np.ones(xy.shape[:2]), "edges": edges}
    given |= {"names": tuple(f"j{k}" for k in range(xy.shape[1])), **changes}
    return Keypoints2D(**given)


def test_tracks_become_a_motion_with_gaps_filled_and_marked() -> None:
    xy, edges = tracks()
    xy[10:14, 3] = np.nan
    xy[:, 5] = np.nan
    motion = lifter().lift(xy, edges=edges, fps=25.0)
    assert motion.xyz.shape == (*xy.shape[:2], 3) and np.isfinite(motion.xyz).all()
    assert motion.fps == 25.0 and motion.up == (0.0, 1.0, 0.0)
    observed = np.asarray(motion.observed)
    assert not observed[10:14, 3].any() and not observed[:, 5].any() and observed[:, 0].all()
    assert bone_spread(motion.xyz, edges) < 1e-9
    assert (np.asarray(motion.uncertainty) > 0).all()


def test_edges_are_inferred_where_none_are_given() -> None:
    xy, _ = tracks()
    motion = lifter().lift(xy)
    assert len(motion.skeleton.edges) == xy.shape[1] - 1
    np.testing.assert_array_equal(motion.skeleton.edges, infer_edges(xy))  # by no order of a list


def test_a_cut_is_chosen_where_unsure_points_jump() -> None:
    rng = np.random.default_rng(0)
    xy = np.cumsum(rng.standard_normal((200, 6, 2)), axis=0)
    low = rng.random((200, 6)) < 0.15
    confidence = np.where(low, rng.uniform(0, 0.2, low.shape), rng.uniform(0.3, 0.5, low.shape))
    assert choose_cut(xy, confidence) == 0.0  # unsure, but right: a tool that scores low
    spoilt = xy.copy()
    spoilt[low] += 200 * rng.standard_normal((int(low.sum()), 2))
    cut = choose_cut(spoilt, confidence)
    assert (confidence[low] < cut).mean() > 0.95 and (confidence[~low] < cut).mean() < 0.02
    assert choose_cut(xy, np.ones(low.shape)) == 0.0
    assert choose_cut(xy[:3], confidence[:3]) == 0.0


def test_bones_keep_their_lengths_and_rigid_motions_stay() -> None:
    rng = np.random.default_rng(1)
    rig = random_rig(rng, "quadruped")
    motion = random_motion(rig, rng, frames=20)
    np.testing.assert_allclose(constant_bones(motion.xyz, rig.skeleton), motion.xyz, atol=1e-9)
    noisy = motion.xyz + 0.02 * rng.standard_normal(motion.xyz.shape)
    found = constant_bones(noisy, rig.skeleton)
    assert (
        bone_spread(found, rig.skeleton.edges)
        < 1e-9
        < 0.05
        < bone_spread(noisy, rig.skeleton.edges)
    )
    assert np.abs(found - noisy).mean() < 0.03
    alone = Skeleton(("a", "b", "c"), np.zeros((0, 2), np.int64))
    np.testing.assert_array_equal(constant_bones(noisy[:, :3], alone), noisy[:, :3])


def test_up_becomes_y_by_a_proper_rotation() -> None:
    rng = np.random.default_rng(2)
    for up in [*rng.standard_normal((10, 3)), np.array([0, 0, 1.0]), np.array([0, 0, -1.0])]:
        rotation = upright(up)
        np.testing.assert_allclose(rotation @ up / np.linalg.norm(up), [0, 1, 0], atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(rotation), 1.0)


def test_a_known_length_sets_the_scale() -> None:
    options = LiftOptions(known_length=("j0", "j1", 12.5, "mm"))
    motion = lifter().lift_keypoints(keypoints(), options)
    apart = np.linalg.norm(motion.xyz[:, 0] - motion.xyz[:, 1], axis=1)
    assert np.isclose(np.median(apart), 12.5) and motion.units == "mm"
    with pytest.raises(UserError, match="known-length"):
        lifter().lift_keypoints(keypoints(), LiftOptions(known_length=("j0", "ear", 1.0, "mm")))


def test_the_camera_s_axes_project_onto_the_picture() -> None:
    motion = lifter().lift_keypoints(keypoints(), LiftOptions(upright=False))
    size = float(np.std(np.asarray(motion.xy)))
    assert np.asarray(motion.reprojection_px).mean() < 0.3 * size


def test_pictures_that_are_no_film_are_lifted_one_by_one() -> None:
    xy, edges = tracks(frames=5)
    xy[1] = np.nan
    alone = [lifter().lift(xy[k : k + 1], edges=edges) for k in range(5) if k != 1]
    names = tuple(f"j{k}" for k in range(xy.shape[1]))
    given = Keypoints2D(xy, np.ones(xy.shape[:2]), names, edges)
    known = ("j0", "j1", 3.0, "cm")
    film, asked = (lifter().lift_keypoints(given, LiftOptions(stills=s)) for s in (None, True))
    said = lifter().lift_keypoints(replace(given, stills=True))
    apart = lifter().lift_keypoints(replace(given, frames=np.array([0, 50, 90, 300, 900])))
    for motion in (asked, said, apart):
        np.testing.assert_allclose(motion.xyz[[0, 2, 3, 4]], np.concatenate([m.xyz for m in alone]))
        np.testing.assert_array_equal(motion.xyz[1], motion.xyz[0])
        assert not np.asarray(motion.observed)[1].any()
    assert np.abs(film.xyz - asked.xyz).max() > 1e-3
    sized = lifter().lift_keypoints(given, LiftOptions(stills=True, known_length=known))
    lengths = np.linalg.norm(sized.xyz[:, 0] - sized.xyz[:, 1], axis=1)
    np.testing.assert_allclose(lengths, 3.0)
    lone = np.full((3, 4, 2), np.nan)
    lone[:, 0] = np.arange(6.0).reshape(3, 2)
    with pytest.raises(UserError, match="two points apart"):
        spread = Keypoints2D(lone, np.ones((3, 4)), ("a", "b", "c", "d"), stills=True)
        lifter().lift_keypoints(spread)


def test_frame_numbers_are_kept_and_sparse_frames_need_no_memory() -> None:
    xy, edges = tracks(frames=6)
    names = tuple(f"j{k}" for k in range(xy.shape[1]))
    for frames in ([3, 4, 7, 8, 9, 10], [0, 10**6, 2 * 10**6, 10**9, 10**12, 10**15]):
        given = Keypoints2D(xy, np.ones(xy.shape[:2]), names, edges, frames=np.array(frames))
        motion = lifter().lift_keypoints(given)
        assert np.asarray(motion.frames).tolist() == frames and len(motion) == 6


@pytest.mark.parametrize(
    ("xy", "message"),
    [
        (np.zeros((5, 4)), "shape"),
        (np.zeros((5, 4, 2)), "one place"),
        (np.full((5, 4, 2), np.nan), "found none"),
        (np.random.default_rng(0).random((5, 1, 2)), "3 or more joints"),
        (np.full((5, 4, 2), np.inf), "pixels"),
    ],
)
def test_what_cannot_be_lifted_is_one_line(xy, message) -> None:
    with pytest.raises(UserError, match=message) as caught:
        lifter().lift(xy)
    assert "\n" not in str(caught.value)


def test_one_frame_is_enough() -> None:
    xy, edges = tracks(frames=5)
    assert lifter().lift(xy[:1], edges=edges).xyz.shape[0] == 1


def test_a_lifter_in_a_file_gives_the_same_motion(tmp_path) -> None:
    xy, edges = tracks()
    save_lifter(tmp_path / "l.safetensors", lifter().model, {"note": 1})
    assert load_lifter(tmp_path / "l.safetensors").about == {"note": 1}
    again = lifting.load(weights=tmp_path / "l.safetensors").lift(xy, edges=edges)
    np.testing.assert_array_equal(again.xyz, lifter().lift(xy, edges=edges).xyz)


def test_missing_weights_name_the_option(monkeypatch, tmp_path) -> None:
    from lifting import lifter_files

    monkeypatch.setattr(lifter_files, "_SHIPPED", tmp_path)
    with pytest.raises(UserError, match="--weights"):
        lifting.load()


def test_what_only_trainings_need_is_not_imported() -> None:
    words = "import sys, lifting.lift; print({'lifting.fitting', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_names_of_an_array_tell_left_from_right() -> None:
    xy, edges = tracks()
    names = random_rig(np.random.default_rng(0), "bird").names
    lift = lifter()
    told, plain = lift.lift(xy, edges=edges, names=names), lift.lift(xy, edges=edges)
    assert told.skeleton.names == names
    assert not np.allclose(told.xyz, plain.xyz)
    nothing = [f"p{k}" for k in range(len(names))]
    np.testing.assert_array_equal(lift.lift(xy, edges=edges, names=nothing).xyz, plain.xyz)
    with pytest.raises(UserError, match="xy: expected"):
        lift.lift(xy, edges=edges, names=names[1:])
