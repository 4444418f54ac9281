"""Point-cloud files of several kinds give the same points; broken ones give one line."""

from __future__ import annotations

import numpy as np
import pytest

from data import ply, read_cloud
from data.errors import UserError
from data.laz_process import laz_columns
from tests.data import cloud_files as files
from tests.data.cloud_files import CLOUDS

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


@pytest.mark.parametrize("name", CLOUDS)
def test_every_kind_holds_the_same_points(tmp_path, name):
    CLOUDS[name](tmp_path / name)
    cloud = read_cloud(tmp_path / name)
    np.testing.assert_allclose(cloud.xyz, files.XYZ, atol=1e-7)
    if name in ("a.txt", "a.xyzn"):
        assert cloud.rgb is None
        np.testing.assert_allclose(cloud.normals, files.UNITS, atol=1e-6)
    elif name != "a.bin":
        assert cloud.normals is None
        np.testing.assert_array_equal(cloud.rgb, files.RGB)
    if name.startswith("a.la"):
        assert cloud.labels.tolist() == [k % 7 for k in range(60)]


@pytest.mark.parametrize("name", ["ascii.pcd", "binary.pcd", "compressed.pcd", "a.pts", "a.xyzrgb"])
def test_open3d_reads_the_same(tmp_path, name):
    open3d = pytest.importorskip("open3d", exc_type=ImportError)
    CLOUDS[name](tmp_path / name)
    theirs = open3d.io.read_point_cloud(str(tmp_path / name))
    np.testing.assert_allclose(read_cloud(tmp_path / name).xyz, theirs.points, atol=1e-7)
    np.testing.assert_array_equal(
        read_cloud(tmp_path / name).rgb, np.rint(255 * np.asarray(theirs.colors))
    )


def test_what_open3d_packs_is_read(tmp_path):
    open3d = pytest.importorskip("open3d", exc_type=ImportError)
    xyz = np.repeat(np.random.default_rng(0).normal(size=(500, 3)), 4, axis=0)
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(xyz))
    open3d.io.write_point_cloud(str(tmp_path / "a.pcd"), cloud, compressed=True)
    assert b"DATA binary_compressed" in (tmp_path / "a.pcd").read_bytes()[:400]
    np.testing.assert_allclose(read_cloud(tmp_path / "a.pcd").xyz, xyz, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.npz", b"PK no", "expected an .npz"),
        ("a.npz", b"", "expected an .npz"),
        ("a.xyz", b"1 2\n3 4\n", "3 columns"),
        ("a.xyz", b"one two three\n", "rows"),
        ("a.xyz", b"nan nan nan\n", "none that is finite"),
        ("a.pcd", b"nonsense", "expected a PCD file"),
        ("a.pcd", b"", "expected a PCD file"),
        ("a.las", b"PK\x03\x04 no", "no LAS header"),
        ("a.laz", b"", "no LAS header"),
        ("a.npy", b"", "expected an .npy"),
        ("a.bin", b"", "found 0 bytes"),
        ("a.bin", b"0" * 21, "16 bytes a point"),
        ("a.bin", b"# Camera list with one line of data" * 16, "no lengths in metres"),
        ("a.xyz", b"", "found none"),
        ("a.pts", b"3\n", "found none"),
        ("a.txt", b"\x89PNG\r\n\0\0", "found binary data"),
        ("a.txt", b"Dear reader,\nthis is no cloud\n", "expected rows"),
        ("a.off", b"", "no OFF in its first line"),
        ("a.off", b"OFF\n3 1 0\n0 0 0\n1 0 0\n", "its end among the vertices"),
        ("a.off", b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n", "vertices 0 to 2, found 0 to 9"),
        ("a.obj", b"<html>", "lines `v x y z`"),
        ("a.obj", b"v 0 0\n", "2 numbers"),
        ("a.stl", b"", "expected an STL"),
        ("a.stl", b"solid a\nvertex 0 0 0\nendsolid\n", "three vertices a triangle"),
        ("a.stl", b"x" * 80 + b"\x09\0\0\0" + b"y" * 50, "room for 1 of 9"),
        ("a.docx", b"PK", "found .docx"),
        ("cloud", b"1 2 3", "without an ending"),
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


def test_columns_by_the_names_in_the_first_line(tmp_path):
    (tmp_path / "a.txt").write_text("intensity;Z;X;Y\n9;3;1;2\n9;6;4;5\n")
    assert read_cloud(tmp_path / "a.txt").xyz.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_folder_is_no_cloud(tmp_path):
    with pytest.raises(UserError, match="found a folder"):
        read_cloud(tmp_path)


@pytest.mark.parametrize("name", [n for n in CLOUDS if n not in files.TEXT])
def test_a_file_cut_short_says_so(tmp_path, name):
    CLOUDS[name](tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) * 3 // 4 - 3])
    with pytest.raises(UserError) as refused:
        read_cloud(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)


def test_a_laz_that_ends_its_reader_is_refused_and_the_next_is_read(tmp_path):
    files.las(tmp_path / "a.laz")
    content = bytearray((tmp_path / "a.laz").read_bytes())
    start = int.from_bytes(content[96:100], "little")
    table = int.from_bytes(content[start : start + 8], "little")
    content[table + 4 : table + 8] = b"\xff\xff\xff\xff"  # parts: 64 GB for their places
    (tmp_path / "b.laz").write_bytes(content)
    with pytest.raises(UserError, match="expected a table of compressed parts"):
        read_cloud(tmp_path / "b.laz")
    with pytest.raises(ValueError, match="breaks off"):
        laz_columns(tmp_path / "b.laz")
    assert len(read_cloud(tmp_path / "a.laz")) == 60
