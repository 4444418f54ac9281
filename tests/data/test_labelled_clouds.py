"""Clouds with classes: folders and archives in, what is held out, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.errors import UserError
from data.labelled_clouds import LabelledClouds, read_labelled_clouds
from tests.pointcloud.solids import made_clouds, write_npz


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
