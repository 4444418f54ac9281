"""Clouds with classes: folders and archives in, what is held out, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.errors import UserError
from data.labelled_clouds import LabelledClouds, read_labelled_clouds
from tests.pointcloud.solids import made_clouds, write_npz


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("DARB3D_CACHE", str(tmp_path / ".user"))
    return tmp_path / ".user" / "clouds"


def test_a_folder_of_folders_is_read_by_name(tmp_path: Path) -> None:
    for name, count in (("tree", 2), ("car", 3)):
        (tmp_path / name).mkdir()
        for number in range(count):
            np.savetxt(tmp_path / name / f"{number}.xyz", np.full((4 + number, 3), number))
    (tmp_path / ".cache").mkdir()
    (tmp_path / "tree" / ".hidden").write_text("x")
    found = read_labelled_clouds(tmp_path)
    assert found.classes == ("car", "tree") and found.labels.tolist() == [0, 0, 0, 1, 1]
    assert [len(cloud) for cloud in found.clouds] == [4, 5, 6, 4, 5]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: expected point-cloud files"):
        read_labelled_clouds(tmp_path)


def test_whole_numbers_are_in_the_unit_sphere_and_test_rows_stay_out(tmp_path: Path) -> None:
    data = made_clouds(("ball", "rod"), 4)
    is_test = np.arange(8) % 4 == 0
    path = write_npz(tmp_path / "a.npz", data, is_test=is_test)
    train, test = read_labelled_clouds(path), read_labelled_clouds(path, rows="test")
    assert (len(train), len(test)) == (6, 2)
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    radii = [np.linalg.norm(cloud, axis=1).max() for cloud in train.clouds]
    np.testing.assert_allclose(radii, 1.0, atol=1e-4)


def test_clouds_of_different_lengths_are_cut_at_offsets(tmp_path: Path) -> None:
    points = np.arange(30, dtype=np.float32).reshape(10, 3)
    np.savez(
        tmp_path / "a.npz", points=points, offsets=[0, 4, 10], label=[1, 0], classes=["a", "b"]
    )
    found = read_labelled_clouds(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.clouds[1], points[4:])


def test_a_fifth_of_each_class_is_held_out_the_same_every_time() -> None:
    data = made_clouds(("ball", "rod", "box"), 20)
    train, held = data.split()
    assert np.bincount(held.labels).tolist() == [4, 4, 4] and len(train) == 48
    assert held.groups.tolist() == data.split()[1].groups.tolist()
    assert not set(train.groups) & set(held.groups)


def test_near_copies_stay_on_one_side() -> None:
    data = made_clouds(("ball", "rod"), 12)
    groups = np.arange(24) // 3
    train, held = LabelledClouds(data.clouds, data.labels, data.classes, groups).split()
    assert not set(train.groups) & set(held.groups) and len(held) == 6
    with pytest.raises(UserError, match="class ball: expected 2 or more clouds"):
        LabelledClouds(data.clouds, data.labels, data.classes, np.arange(24) // 12).split()


def test_labels_follow_the_names_of_another_list() -> None:
    data = made_clouds(("rod", "ball"), 1).relabelled(("ball", "cone", "rod"))
    assert data.labels.tolist() == [2, 0]
    with pytest.raises(ValueError, match="not in"):
        data.relabelled(("ball",))


GOOD = {"points": np.zeros((2, 4, 3)), "label": np.array([0, 1]), "classes": np.array(["a", "b"])}
BAD = [
    ({"label": None}, "found no label"),
    ({"label": np.array([0, 2])}, "expected labels 0 to 1, found 0 to 2"),
    ({"label": np.array([0.0, 1.0])}, "expected whole numbers"),
    ({"label": np.array([0, 0])}, "2 or more classes"),
    ({"points": np.zeros((2, 4, 2))}, "expected points of shape"),
    ({"points": np.zeros((3, 4, 3))}, "expected points of shape"),
    ({"points": np.full((2, 4, 3), np.nan)}, "expected finite points"),
    ({"points": np.zeros((8, 3)), "offsets": np.array([0, 5, 7])}, "expected 3 rising offsets"),
    ({"points": np.zeros((8, 3)), "offsets": np.array([0, 0, 8])}, "expected 3 rising offsets"),
    ({"is_test": np.array([1, 0])}, "true or false in is_test"),
    ({"is_test": np.array([True, True])}, "2 or more classes"),
    ({"dup_group": np.zeros(3, int)}, "expected 2 dup_group"),
]


@pytest.mark.parametrize(("change", "says"), BAD)
def test_what_is_wrong_with_an_archive_is_said(tmp_path: Path, change: dict, says: str) -> None:
    arrays = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=says):
        read_labelled_clouds(tmp_path / "a.npz")


def test_what_is_no_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK")
    (tmp_path / "a.csv").write_text("1,2")
    for name in ("a.npz", "a.csv", "nowhere"):
        with pytest.raises(UserError, match=f"{name}: expected"):
            read_labelled_clouds(tmp_path / name)


def fill(folder: Path, count: int = 1) -> None:
    folder.mkdir(parents=True)
    for k in range(count):
        np.savetxt(folder / f"{k}.xyz", np.random.default_rng(k).normal(size=(9, 3)))


@pytest.mark.parametrize("inside", [True, False])
def test_folders_called_train_and_test_are_kept_apart(tmp_path: Path, inside: bool) -> None:
    for name, trains, tests in (("car", 3, 1), ("tree", 2, 2)):
        for part, count in (("train", trains), ("test", tests)):
            fill(tmp_path / (f"{name}/{part}" if inside else f"{part}/{name}"), count)
    train, test = read_labelled_clouds(tmp_path), read_labelled_clouds(tmp_path, "test")
    assert train.classes == test.classes == ("car", "tree")
    assert train.labels.tolist() == [0, 0, 0, 1, 1] and test.labels.tolist() == [0, 1, 1]


def test_no_test_rows_are_made_up(tmp_path: Path) -> None:
    fill(tmp_path / "car")
    fill(tmp_path / "tree")
    with pytest.raises(UserError, match="expected folders called test"):
        read_labelled_clouds(tmp_path, "test")
    fill(tmp_path / "tree" / "test")
    with pytest.raises(UserError, match="expected a folder train beside test"):
        read_labelled_clouds(tmp_path)


def test_a_bad_file_is_left_out_and_counted(tmp_path: Path) -> None:
    fill(tmp_path / "car" / "deeper", 3)
    fill(tmp_path / "tree", 2)
    (tmp_path / "car" / "notes.md").write_text("of no interest")
    (tmp_path / "car" / "bad.ply").write_text("no PLY")
    found = read_labelled_clouds(tmp_path)
    assert found.labels.tolist() == [0, 0, 0, 1, 1] and len(found.refused) == 1
    assert str(tmp_path / "car" / "bad.ply") in found.refused[0]
    assert found.split()[0].refused == found.refused
    for file in (tmp_path / "tree").iterdir():
        file.write_text("no numbers")
    with pytest.raises(UserError, match=r"class tree, found none that can be read, the first: .*0"):
        read_labelled_clouds(tmp_path)


def test_large_clouds_are_thinned_once(tmp_path: Path, cache: Path, monkeypatch) -> None:
    fill(tmp_path / "car")
    (tmp_path / "tree").mkdir()
    far = np.random.default_rng(0).uniform(-3, 3, (50_000, 3)) + 5e6
    np.save(tmp_path / "tree" / "a.npy", far)
    first = read_labelled_clouds(tmp_path).clouds[1]
    assert first.shape == (4096, 3) and first.dtype == np.float32
    assert np.abs(first).max() == pytest.approx(3.0, abs=0.01)  # around 0, in its units
    assert len(list(cache.glob("*.npy"))) == 2

    def unread(path: Path) -> None:
        raise AssertionError(f"{path} is read again")

    monkeypatch.setattr("data.thinned_clouds.read_cloud", unread)
    np.testing.assert_array_equal(read_labelled_clouds(tmp_path).clouds[1], first)
    monkeypatch.undo()
    monkeypatch.setenv("DARB3D_CACHE", str(cache.parent))
    for kept in cache.glob("*.npy"):
        kept.write_bytes(kept.read_bytes()[:-5])  # a spoilt one is made again
    np.testing.assert_array_equal(read_labelled_clouds(tmp_path).clouds[1], first)
    np.save(tmp_path / "tree" / "a.npy", far[:100])  # so is one of a file that changed
    assert len(read_labelled_clouds(tmp_path).clouds[1]) == 100
