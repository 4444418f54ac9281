"""darb3d classify --ray on a cluster of this machine: nothing is lost with a worker, and nothing is
done twice when a run goes on."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
import time
from pathlib import Path

import pytest

import pointcloud
from app import ray_classify
from app.__main__ import main
from app.classify_options import ClassifyOptions
from app.ray_classify import Work, classify_on_ray, name_of, results_of, work_of
from app.ray_results import Results
from data.errors import UserError
from tests.app.shapes import slow_shapes, write_boxes

parquet = pytest.importorskip("pyarrow.parquet", reason="the extra 'ray' is not installed")
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the extra 'ray' is not installed"
)
SETTINGS = {"model": "a", "up": "z", "draws": 4}


def a_row(name: str) -> dict:
    top = [{"label": "wall", "probability": 0.75}]
    return {"file": name, "label": "wall", "probability": 0.75, "top5": top, "points": 3}


def test_parts_are_read_again_and_added_to(tmp_path) -> None:
    first = Results(tmp_path / "out", SETTINGS)
    first.add([a_row("a"), {"file": "b", "error": "no cloud"}])
    again = Results(tmp_path / "out", SETTINGS)
    assert again.done == {"a", "b"}
    again.add([a_row("c")])
    assert len(parquet.read_table(tmp_path / "out")) == 3
    rows = {row["file"]: row for row in Results(tmp_path / "out", SETTINGS).rows}
    assert rows["c"]["top5"] == [{"label": "wall", "probability": 0.75}]
    assert rows["b"]["error"] == "no cloud" and rows["b"]["label"] is None
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["_settings.json", "part-000001.parquet", "part-000002.parquet"]


def test_what_is_no_folder_of_these_answers_is_refused(tmp_path) -> None:
    out = tmp_path / "out"
    Results(out, SETTINGS).add([a_row("a")])
    with pytest.raises(UserError, match="same model and options"):
        Results(out, {**SETTINGS, "up": "y"})
    (out / "part-000001.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="a broken one"):
        Results(out, SETTINGS)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    for other in (tmp_path / "photos", tmp_path / "photos" / "a.jpg"):
        with pytest.raises(UserError, match="expected a new folder"):
            Results(other, SETTINGS)


def a_work(notes: Path) -> Work:
    notes.mkdir(exist_ok=True)
    return work_of(str(notes), ClassifyOptions(), slow_shapes)


@needs_ray
def test_a_killed_worker_loses_nothing_and_a_stopped_run_goes_on(
    tmp_path, monkeypatch, capsys
) -> None:
    data = write_boxes(tmp_path / "data", each=12)
    (data / "wall" / "5.xyz").write_text("no cloud\n")
    paths = sorted(data.rglob("*.xyz"))
    work = a_work(tmp_path / "notes")
    results = results_of(work, tmp_path / "out")
    killed: list[int] = []
    work_folder = Path(work.name)

    def kill_the_first() -> None:
        for _ in range(1200):
            pids = [int(note.name) for note in work_folder.iterdir()]
            if pids:
                os.kill(pids[0], signal.SIGKILL)
                killed.append(pids[0])
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    parts = classify_on_ray(work, paths, results, "local", files_a_task=4)
    counts = [len(next(parts)) for _ in range(4)]
    parts.close()  # as Ctrl-C does
    killer.join()
    assert counts == [4] * 4 and len(killed) == 1
    others = {int(note.name) for note in work_folder.iterdir()} - set(killed)
    assert others, "another process took over"

    assert len(results_of(work, tmp_path / "out").done) == 16
    monkeypatch.setattr(pointcloud, "load", slow_shapes, raising=False)
    monkeypatch.setattr(ray_classify.work_of, "__defaults__", (slow_shapes,))
    capsys.readouterr()
    words = ["classify", str(data), "--weights", work.name, "--score", "-o", str(tmp_path / "out")]
    assert main([*words, "--ray"]) == 0
    out, err = capsys.readouterr()
    assert "16 have their answer in" in out and "35 classified, 1 refused" in out
    assert "20 files in" in out and "accuracy 100.0 % of 35 clouds" in out
    assert f"error: {data / 'wall' / '5.xyz'}: expected rows" in err
    rows = results_of(work, tmp_path / "out").rows
    assert sorted(row["file"] for row in rows) == [name_of(path) for path in paths]
    for row in rows:
        if row["error"] is None:
            assert row["label"] == Path(row["file"]).parent.name
            assert row["probability"] == pytest.approx(row["top5"][0]["probability"])
        else:
            assert row["file"].endswith("wall/5.xyz") and "expected rows" in row["error"]
    again = results_of(work, tmp_path / "out")
    assert list(classify_on_ray(work, paths, again, "nowhere:1")) == [], "all is done: no cluster"


@needs_ray
def test_no_cluster_there_is_one_line(tmp_path) -> None:
    work = a_work(tmp_path / "notes")
    results = results_of(work, tmp_path / "out")
    with pytest.raises(UserError, match=r"--ray 127.0.0.1:1: expected a Ray cluster there"):
        list(classify_on_ray(work, [tmp_path / "a.ply"], results, "127.0.0.1:1"))
