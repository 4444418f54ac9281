"""PLY files: what is written comes back by name; broken and foreign files give one line."""

from __future__ import annotations

import os

import numpy as np
import pytest

from data import ply
from data.errors import UserError


def write(path, count=7):
    columns = {
        "x": np.arange(count, dtype=np.float32),
        "red": np.arange(count, dtype=np.uint8),
        "odd_name_12": np.linspace(0, 1, count),
    }
    columns["x"][2:3] = np.nan
    ply.write_vertices(path, columns, ["Key: value", "more"])
    return columns


def test_columns_types_comments_and_nan_come_back(tmp_path):
    written = write(tmp_path / "a.ply")
    columns, comments = ply.read_vertices(tmp_path / "a.ply")
    assert comments == ("Key: value", "more")
    assert list(columns) == list(written)
    for name, column in written.items():
        assert columns[name].dtype == column.dtype
        np.testing.assert_array_equal(columns[name], column)


def test_text_and_big_endian_files_with_faces_are_read(tmp_path):
    import plyfile

    rows = np.array([(1.5, 2), (3.5, 4)], [("x", "f4"), ("q", "i4")])
    faces = np.array([([0, 1, 1],)], [("vertex_indices", "O")])
    elements = [
        plyfile.PlyElement.describe(faces, "face", len_types={"vertex_indices": "u1"}),
        plyfile.PlyElement.describe(rows, "vertex"),
    ]
    for text, order in ((True, "="), (False, ">")):
        plyfile.PlyData(elements, text=text, byte_order=order).write(tmp_path / "a.ply")
        columns, _ = ply.read_vertices(tmp_path / "a.ply")
        assert columns["x"].tolist() == [1.5, 3.5] and columns["q"].tolist() == [2, 4]


def test_no_vertices_is_a_valid_file(tmp_path):
    write(tmp_path / "a.ply", 0)
    assert len(ply.read_vertices(tmp_path / "a.ply")[0]["x"]) == 0


@pytest.mark.filterwarnings("error")
def test_broken_and_foreign_files_are_one_line(tmp_path):
    path = tmp_path / "a.ply"
    write(path)
    whole = path.read_bytes()
    bad = {
        "cut": whole[:-5],
        "in the header": whole[:60],
        "empty": b"",
        "foreign": b"PK\x03\x04 zip",
        "no vertex": whole.replace(b"element vertex", b"element banana"),
        "unknown type": whole.replace(b"property uchar", b"property wrong"),
        "huge": whole.replace(b"element vertex 7", b"element vertex 99999999999999"),
        "bytes": b"ply\nformat binary_little_endian 1.0\nelement vertex 2\n\xff\xfe\nend_header\n",
        "no row but a comment": b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\n"
        b"end_header\n# 1\n",
        "no list": b"ply\nformat ascii 1.0\nelement vertex 1\nproperty list uchar int q\n"
        b"end_header\n4\n",
        "twice": whole.replace(b"property uchar red", b"property uchar x"),
    }
    for what, content in bad.items():
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            ply.read_vertices(path)
        assert str(path) in str(caught.value), what
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="No such file"):
        ply.read_vertices(tmp_path / "none.ply")


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "a.ply"
    write(path)
    before = path.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write(path, 3)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.ply"]


def test_columns_of_differing_lengths_are_a_programmers_error(tmp_path):
    with pytest.raises(ValueError, match="one length"):
        ply.write_vertices(tmp_path / "a.ply", {"x": np.zeros(2), "y": np.zeros(3)})


def test_vertices_beside_other_elements_are_the_same(tmp_path):
    columns = {"x": np.array([1.5, 2.5], np.float32), "label": np.array([7, 9], np.uint8)}
    ply.write_vertices(tmp_path / "a.ply", columns, comments=["of ours"])
    content = (tmp_path / "a.ply").read_bytes()
    before = b"element camera 1\nproperty double f\nelement vertex"
    content = content.replace(b"element vertex", before).replace(
        b"end_header\n", b"end_header\n" + np.float64(0.5).tobytes()
    )
    (tmp_path / "a.ply").write_bytes(content)
    found, comments = ply.read_vertices(tmp_path / "a.ply")
    assert comments == ("of ours",) and list(found) == ["x", "label"]
    for name, column in columns.items():
        assert found[name].dtype == column.dtype
        np.testing.assert_array_equal(found[name], column)
