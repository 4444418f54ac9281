"""darb3d fit, adapt and forget as a user runs them, on made-up solids."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.__main__ import main
from data.labelled_clouds import LabelledClouds
from pointcloud.advice import Advisers
from pointcloud.classifier_files import load_classifier
from tests.pointcloud.solids import made_clouds, write_npz

SMALL = ["--centres", "12", "--neighbours", "6", "--backbone.width", "24", "--backbone.depth", "2"]
SMALL += ["--threads", "1"]


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def data(tmp_path_factory, monkeypatch_module) -> Path:
    folder = tmp_path_factory.mktemp("data")
    monkeypatch_module.setenv("DARB3D_CACHE", str(folder / ".cache"))
    write_npz(folder / "old.npz", made_clouds(("ball", "box", "rod"), 15))
    write_folder(folder / "mine", made_clouds(("ring", "rod"), 10))
    return folder


@pytest.fixture(scope="module")
def base(data: Path) -> Path:
    """A classifier of balls, boxes and rods, made by the command."""
    path = data / "base.safetensors"
    words = ["--steps", "60", "--batch", "12", "--rate", "5e-3", *SMALL]
    assert (
        main(["fit", "classifier", "--data", str(data / "old.npz"), "-o", str(path), *words]) == 0
    )
    return path


def write_folder(path: Path, clouds: LabelledClouds) -> None:
    for row, cloud in enumerate(clouds.clouds):
        folder = path / clouds.classes[clouds.labels[row]]
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / f"{row}.xyz", cloud)


def test_fit_says_what_it_did_and_records_its_options(base: Path, data: Path, capsys) -> None:
    saved = load_classifier(base)
    assert saved.classes == ("ball", "box", "rod")
    assert saved.model.config.backbone.width == 24 and saved.model.config.centres == 12
    assert saved.about["data"] == "old.npz" and saved.about["held_out"]["accuracy"] > 0.6
    assert not list(data.glob("*.state.safetensors"))


def test_adapt_writes_a_few_kb_beside_the_base(base: Path, data: Path, capsys) -> None:
    before = base.read_bytes()
    words = ["--data", str(data / "mine"), "--steps", "20", "--rank", "2", "--bits", "4"]
    assert main(["adapt", str(base), *words, "--threads", "1"]) == 0
    text = capsys.readouterr().out
    path = data / "base-mine.adapter.safetensors"
    assert f"wrote {path}: {path.stat().st_size:,} bytes" in text and path.stat().st_size < 4000
    assert "16 clouds of 2 classes to train on, 4 held out" in text
    assert "before, held out:" in text and "after, held out:" in text and "(4 bits)" in text
    assert base.read_bytes() == before
    again = main(["adapt", str(base), *words])
    assert again == 2 and "expected a new file, found one" in capsys.readouterr().err


def test_an_adapter_of_the_packages_model_is_used_by_classify(
    data: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["adapt", "3dgpe", "--data", str(data / "mine"), "--steps", "4", "--rank", "1"]
    assert main([*words, "--bits", "4", "--threads", "1", "--merged", "whole.safetensors"]) == 0
    adapter = tmp_path / "3dgpe-mine.adapter.safetensors"
    assert adapter.stat().st_size < 20_000
    capsys.readouterr()
    cloud = next((data / "mine").glob("ring/*.xyz"))
    both = (["--adapter", str(adapter)], ["--weights", "whole.safetensors"])
    answers = []
    for way in both:
        assert main(["classify", str(cloud), *way, "--json"]) == 0
        answers += json.loads(capsys.readouterr().out)
    assert {name for name, _ in answers[0]["top5"]} == {"ring", "rod"}
    assert answers[0]["top5"][0][1] == pytest.approx(answers[1]["top5"][0][1], abs=1e-4)
    card = load_classifier(tmp_path / "whole.safetensors")
    assert card.about["adapted"]["data"] == "mine" and card.familiarity is not None
    assert main(["classify", str(cloud), "--weights", "whole.safetensors", *both[0]]) == 2
    assert "expected the base it was trained on" in capsys.readouterr().err


def test_forget_reports_both_parts_and_writes_a_model(base: Path, data: Path, capsys) -> None:
    merged = data / "fewer.safetensors"
    words = ["--class", "rod", "--data", str(data / "old.npz"), "--steps", "30", "--threads", "1"]
    assert main(["forget", str(base), *words, "--merged", str(merged)]) == 0
    text = capsys.readouterr().out
    assert "rod, to forget: " in text and "the others, to keep: " in text
    assert (data / "base-without-rod.adapter.safetensors").exists()
    saved = load_classifier(merged)
    assert saved.classes == ("ball", "box", "rod") and saved.about["forgotten"] == ["rod"]


def test_a_stopped_training_goes_on_with_resume(darb3d, data: Path, tmp_path: Path) -> None:
    words = ["fit", "classifier", "--data", data / "old.npz", "--batch", 12, *SMALL]
    stopped = ["-o", "cut.safetensors", "--save-every", 0.05]
    process = darb3d.start(*words, "--steps", 100_000, *stopped, cwd=tmp_path)
    state = tmp_path / "cut.state.safetensors"
    for _ in range(1200):
        if state.exists():
            break
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM and "--resume goes on" in out
    step = int(out.split("stopped at step ")[1].split(";")[0])
    assert main([*map(str, words), "--steps", "9", "-o", str(tmp_path / "cut.safetensors")]) == 2
    result = darb3d.run(*words, "--steps", step + 2, *stopped, "--resume", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"resuming at step {step}" in result.stdout and not state.exists()
    assert load_classifier(tmp_path / "cut.safetensors").about["steps"] == step + 2


def test_scores_on_the_way_change_nothing(data: Path, tmp_path: Path, capsys) -> None:
    words = ["fit", "classifier", str(data / "old.npz"), "--steps", "8", "--batch", "12"]
    plain, scored = tmp_path / "plain.safetensors", tmp_path / "scored.safetensors"
    assert main([*words, *SMALL, "-o", str(plain)]) == 0
    assert "step 3" not in capsys.readouterr().out
    assert main([*words, *SMALL, "-o", str(scored), "--score-every", "1"]) == 0
    assert "step 3: held out" in capsys.readouterr().out
    curve = (tmp_path / "scored.curve.jsonl").read_text()
    lines = [json.loads(line) for line in curve.splitlines()]
    assert [line["step"] for line in lines] == [3, 6] and 0 <= lines[1]["overall"] <= 1
    one, other = (load_classifier(path).model.state_dict() for path in (plain, scored))
    assert all((one[name] == other[name]).all() for name in one)


def test_a_training_goes_on_from_a_file_and_its_card_says_so(
    base: Path, data: Path, tmp_path: Path, capsys
) -> None:
    more = tmp_path / "more.safetensors"
    words = ["fit", "classifier", str(data / "old.npz"), "--threads", "1", "--batch", "12"]
    # a rate of next to nothing: what is written is what was begun with
    words += ["--start-from", str(base), "--steps", "2", "--rate", "1e-12", "-o"]
    assert main([*words, str(more)]) == 0
    assert "warning" not in capsys.readouterr().out
    one, other = (load_classifier(path) for path in (base, more))
    assert other.model.config == one.model.config and other.about["steps"] == 2
    began = other.about["began_with"]
    assert began["data"] == "old.npz" and began["epochs"] == one.about["epochs"]
    weights = [saved.model.state_dict() for saved in (one, other)]
    for name in weights[0]:
        np.testing.assert_allclose(weights[1][name], weights[0][name], atol=1e-8)
    # clouds that the first training saw are not held out in silence
    assert main([*words, str(tmp_path / "x.safetensors"), "--hold-out", "0.4"]) == 0
    assert "what is held out now it may have seen" in capsys.readouterr().out


def test_advisers_are_learned_from_and_stand_in_the_card(
    base: Path, data: Path, tmp_path: Path, capsys
) -> None:
    path = tmp_path / "advised.safetensors"
    words = ["fit", "classifier", str(data / "old.npz"), "--threads", "1", "--batch", "12"]
    words += ["--model", "3dgpe", "--gaussians", "8", "--width", "32", "--no-t-net"]
    words += ["--advisers", str(base), "--steps", "3", "-o", str(path)]
    assert main([*words, "--advice", "0.6"]) == 0
    about = load_classifier(path).about
    assert about["advised_by"] == ["base"] and about["recipe"]["advice"] == 0.6
    capsys.readouterr()
    assert main(["inspect", str(path)]) == 0
    assert "base" in capsys.readouterr().out


def test_a_stop_while_advisers_are_asked_loses_no_lesson(
    base: Path, data: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    teacher, out = tmp_path / "teacher.safetensors", tmp_path / "student.safetensors"
    words = ["fit", "classifier", str(data / "old.npz"), "--threads", "1", "--batch", "12"]
    words += ["--width", "32", "--no-t-net", "--steps", "2"]
    assert main([*words, "--model", "pointnet", "-o", str(teacher)]) == 0
    words += ["--model", "3dgpe", "--gaussians", "8", "--teacher", str(teacher)]
    words += ["--distil-steps", "3", "--advisers", str(base)]
    whole = tmp_path / "whole.safetensors"
    assert main([*words, "-o", str(whole)]) == 0
    ask = Advisers.__call__

    def asked(self, clouds):
        signal.raise_signal(signal.SIGTERM)
        return ask(self, clouds)

    with monkeypatch.context() as patch:
        patch.setattr(Advisers, "__call__", asked)
        assert main([*words, "-o", str(out)]) == 128 + signal.SIGTERM
    assert not out.exists() and "stopped at step 0" in capsys.readouterr().out
    assert main([*words, "-o", str(out), "--resume"]) == 0
    assert "learning from the teacher" not in capsys.readouterr().out
    one, other = (load_classifier(path).model.state_dict() for path in (whole, out))
    assert all((one[name] == other[name]).all() for name in one)


def test_balance_lifts_the_rare_class_and_nothing_else(tmp_path: Path) -> None:
    clouds = made_clouds(("ball", "box"), 24)
    few = clouds.take(np.flatnonzero((clouds.labels == 0) | (np.arange(48) % 4 == 0)))
    write_npz(tmp_path / "few.npz", few)
    words = ["fit", "classifier", str(tmp_path / "few.npz"), "--steps", "8", "--batch", "12"]
    models = {}
    for balance in ("0", "1"):
        path = tmp_path / f"{balance}.safetensors"
        assert main([*words, *SMALL, "-o", str(path), "--balance", balance]) == 0
        models[balance] = load_classifier(path)
    assert models["1"].about["recipe"]["balance"] == 1.0
    plain, lifted = (models[one].model.state_dict() for one in "01")
    difference = (lifted.pop("head.bias") - plain.pop("head.bias")).numpy()
    counts = np.bincount(few.split(0.2)[0].labels)
    expected = models["0"].temperature * np.log(counts.max() / counts)
    np.testing.assert_allclose(difference, expected, rtol=1e-4, atol=1e-6)
    assert all((plain[name] == lifted[name]).all() for name in plain)


def test_balls_of_two_sizes_in_files_are_told_apart_by_metric_alone(tmp_path, capsys) -> None:
    balls = made_clouds(("ball",), 40).clouds
    labels = np.arange(40) % 2
    clouds = [(0.4 if label else 1.6) * ball for ball, label in zip(balls, labels, strict=True)]
    data = LabelledClouds(clouds, labels, ("large", "small"), np.arange(40))
    write_folder(tmp_path / "balls", data)
    words = ["--model", "3dgpe", "--steps", "40", "--batch", "12", "--rate", "5e-3"]
    words += ["--gaussians", "8", "--width", "32", "--no-t-net", "--drop", "0", "--threads", "1"]
    right = {}
    for flag in ([], ["--metric"]):
        path = tmp_path / f"m{len(flag)}.safetensors"
        fit = ["fit", "classifier", str(tmp_path / "balls"), "-o", str(path), *words, *flag]
        assert main(fit) == 0
        capsys.readouterr()
        assert main(["classify", str(tmp_path / "balls"), "--json", "--weights", str(path)]) == 0
        said = json.loads(capsys.readouterr().out)
        hits = [Path(one["file"]).parent.name == one["label"] for one in said]
        right[bool(flag)] = sum(hits) / len(hits)
    assert right[True] == 1.0 > right[False] + 0.2


FIT = ["fit", "classifier", "--data"]
WRONG = [
    ([*FIT, "{data}/nowhere", "-o", "{out}"], "nowhere: expected a folder"),
    ([*FIT, "{data}/old.npz", "-o", "{data}/no/a"], "its folder to exist"),
    (["fit", "classifier", "-o", "{out}"], "DATA: expected one folder of clouds, or one .npz"),
    ([*FIT, "{data}/mine", "{data}/old.npz", "-o", "{out}"], "or one .npz, found 2"),
    (
        [*FIT, "{data}/old.npz", "-o", "{out}", "--centres", "0"],
        "centres, neighbours: expected 1 to 1024",
    ),
    (
        [*FIT, "{data}/old.npz", "-o", "{out}", "--model", "3dgpe", "--coarse-until", "0.5"],
        "coarse_until: expected 0",
    ),
    (
        [*FIT, "{data}/old.npz", "-o", "{out}", "--score-every", "-1"],
        "--score-every: expected 0 or more",
    ),
    (
        [*FIT, "{data}/old.npz", "-o", "{out}", "--resume"],
        "expected an unfinished training",
    ),
    (
        [*FIT, "{data}/old.npz", "-o", "{out}", "--start-from", "{base}", "--model", "3dgpe"],
        "--model: expected transformer",
    ),
    (
        [*FIT, "{data}/old.npz", "-o", "{out}", "--start-from", "{base}", "--centres", "9"],
        "expected no options that say how the model is built",
    ),
    (
        [*FIT, "{data}/mine", "-o", "{out}", "--start-from", "{base}"],
        "expected a classifier of the data's 2 classes",
    ),
    (
        [*FIT, "{data}/old.npz", "-o", "{out}", "--start-from", "nothing"],
        "--start-from nothing: expected a file, or one of 3dgpe",
    ),
    (
        [*FIT, "{data}/mine", "-o", "{out}", "--advisers", "{base}"],
        "--advisers {base}: expected a classifier of the data's 2 classes",
    ),
    (
        [*FIT, "{data}/old.npz", "-o", "{out}", "--advisers", "{base}", "--advice", "1.5"],
        "advice: expected 0 to 1, found 1.5",
    ),
    (["adapt", "{data}/old.npz", "--data", "{data}/old.npz"], "expected a safetensors file"),
    (
        ["adapt", "{base}", "--data", "{data}/mine", "--bits", "9"],
        "--bits: expected 1 to 8, found 9",
    ),
    (
        ["adapt", "{base}", "--data", "{data}/mine", "--rank", "99", "-o", "{out}"],
        "--rank 99: rank: expected 1 to 24",
    ),
    (
        ["forget", "{base}", "--class", "rods", "--data", "{data}/old.npz"],
        "did you mean rod?",
    ),
    (
        ["forget", "{base}", "--class", "rod", "--data", "{data}/mine", "-o", "{out}"],
        "class ring: expected one of the 3 classes",
    ),
]


@pytest.mark.parametrize(("words", "says"), WRONG)
def test_wrong_input_is_one_line_and_2(base, data, tmp_path, capsys, words, says) -> None:
    places = {"data": data, "base": base, "out": tmp_path / "out.safetensors"}
    capsys.readouterr()
    assert main([word.format(**places) for word in words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("error: ")
    assert says.format(**places) in error
    assert not list(tmp_path.iterdir())


def test_options_of_the_backbone_that_exclude_each_other_are_refused(
    darb3d, data, tmp_path
) -> None:
    words = ["fit", "classifier", "--data", data / "old.npz", "-o", "a.safetensors"]
    result = darb3d.run(*words, "--backbone.impulse", "line", cwd=tmp_path)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "needs `tokens`" in result.stderr + result.stdout
