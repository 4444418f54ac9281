"""Motions: what belongs together agrees, and an .npz gives back all of it."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from data.errors import UserError
from data.motion import Motion
from data.motion_npz import load_npz, save_npz
from data.skeleton import Skeleton

CHAIN = Skeleton(tuple("abc"), np.array([(0, 1), (1, 2)]))


def full() -> Motion:
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(5, 3, 3))
    xyz[2, 1] = np.nan
    xy = rng.uniform(0, 100, (5, 3, 2))
    return Motion(
        xyz,
        CHAIN,
        fps=25.0,
        name="walk",
        confidence=rng.uniform(size=(5, 3)),
        observed=rng.uniform(size=(5, 3)) > 0.5,
        xy=xy,
        xy_reprojected=xy + np.array([3.0, 4.0]),
        image_size=(640, 480),
        uncertainty=rng.uniform(size=(5, 3)),
        frames=np.array([3, 4, 5, 7, 8]),
        up=(0.0, -2.0, 0.0),
        units="mm",
    )


def test_npz_gives_back_every_field(tmp_path):
    written = full()
    save_npz(tmp_path / "a.npz", written)
    read = load_npz(tmp_path / "a.npz")
    for field in fields(Motion):
        a, b = getattr(written, field.name), getattr(read, field.name)
        if field.name == "skeleton":
            assert a.names == b.names and (a.edges == b.edges).all()
        elif isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-6)
        else:
            assert a == b, field.name
    with np.load(tmp_path / "a.npz") as file:
        names = {"xyz": (5, 3, 3), "names": (3,), "edges": (2, 2), "confidence": (5, 3)}
        assert {name: file[name].shape for name in names} == names


def test_xyz_and_names_are_enough(tmp_path):
    np.savez(tmp_path / "dog.npz", xyz=np.zeros((2, 3, 3)), names=np.array(list("abc")))
    read = load_npz(tmp_path / "dog.npz")
    assert (read.name, read.fps, len(read), len(read.skeleton.edges)) == ("dog", 30.0, 2, 0)


def test_measures():
    motion = full()
    assert motion.up == (0.0, -1.0, 0.0)
    assert motion.seconds == 0.2
    np.testing.assert_allclose(motion.reprojection_px, 5.0)
    box = Motion(np.array([[(0, 0, 0), (3, 4, 0), (0, 0, 0)]] * 2), CHAIN)
    assert box.diagonal == 5.0
    assert Motion(np.full((2, 3, 3), np.nan), CHAIN).diagonal == 0.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"xyz": np.zeros((2, 4, 3))}, "3 joints"),
        ({"xyz": np.zeros((0, 3, 3))}, "frames"),
        ({"xyz": np.full((2, 3, 3), np.inf)}, "infinity"),
        ({"xyz": np.full((2, 3, 3), "x")}, "numbers"),
        ({"fps": 0.0}, "above 0"),
        ({"fps": float("nan")}, "above 0"),
        ({"confidence": np.zeros((2, 2))}, "confidence of shape"),
        ({"observed": np.zeros((2, 3))}, "true or false"),
        ({"xy": np.zeros((2, 3, 3))}, "xy of shape"),
        ({"frames": np.zeros(3, int)}, "2 whole numbers"),
        ({"up": (0.0, 0.0, 0.0)}, "not all zero"),
        ({"units": "furlong"}, "units among"),
        ({"image_size": (0, 10)}, "some pixels"),
    ],
)
def test_what_makes_no_motion_says_why(change, says):
    with pytest.raises(ValueError, match=says):
        Motion(**{"xyz": np.zeros((2, 3, 3)), "skeleton": CHAIN, **change})


def test_a_file_of_something_else_says_what_was_expected(tmp_path):
    np.savez(tmp_path / "a.npz", points=np.zeros((4, 3)))
    with pytest.raises(UserError, match=r"a\.npz: .*no xyz and no names, but points"):
        load_npz(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", xyz=np.zeros((2, 3, 3)), names=np.array(list("abc"), object))
    with pytest.raises(UserError, match="objects"):
        load_npz(tmp_path / "b.npz")
    with pytest.raises(UserError, match="found none"):
        load_npz(tmp_path / "nothing.npz")
    (tmp_path / "c.npz").write_bytes(b"PK no")
    with pytest.raises(UserError, match="broken one"):
        load_npz(tmp_path / "c.npz")
    with pytest.raises(UserError, match="can be written"):
        save_npz(tmp_path / "no" / "a.npz", full())


def test_an_archive_made_to_fill_memory_is_refused(tmp_path):
    zeros = np.zeros((1_000_000, 3, 3), np.float32)
    np.savez_compressed(tmp_path / "a.npz", xyz=zeros, names=np.array(list("abc")))
    with pytest.raises(UserError, match="much larger"):
        load_npz(tmp_path / "a.npz")
