"""darb3d classify as a user runs it, on a classifier that is known by heart."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import pointcloud
from app import ray_classify
from app.__main__ import main
from app.classify_options import ClassifyOptions
from app.commands.classify import Command
from data.errors import UserError
from tests.app.shapes import FamiliarShapes, Shapes, box, write_boxes
from tests.data.cloud_files import CLOUDS, MESHES

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def shapes(monkeypatch) -> None:
    monkeypatch.setattr(pointcloud, "load", lambda name, **_: Shapes(), raising=False)


def rows(capsys, *words: object) -> list[dict]:
    assert main(["classify", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_five_most_probable_with_bars(tmp_path, capsys) -> None:
    np.savetxt(tmp_path / "a.xyz", box("tower"))
    assert main(["classify", str(tmp_path / "a.xyz")]) == 0
    head, *bars = capsys.readouterr().out.splitlines()
    assert head == f"{tmp_path / 'a.xyz'}: 200 points"
    assert bars[0].split()[0] == "tower" and len(bars) == 3
    shares = [float(line.split()[-2]) for line in bars]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(100, abs=0.2)
    lengths = [line.count("█") for line in bars]
    assert lengths == [int(24 * share / 100 + 1 / 16) for share in shares]


def test_json_and_csv_say_the_same(tmp_path, capsys) -> None:
    write_boxes(tmp_path / "data")
    found = rows(capsys, tmp_path / "data")
    assert [row["label"] for row in found] == ["plate"] * 3 + ["tower"] * 3 + ["wall"] * 3
    for row in found:
        assert row["top5"][0] == [row["label"], row["probability"]]
        assert sum(share for _, share in row["top5"]) == pytest.approx(1.0)
    assert main(["classify", str(tmp_path / "data"), "--csv"]) == 0
    out = capsys.readouterr().out
    table = list(csv.DictReader(io.StringIO(out)))
    assert [line["file"] for line in table] == [row["file"] for row in found]
    assert [float(line["probability"]) for line in table] == [row["probability"] for row in found]


def test_int8_reaches_the_model(tmp_path, capsys, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(pointcloud, "load", lambda *_, **how: asked.append(how) or Shapes())
    np.savetxt(tmp_path / "a.xyz", box("tower"))
    rows(capsys, tmp_path / "a.xyz", "--int8")
    assert asked == [{"adapter": None, "int8": True}]
    work = ray_classify.work_of("3dgpe", ClassifyOptions(), lambda name, **how: how, int8=True)
    assert work.load("3dgpe") == {"int8": True}
    ray_classify.results_of(work, tmp_path / "out")
    with pytest.raises(UserError, match="expected answers of"):
        ray_classify.results_of(ray_classify.work_of("3dgpe", ClassifyOptions()), tmp_path / "out")


@pytest.mark.parametrize("name", [*CLOUDS, *MESHES])
def test_every_kind_of_file_is_classified(tmp_path, capsys, name) -> None:
    (CLOUDS | MESHES)[name](tmp_path / name)
    (row,) = rows(capsys, tmp_path / name)
    assert row["points"] == (60 if name in CLOUDS else 16_384)


def test_a_bad_file_among_many_is_counted_and_the_rest_is_done(tmp_path, capsys) -> None:
    data = write_boxes(tmp_path / "data", each=20)
    (data / "wall" / "3.xyz").write_text("no cloud\n")
    (data / "wall" / "4.ply").write_bytes(b"")
    (data / ".hidden.xyz").write_text("no cloud\n")
    assert main(["classify", str(data)]) == 0
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2 and str(data / "wall" / "3.xyz") in errors[0]
    assert "59 classified in" in out and "2 refused" in out
    assert len([line for line in out.splitlines() if line.endswith(" %")]) == 59


def test_a_named_file_that_is_bad_ends_with_2(tmp_path, capsys) -> None:
    np.savetxt(tmp_path / "a.xyz", box("wall"))
    words = ["classify", str(tmp_path / "a.xyz"), str(tmp_path / "none.ply"), "--json"]
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)[0]["label"] == "wall"
    assert err.splitlines()[0] == (
        f"error: {tmp_path / 'none.ply'}: expected a point-cloud file, found none"
    )


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (np.zeros((1, 3)), "found one point"),
        (np.full((500, 3), 7.25), "found 500 points in one place"),
        (np.full((3, 3), np.nan), "none that is finite"),
        (np.zeros((0, 3)), "expected points"),
        (np.zeros((4, 2)), r"shape (n, 3)"),
    ],
)
def test_points_that_are_no_shape_are_one_line_and_2(tmp_path, capsys, points, says) -> None:
    np.save(tmp_path / "a.npy", points)
    assert main(["classify", str(tmp_path / "a.npy")]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and err.startswith("error: ") and says in err
    assert str(tmp_path / "a.npy") in err


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1.0, 1e6, 1e300])
@pytest.mark.parametrize("place", [0.0, 5e6])
def test_scale_and_place_do_not_matter(tmp_path, capsys, size, place) -> None:
    if size * 1e6 < place:
        pytest.skip("float64 holds no such shape so far away")
    np.save(tmp_path / "a.npy", box("plate") * size + place)
    (row,) = rows(capsys, tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", box("plate"))
    (same,) = rows(capsys, tmp_path / "b.npy")
    assert row["probability"] == pytest.approx(same["probability"], rel=1e-4)


def test_few_points_and_many(tmp_path, capsys) -> None:
    """Of a million points four draws are looked at; half tower, half wall they do not agree."""
    np.save(tmp_path / "few.npy", box("wall")[:3])
    np.save(tmp_path / "many.npy", box("wall", 1_000_000).astype(np.float32))
    few, many = rows(capsys, tmp_path / "few.npy", tmp_path / "many.npy")
    assert few["points"] == 3 and few["stability"] == 1.0
    assert many["points"] == 1_000_000 and many["label"] == "wall"
    assert main(["classify", str(tmp_path / "many.npy"), "--draws", "7"]) == 0
    assert "the same answer in 7 of 7 draws, +- 0." in capsys.readouterr().out


def test_an_answer_that_hangs_on_the_draw_says_so(tmp_path, capsys) -> None:
    xyz = box("tower", 4000)
    xyz[:3, 0] = 3.0  # whoever sees one of the three sees a wall
    np.save(tmp_path / "a.npy", xyz)
    (row,) = rows(capsys, tmp_path / "a.npy", "--draws", 8)
    assert 0.5 <= row["stability"] < 1.0


def test_up_is_given_or_voted_for(tmp_path, capsys) -> None:
    np.save(tmp_path / "a.npy", box("plate")[:, [0, 2, 1]])  # y up
    (lying,) = rows(capsys, tmp_path / "a.npy")
    (given,) = rows(capsys, tmp_path / "a.npy", "--up", "y")
    (voted,) = rows(capsys, tmp_path / "a.npy", "--up", "auto")
    assert lying["label"] == "wall" and given["label"] == voted["label"] == "plate"
    assert voted["up"] in ("y", "-y") and given["probability"] > 0.8


def test_clouds_unlike_the_training_data_are_flagged(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(pointcloud, "load", lambda name, **_: FamiliarShapes(), raising=False)
    np.save(tmp_path / "a.npy", box("plate") * (1, 1, 0.1))
    np.save(tmp_path / "b.npy", box("plate"))
    assert [row["unlike"] for row in rows(capsys, tmp_path / "*.npy")] == [True, False]
    assert main(["classify", str(tmp_path / "a.npy")]) == 0
    assert "200 points, unlike the training data" in capsys.readouterr().out


def test_score_by_the_names_of_folders(tmp_path, capsys) -> None:
    data = write_boxes(tmp_path / "data", each=4)
    (data / "wall").rename(data / "Wall")  # case does not matter
    (data / "tower" / "0.xyz").rename(data / "plate" / "tower.xyz")
    words = ["classify", str(data), "--score", "--picture", str(tmp_path / "c.png")]
    assert main(words) == 0
    out = capsys.readouterr().out
    # 11 of 12; plate 4 of 5, tower 3 of 3, wall 4 of 4
    assert "accuracy 91.7 % of 12 clouds, 93.3 % mean of 3 classes" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["plate", "5", "100.0", "%", "80.0", "%", "88.9", "%"] in lines
    assert ["tower", "3", "75.0", "%", "100.0", "%", "85.7", "%"] in lines
    # columns are in the model's order: tower, plate, wall
    assert ["plate", "1", "4", "."] in lines
    assert PIL.Image.open(tmp_path / "c.png").size[0] > 3 * 26


def test_score_finds_classes_beside_train_and_test(tmp_path, capsys) -> None:
    write_boxes(tmp_path / "test", each=1)
    write_boxes(tmp_path / "x", each=1)
    (tmp_path / "x" / "wall").rename(tmp_path / "x" / "moved")
    (tmp_path / "x" / "wall").mkdir()
    (tmp_path / "x" / "moved").rename(tmp_path / "x" / "wall" / "train")
    assert main(["classify", str(tmp_path / "test"), str(tmp_path / "x"), "--score"]) == 0
    assert "accuracy 100.0 % of 6 clouds" in capsys.readouterr().out


WRONG = [
    (["{data}/nothing*.ply"], "expected clouds or meshes of this pattern, found none"),
    (["{empty}"], "expected clouds or meshes (.ply"),
    ([], "expected files, folders or patterns"),
    (["{data}", "--ray", "--json"], "answers go to --out"),
    (["{data}", "--json", "--csv"], "expected one of them, found both"),
    (["{data}", "--draws", "0"], "--draws: expected 1 or more, found 0"),
    (["{data}", "--picture", "a.png"], "expected --score with it"),
    (["{data}", "--score", "--picture", "a.gif"], "ending in .png"),
    (["{data}/walls", "{data}", "--score"], "straight in"),
    (["{data}", "--score"], "found walls; did you mean wall?"),
    (["{data}/tower/0.xyz", "--score"], "for --score, found a file"),
]


@pytest.mark.parametrize(("words", "says"), WRONG)
def test_wrong_input_is_one_line_and_2(tmp_path, capsys, words, says) -> None:
    data = write_boxes(tmp_path / "data", each=1)
    (data / "wall").rename(data / "walls")
    (tmp_path / "empty").mkdir()
    places = {"data": data, "empty": tmp_path / "empty"}
    assert main(["classify", *(word.format(**places) for word in words)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("error: ") and says in error


@pytest.mark.parametrize(
    ("words", "address", "paths"),
    [
        (["--ray", "scans"], "local", ["scans"]),
        (["scans", "--ray"], "local", ["scans"]),
        (["--ray", "auto", "scans"], "auto", ["scans"]),
        (["--ray", "10.0.0.7:6379", "scans"], "10.0.0.7:6379", ["scans"]),
        (["scans", "--ray", "ray://head.lab:10001"], "ray://head.lab:10001", ["scans"]),
        (["--ray", "--up", "y", "scans"], "local", ["scans"]),
    ],
)
def test_what_follows_ray_is_an_address_or_a_file(monkeypatch, words, address, paths) -> None:
    seen = []
    monkeypatch.setattr(Command, "run", lambda self: seen.append((self.ray, self.paths)) or 0)
    assert main(["classify", *words]) == 0
    assert seen == [(address, tuple(map(Path, paths)))]


def test_ray_that_is_not_installed_is_named(tmp_path, monkeypatch, capsys) -> None:
    find = importlib.util.find_spec
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "ray" else find(n))
    assert main(["classify", str(write_boxes(tmp_path / "data", 1)), "--ray"]) == 2
    assert "pip install 'darb3d[ray]'" in capsys.readouterr().err
    assert not (tmp_path / "classified").exists()


def test_the_command_starts_without_torch(tmp_path) -> None:
    np.save(tmp_path / "a.npy", box("wall"))
    code = (
        "import sys, pointcloud\nfrom app.__main__ import main\n"
        "from tests.app.shapes import Shapes\npointcloud.load = lambda name, **_: Shapes()\n"
        "code = main(['classify', 'a.npy'])\n"
        "heavy = {'torch', 'open3d', 'scipy', 'numba', 'viser', 'PIL'} & set(sys.modules)\n"
        "sys.exit(code or ' '.join(heavy) or None)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-P", "-c", code]
    result = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0 and "wall" in result.stdout, result.stderr
