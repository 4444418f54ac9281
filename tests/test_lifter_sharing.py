"""Lifters that learn from little of one animal: who learns from what, and the table."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.lifter_sharing import TOGETHER, a_tenth, chosen, queue, rows_of, words_of
from lifting.clips import RigClips, load_rigs
from lifting.motions import random_motion
from lifting.protocol import UNSEEN
from lifting.random_rigs import random_rig
from lifting.rig_files import save_rig


def rig_of(name: str, kind: str, clips: int, seed: int = 0) -> RigClips:
    rng = np.random.default_rng(seed)
    rig = random_rig(np.random.default_rng(len(kind)), kind)
    motions = [random_motion(rig, rng, frames=12) for _ in range(clips)]
    named = (replace(motion, name=f"{name}/{k}") for k, motion in enumerate(motions))
    return RigClips(name, rig.skeleton, tuple(named), "CC0")


def rigs() -> list[RigClips]:
    return [
        rig_of("heron", "bird", 12),
        rig_of("stork", "bird", 4, seed=1),
        rig_of("carp", "fish", 6),
        rig_of(UNSEEN[0], "quadruped", 3),
    ]


def test_a_file_gives_a_rig_back(tmp_path: Path) -> None:
    heron = rigs()[0]
    save_rig(tmp_path / "heron.npz", heron, "bird")
    (found,) = load_rigs(tmp_path)
    assert found.name == "heron" and found.licence == "CC0" and found.family == heron.family
    assert [clip.name for clip in found.clips] == [clip.name for clip in heron.clips]
    for read, written in zip(found.clips, heron.clips, strict=True):
        np.testing.assert_allclose(read.xyz, written.xyz, atol=1e-5)
        assert (read.fps, read.up) == (written.fps, written.up)


def test_a_tenth_is_one_clip_at_least_and_the_same_every_time() -> None:
    heron = rigs()[0]
    assert len(a_tenth(heron).clips) == 1 and a_tenth(heron).clips == a_tenth(heron).clips
    many = replace(heron, clips=heron.clips * 2)
    assert len(a_tenth(many).clips) == 2


def test_others_of_a_family_and_unseen_rigs_teach_nothing() -> None:
    assert [rig.name for rig in chosen(rigs()[:3])] == ["heron", "carp"]
    cells = {cell.name: cell for cell in queue(rigs())}
    together = cells[TOGETHER]
    assert {rig.name for rig in together.rigs} == {"heron", "carp"} == set(together.scored)
    assert all(len(rig.clips) == 1 for rig in together.rigs)
    assert set(cells) == {TOGETHER} | {
        f"{k}-{n}" for k in ("then", "tenth", "whole") for n in together.scored
    }
    words = words_of(cells["then-carp"], Path("work"))
    assert words[-2:] == ("--start-from", "work/together.safetensors")
    assert cells["then-carp"].rigs == cells["tenth-carp"].rigs
    held = {"heron/1", "heron/6", "heron/11"}  # every fifth movement of twelve
    (whole,) = cells["whole-heron"].rigs
    assert held.isdisjoint(clip.name for clip in whole.clips) and len(whole.clips) == 9


def test_rows_count_the_rigs_that_others_help() -> None:
    def found(**errors: float) -> dict:
        return {"fa_mpjpe": errors}

    standing = {TOGETHER: found(heron=3.0, carp=5.0), "tenth-heron": found(heron=4.0)}
    standing |= {"tenth-carp": found(carp=4.5), "whole-heron": found(heron=2.0)}
    standing |= {"then-carp": found(carp=4.0)}
    assert rows_of(standing) == [
        ["heron", "3.00", "-", "4.00", "2.00"],
        ["carp", "5.00", "4.00", "4.50", "-"],
        ["than a tenth alone", "better on 1 of 2", "better on 1 of 1", "", ""],
    ]
    assert rows_of({}) == []


def test_the_queue_trains_and_skips_what_stands(tmp_path: Path) -> None:
    folder = tmp_path / "rigs"
    folder.mkdir()
    for rig in rigs():
        save_rig(folder / f"{rig.name}.npz", rig)
    words = [str(folder), "--quick", "--folder", str(tmp_path / "r"), "--work", str(tmp_path / "w")]
    command = [sys.executable, "-m", "benchmarks.lifter_sharing", *words]
    for expected in ("1/7 together", "heron"):
        got = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
        assert expected in got.stdout
    assert "1/7" not in got.stdout and (tmp_path / "r" / "together.json").exists()
