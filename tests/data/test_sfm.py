"""Cameras from photos alone: against those of the bundled model, continued, stopped, refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data import load_scene, sfm
from data.errors import UserError
from data.sfm import SfmConfig, reconstruct
from tests.data.model_files import binary_model, photos

pytest.importorskip("pycolmap", reason="no wheel of pycolmap for this machine")

NAMES = [f"DSC_04{number}.jpg" for number in (31, 32, 33, 35, 36, 37)]


@pytest.fixture(scope="module")
def six(tmp_path_factory, banana) -> Path:
    """Six neighbouring photos of the bundled scene, in a folder below, and nothing else."""
    folder = tmp_path_factory.mktemp("six") / "photos" / "of a walk"
    folder.mkdir(parents=True)
    for name in NAMES:
        shutil.copy(banana / "images" / name, folder)
    return folder.parent


@pytest.fixture(scope="module")
def found(six) -> tuple[Path, list[str], list[tuple[str, int, int]]]:
    out, seen = six.parent / "out", []
    notes = reconstruct(six, out, report=lambda *what: seen.append(what))
    return out, notes, seen


def test_cameras_agree_with_those_of_the_whole_scene(six, found, banana) -> None:
    """Distances between cameras, up to one scale, to two percent; focal lengths too."""
    out, notes, _ = found
    mine = {Path(v.name).name: v.camera for v in load_scene(six, model=out).views}
    theirs = {view.name: view.camera for view in load_scene(banana).views}
    assert len(mine) >= 5 and notes[0].startswith(f"cameras found for {len(mine)} of 6 photos")

    def distances(cameras: dict) -> np.ndarray:
        at = np.array([cameras[name].position_world for name in mine])
        return np.linalg.norm(at[:, None] - at[None], axis=2)[np.triu_indices(len(mine), 1)]

    ratio = distances(mine) / distances(theirs)
    assert np.ptp(ratio) / ratio.mean() < 0.04
    name = min(mine)
    assert mine[name].K[0, 0] == pytest.approx(theirs[name].K[0, 0], rel=0.03)


def test_every_stage_reports_to_its_end(found) -> None:
    _, _, seen = found
    for stage, total in (("features", 6), ("matches", 15), ("cameras", 6)):
        of_it = [(done, whole) for name, done, whole in seen if name == stage]
        assert of_it and of_it[-1] == (total, total)


def test_what_was_done_is_not_done_again(six, found) -> None:
    out, _, _ = found
    database = (out / "database.db").read_bytes()
    again: list[tuple[str, int, int]] = []
    reconstruct(six, out, report=lambda *what: again.append(what))
    assert again[0] == ("features", 6, 6) and ("matches", 15, 15) in again
    assert len((out / "database.db").read_bytes()) == len(database)
    assert sorted(path.name for path in six.rglob("*.*")) == NAMES  # nothing is written there


def test_to_be_asked_often_is_no_harm(six, tmp_path, monkeypatch) -> None:
    """COLMAP ends the process when its database is locked: asking how far it is must never do."""
    monkeypatch.setattr(sfm, "_POLL_S", 1e-3)
    reconstruct(six, tmp_path / "out", SfmConfig(max_photo_side_px=400, pairs="film"))


def test_a_model_made_elsewhere_is_not_written_over(six, tmp_path) -> None:
    model = binary_model(tmp_path / "sparse/0", NAMES)
    with pytest.raises(UserError, match="expected no model yet, found one that was made elsewhere"):
        reconstruct(six, tmp_path)
    assert sorted(path.name for path in model.iterdir())[0] == "cameras.bin"


def test_a_database_that_is_broken_is_one_line(six, tmp_path) -> None:
    (tmp_path / "database.db").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(UserError, match=r"database\.db: expected a database of COLMAP"):
        reconstruct(six, tmp_path)


def test_it_stops_when_asked(six, tmp_path) -> None:
    with pytest.raises(InterruptedError):
        reconstruct(six, tmp_path / "out", stopped=lambda: True)
    assert not (tmp_path / "out" / "sparse").exists()


def test_photos_that_show_nothing_are_refused(tmp_path) -> None:
    folder = photos(tmp_path / "flat", ["0.png", "1.png", "2.png"], (200, 160))
    with pytest.raises(UserError, match="expected photos that overlap"):
        reconstruct(folder, tmp_path / "out", SfmConfig(pairs="film"))


def test_too_few_and_broken_photos_are_refused(tmp_path) -> None:
    folder = photos(tmp_path / "few", ["0.png", "1.png"])
    with pytest.raises(UserError, match=r"expected at least 3 photos .* found 2"):
        reconstruct(folder, tmp_path / "out")
    Image.new("RGB", (40, 30)).save(folder / "2.png")
    (folder / "1.png").write_bytes(b"no photo")
    with pytest.raises(UserError, match=r"1\.png: expected a readable photo"):
        reconstruct(folder, tmp_path / "out")
