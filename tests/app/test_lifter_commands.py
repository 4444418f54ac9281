"""`darb3d fit lifter` and `darb3d make-motions`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import data
from app.__main__ import main
from lifting.clips import load_rigs
from lifting.lifter_files import load_lifter

TINY = [
    *("--fit.tokens", "300", "--fit.frames", "4", "--lifter.backbone.width", "16"),
    *("--lifter.backbone.depth", "2", "--lifter.backbone.heads", "2"),
    *("--lifter.backbone.head-dim", "8", "--lifter.fourier", "4", "--threads", "1"),
]


@pytest.fixture
def motions(tmp_path):
    folder = tmp_path / "motions"
    made = ["make-motions", str(folder), "--rigs", "3", "--clips", "2", "--frames", "20"]
    assert main(made) == 0
    return folder


def test_generated_motions_are_a_data_set(motions, capsys) -> None:
    rigs = load_rigs(motions)
    assert len(rigs) == 3 and all(rig.permissive for rig in rigs)
    for rig in rigs:
        assert [len(clip) for clip in rig.clips] == [20, 20]
        bones = rig.skeleton.edges
        xyz = rig.clips[0].xyz
        lengths = np.linalg.norm(xyz[:, bones[:, 0]] - xyz[:, bones[:, 1]], axis=2)
        assert np.ptp(lengths, axis=0).max() < 1e-5 * rig.clips[0].diagonal
    assert main(["make-motions", str(motions)]) == 2
    assert "found some" in capsys.readouterr().err


def test_a_lifter_is_trained_and_read_back(motions, tmp_path, capsys) -> None:
    out = tmp_path / "l.safetensors"
    assert main(["fit", "lifter", str(motions), "-o", str(out), "--fit.steps", "3", *TINY]) == 0
    saved = load_lifter(out)
    assert saved.about["steps"] == 3 and len(saved.about["rigs"]) == 3
    assert saved.model.config.backbone.width == 16
    assert not out.with_suffix(".state.safetensors").exists()
    assert main(["fit", "lifter", str(motions), "-o", str(out), *TINY]) == 2
    assert "expected a new file" in capsys.readouterr().err


def test_half_precision_takes_half_the_room(motions, tmp_path) -> None:
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    for out, more in ((whole, []), (half, ["--half"])):
        words = ["fit", "lifter", str(motions), "-o", str(out), "--fit.steps", "1", *TINY, *more]
        assert main(words) == 0
    assert half.stat().st_size < 0.7 * whole.stat().st_size
    a, b = load_lifter(whole).model, load_lifter(half).model
    assert torch.equal(a.fourier.frequencies, b.fourier.frequencies)
    for one, other in zip(a.parameters(), b.parameters(), strict=True):
        assert other.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_a_training_begins_with_another_lifter(motions, tmp_path, capsys) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert main(["fit", "lifter", str(motions), "-o", str(first), "--fit.steps", "2", *TINY]) == 0
    more = tmp_path / "more"
    assert main(["make-motions", str(more), "--rigs", "4", "--clips", "1", "--frames", "20"]) == 0
    words = ["fit", "lifter", str(more), "-o", str(second), "--start-from", str(first)]
    words += ["--fit.steps", "1", "--fit.tokens", "300", "--fit.frames", "4", "--threads", "1"]
    capsys.readouterr()
    assert main([*words, "--lifter.window", "3"]) == 2
    assert "leave them out" in capsys.readouterr().err
    assert main([*words, "--fit.rate", "1e-9"]) == 0
    before, after = load_lifter(first), load_lifter(second)
    assert after.model.config == before.model.config
    for a, b in zip(before.model.parameters(), after.model.parameters(), strict=True):
        assert (a - b).abs().max() < 1e-6
    assert set(before.about["rigs"]) < set(after.about["rigs"])
    assert set(before.about["licences"]) <= set(after.about["licences"])
    assert after.about["began_with"]["steps"] == 2


def test_a_resumed_training_still_names_the_lifter_it_began_with(
    motions, tmp_path, monkeypatch, capsys
) -> None:
    from app import interrupts

    first, out = tmp_path / "first.safetensors", tmp_path / "l.safetensors"
    assert main(["fit", "lifter", str(motions), "-o", str(first), "--fit.steps", "1", *TINY]) == 0
    words = ["fit", "lifter", str(motions), "-o", str(out), "--fit.steps", "3", *TINY]
    begun = [*words, "--start-from", str(first)]
    polls = iter(range(100))
    monkeypatch.setattr(interrupts.StopRequest, "__bool__", lambda self: next(polls) >= 1)
    monkeypatch.setattr(interrupts.StopRequest, "code", 143, raising=False)
    main(begun)
    monkeypatch.undo()
    assert main([*words, "--resume"]) == 2
    assert "began_with" in capsys.readouterr().err
    assert main([*begun, "--resume"]) == 0
    assert load_lifter(out).about["began_with"]["steps"] == 1


def test_a_lifter_is_adapted_and_used(motions, tmp_path, capsys) -> None:
    base, adapter = tmp_path / "l.safetensors", tmp_path / "mine.safetensors"
    assert main(["fit", "lifter", str(motions), "-o", str(base), "--fit.steps", "1", *TINY]) == 0
    words = ["adapt", "lifter", str(motions), "--weights", str(base), "-o", str(adapter)]
    words += ["--steps", "2", "--tokens", "300", "--rank", "2", "--bits", "4", "--threads", "1"]
    capsys.readouterr()
    before = base.read_bytes()
    longer = tmp_path / "longer"
    made = ["make-motions", str(longer), "--rigs", "1", "--clips", "1", "--frames", "60"]
    assert main(made) == 0
    words[2] = str(longer)
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "48 frames to train on, 12 held out" in text
    assert "before, held out: FA-MPJPE" in text and "after, held out: FA-MPJPE" in text
    assert adapter.stat().st_size < 20_000 and base.read_bytes() == before
    tracks = Path(data.__file__).parent / "samples" / "keypoints" / "plain.csv"
    lift = ["lift", str(tracks), "--weights", str(base), "--threads", "1"]
    for name, more in (("plain.npz", []), ("adapted.npz", ["--adapter", str(adapter)])):
        assert main([*lift, "-o", str(tmp_path / name), *more]) == 0
    plain, adapted = (np.load(tmp_path / f"{n}.npz")["xyz"] for n in ("plain", "adapted"))
    assert plain.shape == adapted.shape and np.abs(plain - adapted).max() > 0


def test_a_stopped_training_goes_on_with_resume(motions, tmp_path, monkeypatch) -> None:
    from app import interrupts

    out = tmp_path / "l.safetensors"
    words = ["fit", "lifter", str(motions), "-o", str(out), "--fit.steps", "4", *TINY]
    polls = iter(range(100))
    monkeypatch.setattr(interrupts.StopRequest, "__bool__", lambda self: next(polls) >= 1)
    monkeypatch.setattr(interrupts.StopRequest, "code", 143, raising=False)
    main(words)
    state = out.with_suffix(".state.safetensors")
    assert state.exists() and not out.exists()
    monkeypatch.undo()
    assert main(words) == 2  # a training stands there: say --resume
    assert main([*words, "--resume"]) == 0
    assert load_lifter(out).about["steps"] == 4 and not state.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--protocol"], "folder of rigs"),
        (["--with-selection"], "--protocol beside it"),
        (["--resume"], "unfinished training"),
        (["--device", "tpu"], "cpu or cuda"),
        (["nowhere"], "rigs in motion"),
    ],
)
def test_wrong_use_is_one_line(words, message, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "lifter", *words, *TINY]) == 2
    error = capsys.readouterr().err
    assert message in error and error.strip().count("\n") == 0


def test_a_file_that_is_no_lifter_is_refused(tmp_path) -> None:
    from data.errors import UserError

    with pytest.raises(UserError, match="--weights"):
        load_lifter(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(json.dumps({}).encode())
    with pytest.raises(UserError, match="safetensors"):
        load_lifter(tmp_path / "bad.safetensors")
