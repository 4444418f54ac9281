"""A run folder names itself, writes whole files only, and refuses what it does not know."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from app.runs import MetricsLog, RunConfig, RunFolder
from data.errors import UserError
from data.whole_files import replacing


def a_config(**changes) -> RunConfig:
    values = {
        "scene": "/scenes/cup",
        "kernel": "gaussian",
        "data_factor": 2,
        "minutes": None,
        "steps": 20,
        "seed": 3,
        "train_on_all": False,
        "max_splats": 1000,
        "threads": 2,
    }
    return RunConfig(**{**values, **changes})


def test_folders_count_up_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [RunFolder.create("my cup", "gaussian").path for _ in range(3)]
    assert [str(path) for path in paths] == [f"runs/my_cup-gaussian-{n}" for n in (1, 2, 3)]
    assert all(path.is_dir() for path in paths)


@pytest.mark.parametrize("name", ["..", "/", "", "a/../b"])
def test_a_scene_name_never_leaves_runs(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = RunFolder.create(name, "gaussian").path.resolve()
    assert path.parent == (tmp_path / "runs").resolve()


def test_out_is_taken_as_it_is_but_never_overwrites_a_run(tmp_path):
    run = RunFolder.create("cup", "gaussian", tmp_path / "deep" / "here")
    assert run.path == tmp_path / "deep" / "here"
    run.write_config(a_config())
    with pytest.raises(UserError, match="holds a run"):
        RunFolder.create("cup", "gaussian", run.path)


def test_out_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="expected a folder"):
        RunFolder.create("cup", "gaussian", tmp_path / "taken")


def test_config_comes_back_as_it_went(tmp_path):
    run = RunFolder(tmp_path)
    assert run.read_config() is None
    run.write_config(a_config())
    assert run.read_config() == a_config()
    assert run.read_config().versions["numpy"]


@pytest.mark.parametrize(
    "change", [{"learning_rate": 1}, {"seed": ...}], ids=["unknown key", "missing key"]
)
def test_a_config_of_another_version_is_refused_by_name(tmp_path, change):
    run = RunFolder(tmp_path)
    run.write_config(a_config())
    content = json.loads(run.config_path.read_text())
    content |= change
    content = {key: value for key, value in content.items() if value is not ...}
    run.config_path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=next(iter(change))):
        run.read_config()


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "eval.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_metrics_keep_numbers_every_few_steps_and_the_last(tmp_path):
    import numpy as np

    run = RunFolder(tmp_path)
    log = MetricsLog(run.metrics_path, every=10)
    for step in range(1, 26):
        log.add(step, {"loss": np.float32(0.5), "psnr": 20, "seconds": 0.5, "live": object()})
    log.close()
    lines = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 11, 21, 25]
    assert lines[0] == {"step": 1, "loss": 0.5, "psnr": 20, "seconds": 0.5}
    run.metrics_path.write_text(run.metrics_path.read_text() + '{"step": 30, "lo')
    assert run.metrics() == lines


def test_a_full_disk_costs_lines_of_metrics_and_no_training(tmp_path):
    class Full:
        def write(self, content):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    log = MetricsLog(RunFolder(tmp_path).metrics_path)
    log._file.close()
    log._file = Full()
    log.add(1, {"loss": 0.5})
    log.close()


def test_an_error_names_the_file_and_not_its_draft(tmp_path):
    with pytest.raises(OSError) as caught, replacing(tmp_path / "a.ply") as draft:
        raise OSError(errno.ENOSPC, "No space left on device", str(draft))
    assert caught.value.filename == str(tmp_path / "a.ply")


@pytest.mark.parametrize("name", ["a.jpg", "deep/a.JPG", "../../a.png", "/etc/a.png"])
def test_renders_stay_inside_the_run(name):
    path = RunFolder(Path("run")).render_path(name)
    assert path.suffix == ".png" and path.parts[:2] == ("run", "renders") and ".." not in path.parts


def test_a_run_without_splats_is_taken_back_and_nothing_else(tmp_path):
    run = RunFolder.create("cup", "gaussian", tmp_path / "run")
    run.write_config(a_config())
    (run.path / "notes.txt").write_text("mine")
    run.discard()
    assert [path.name for path in run.path.iterdir()] == ["notes.txt"]
    run.write_config(a_config())
    run.splats_path.write_bytes(b"splats")
    run.discard()
    assert run.config_path.exists()


def test_cameras_that_were_found_are_kept(tmp_path):
    """Finding them takes longer than most trainings."""
    run = RunFolder.create("cup", "gaussian", tmp_path / "run")
    run.write_config(a_config())
    (run.sfm_path / "images").mkdir(parents=True)
    (run.sfm_path / "sparse" / "0").mkdir(parents=True)
    assert not run.discard() and run.config_path.exists()
    (run.sfm_path / "sparse" / "0").rmdir()
    assert run.discard() and not run.path.exists()
