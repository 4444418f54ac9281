"""Uploads: nothing of a name but its ending reaches the disk, and errors speak of the name."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.viewer.upload import received, shown
from data.errors import UserError

ENDINGS = (".npz", ".bvh")


def test_a_file_is_there_while_it_is_read_and_gone_afterwards():
    taken = []

    def take(path: Path, title: str) -> None:
        taken.append((path, title, path.read_bytes()))

    received("../../etc/My Walk.BVH", b"HIERARCHY", ENDINGS, take)
    ((path, title, content),) = taken
    assert (path.name, title, content) == ("upload.bvh", "My Walk", b"HIERARCHY")
    assert not path.exists() and not path.parent.exists()


def test_other_endings_are_refused_before_anything_is_written():
    with pytest.raises(UserError, match=r"^walk\.exe: expected one of \.npz, \.bvh"):
        received("walk.exe", b"", ENDINGS, lambda *_: pytest.fail("taken"))
    with pytest.raises(UserError, match="found another file"):
        received("", b"", ENDINGS, lambda *_: pytest.fail("taken"))


def test_errors_name_the_file_as_the_person_knows_it():
    def take(path: Path, _title: str) -> None:
        raise UserError(f"{path}: expected a motion, found none")

    with pytest.raises(UserError) as raised:
        received("my walk.npz", b"", ENDINGS, take)
    assert str(raised.value) == "my walk.npz: expected a motion, found none"


def test_names_are_shown_short_printable_and_without_folders():
    assert shown("C:\\a\\b/c.npz") == "c.npz"
    assert shown("a\x00\x1b[31m.npz") == "a[31m.npz"
    assert len(shown("x" * 500 + ".npz")) == 60
    assert shown("/") == "file"
