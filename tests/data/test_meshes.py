"""Meshes become points of their surface, by area, the same ones each time."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from data.clouds import PointCloud, read_cloud
from data.fans import Fans
from data.lzf import decompress
from data.meshes import SURFACE_POINTS, Mesh, surface
from tests.data import cloud_files as files
from tests.data.cloud_files import MESHES

HERE = Path("a.off")


@pytest.mark.parametrize("name", MESHES)
def test_points_lie_on_the_cube_and_spread_by_area(tmp_path, name):
    MESHES[name](tmp_path / name)
    cloud = read_cloud(tmp_path / name)
    assert len(cloud) == SURFACE_POINTS
    # each point is on the face that its normal says
    axis = np.abs(cloud.normals).argmax(1)
    height = cloud.xyz[np.arange(len(cloud)), axis]
    np.testing.assert_allclose(np.minimum(np.abs(height), np.abs(height - 1)), 0, atol=1e-12)
    sides = np.bincount(2 * axis + (height > 0.5), minlength=6)
    # a place is drawn in each equal share of the area: a side is off by its two borders at most
    assert np.abs(sides - SURFACE_POINTS / 6).max() <= (2 if "mixed" not in name else 2700)
    np.testing.assert_array_equal(read_cloud(tmp_path / name).xyz, cloud.xyz)


def test_points_of_a_triangle_are_uniform():
    """The mean of a triangle is its centroid, the mean of squares of a side's shares 1/6."""
    corners = PointCloud(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float))
    xyz = surface(Mesh(corners, np.array([[0, 1, 2]], np.int32)), HERE).xyz
    np.testing.assert_allclose(xyz.mean(0), [1 / 3, 1 / 3, 0], atol=0.006)
    np.testing.assert_allclose((xyz[:, :2] ** 2).mean(0), 1 / 6, atol=0.006)


def test_colours_are_mixed_and_classes_are_of_the_nearest_corner(tmp_path):
    files.ply_mesh(tmp_path / "a.ply")
    cloud = read_cloud(tmp_path / "a.ply")
    np.testing.assert_allclose(cloud.rgb, 255 * cloud.xyz, atol=0.51)
    corners = PointCloud(files.CUBE, labels=np.arange(8))
    found = surface(Mesh(corners, files.TRIANGLES.astype(np.int32)), HERE)
    nearest = np.linalg.norm(found.xyz[:, None] - files.CUBE[None], axis=2).argmin(1)
    assert (found.labels == nearest).mean() > 0.7


def test_a_mesh_without_area_gives_its_vertices(tmp_path):
    (tmp_path / "a.off").write_text("OFF\n3 1 0\n0 0 0\n1 1 1\n2 2 2\n3 0 1 2\n")
    assert read_cloud(tmp_path / "a.off").xyz.tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 1 1\n")
    assert len(read_cloud(tmp_path / "a.obj")) == 2


def test_modelnets_first_line_and_vertices_that_are_not_finite(tmp_path):
    """Some of ModelNet's files have the counts behind OFF without a blank."""
    (tmp_path / "a.off").write_text("OFF4 2 0\n0 0 0\n1 0 0\n0 1 0\nnan 0 0\n3 0 1 2\n3 0 1 3\n")
    cloud = read_cloud(tmp_path / "a.off")
    assert len(cloud) == SURFACE_POINTS and np.isfinite(cloud.xyz).all()


@pytest.mark.parametrize("kind", ["ply", "off", "obj", "stl"])
def test_what_open3d_writes_is_read(tmp_path, kind):
    open3d = pytest.importorskip("open3d", exc_type=ImportError)
    mesh = open3d.geometry.TriangleMesh.create_torus(1.0, 0.3)
    mesh.compute_triangle_normals()
    path = tmp_path / f"torus.{kind}"
    assert open3d.io.write_triangle_mesh(str(path), mesh)
    cloud = read_cloud(path)
    around = np.hypot(cloud.xyz[:, 0], cloud.xyz[:, 1]) - 1.0
    np.testing.assert_allclose(np.hypot(around, cloud.xyz[:, 2]), 0.3, atol=0.02)


def test_huge_and_tiny_meshes_are_sampled_all_the_same():
    for size in (1e-200, 1e200):
        mesh = Mesh(PointCloud(size * files.CUBE), files.TRIANGLES.astype(np.int32))
        found = surface(mesh, HERE).xyz / size
        assert len(found) == SURFACE_POINTS and np.ptp(found, 0) == pytest.approx(1.0, abs=0.01)


def test_corners_that_are_no_numbers_of_vertices_are_refused():
    with pytest.raises(ValueError, match="the corners"):
        Fans().add([0, 1, 2**31])


def test_lzf_by_hand():
    # "ab", then four bytes from two places back, then "c"
    assert decompress(bytes([1]) + b"ab" + bytes([0b0100_0000, 1, 0]) + b"c", 7) == b"abababc"
    for packed, size in ((b"\x01a", 2), (b"\x20\x09", 3), (b"\x01ab", 5), (b"\x20", 9)):
        with pytest.raises(ValueError, match=r"packed bytes|unpacked bytes"):
            decompress(packed, size)


def test_a_large_mesh_takes_less_than_ten_times_its_file(tmp_path):
    """As many points as vertices, in blocks: of 150,000 the last block is not full."""
    n, rng = 150_000, np.random.default_rng(0)
    rows = np.zeros(2 * n, [("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, rng.integers(0, n, (2 * n, 3))
    names = "".join(f"property float {axis}\n" for axis in "xyz")
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {n}\n{names}element face {2 * n}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    content = header.encode() + rng.normal(size=(n, 3)).astype("<f4").tobytes() + rows.tobytes()
    (tmp_path / "a.ply").write_bytes(content)
    tracemalloc.start()
    cloud = read_cloud(tmp_path / "a.ply")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(cloud) == n and len(cloud.normals) == n and peak < 10 * len(content)
