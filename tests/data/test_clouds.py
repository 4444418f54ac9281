"""Point-cloud files of several kinds give the same points; broken ones give one line."""

from __future__ import annotations

import numpy as np
import pytest

from data import ply, read_cloud
from data.errors import UserError

XYZ = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9.5]])
RGB = np.array([[0, 10, 255], [1, 2, 3], [9, 8, 7]], np.uint8)


def test_ply_npz_and_text_agree(tmp_path):
    columns = dict(zip("xyz", XYZ.T, strict=True))
    colours = dict(zip(("red", "green", "blue"), RGB.T, strict=True))
    ply.write_vertices(tmp_path / "a.ply", columns | colours)
    np.savez(tmp_path / "a.npz", points=XYZ, colors=RGB / 255)
    np.savetxt(tmp_path / "a.xyz", np.hstack([XYZ, RGB]))
    for name in ("a.ply", "a.npz", "a.xyz"):
        cloud = read_cloud(tmp_path / name)
        assert len(cloud) == 3
        assert cloud.xyz.dtype == np.float64 and cloud.rgb.dtype == np.uint8
        np.testing.assert_array_equal(cloud.xyz, XYZ)
        np.testing.assert_array_equal(cloud.rgb, RGB)


def test_points_without_colours_and_points_that_are_not_finite(tmp_path):
    np.savetxt(tmp_path / "a.xyz", np.vstack([XYZ, [np.nan, 0, 0]]))
    cloud = read_cloud(tmp_path / "a.xyz")
    assert cloud.rgb is None
    np.testing.assert_array_equal(cloud.xyz, XYZ)


def test_other_files_go_through_open3d(tmp_path):
    pytest.importorskip("open3d", exc_type=ImportError)
    header = "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 3\nHEIGHT 1\n"
    rows = "\n".join(" ".join(map(str, row)) for row in XYZ)
    (tmp_path / "a.pcd").write_text(
        f"{header}VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 3\nDATA ascii\n{rows}\n"
    )
    np.testing.assert_allclose(read_cloud(tmp_path / "a.pcd").xyz, XYZ)
    (tmp_path / "b.pcd").write_text("nonsense")
    with pytest.raises(UserError, match="found no points"):
        read_cloud(tmp_path / "b.pcd")


def test_without_open3d_the_missing_package_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "open3d", None)
    (tmp_path / "a.pcd").write_text("x")
    with pytest.raises(UserError, match="open3d"):
        read_cloud(tmp_path / "a.pcd")


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.npz", b"PK no", "expected an .npz"),
        ("a.npz", b"", "expected an .npz"),
        ("a.xyz", b"1 2\n3 4\n", "3 columns"),
        ("a.xyz", b"one two three\n", "rows"),
        ("a.xyz", b"nan nan nan\n", "none that is finite"),
        (
            "a.ply",
            b"ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nend_header\n",
            "x, y, z",
        ),
    ],
)
def test_broken_clouds_are_one_line(tmp_path, name, content, part):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=part):
        read_cloud(tmp_path / name)


def test_a_missing_cloud_and_arrays_of_the_wrong_shape(tmp_path):
    with pytest.raises(UserError, match="found none"):
        read_cloud(tmp_path / "none.ply")
    np.savez(tmp_path / "a.npz", xyz=np.zeros((3, 2)))
    with pytest.raises(UserError, match=r"shape \(n, 3\)"):
        read_cloud(tmp_path / "a.npz")


def test_normals_and_classes_of_points(tmp_path):
    normals = np.array([[0, 0, 2.0], [np.nan, 0, 0], [3, 0, 4]])
    units = np.array([[0, 0, 1.0], [0, 0, 0], [0.6, 0, 0.8]])
    columns = dict(zip(("x", "y", "z", "nx", "ny", "nz"), np.hstack([XYZ, normals]).T, strict=True))
    classes = {"scalar_Classification": np.array([2.0, 6, 2], np.float32)}
    ply.write_vertices(tmp_path / "a.ply", columns | classes)
    np.savez(tmp_path / "a.npz", xyz=XYZ, normals=normals, labels=np.array([2, 6, 2], np.uint8))
    for name in ("a.ply", "a.npz"):
        cloud = read_cloud(tmp_path / name)
        np.testing.assert_allclose(cloud.normals, units)
        assert cloud.labels.dtype == np.int64 and cloud.labels.tolist() == [2, 6, 2]
        some = cloud.take(np.array([True, False, True]))
        assert some.rgb is None and some.labels.tolist() == [2, 2]
        np.testing.assert_allclose(some.normals, units[[0, 2]])
    np.savez(tmp_path / "b.npz", xyz=XYZ, labels=np.zeros(2, int))
    with pytest.raises(UserError, match="expected labels of shape"):
        read_cloud(tmp_path / "b.npz")


def test_normals_that_are_all_zero_are_none(tmp_path):
    names = ("x", "y", "z", "nx", "ny", "nz")
    columns = dict(zip(names, np.hstack([XYZ, 0 * XYZ]).T, strict=True))
    ply.write_vertices(tmp_path / "a.ply", columns)
    assert read_cloud(tmp_path / "a.ply").normals is None
