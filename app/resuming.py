"""Continuing a training: which run, with which options, from which state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.runs import RunConfig, RunFolder
from data.errors import UserError

if TYPE_CHECKING:
    from splatting.training_state import TrainingState

NEWEST = "newest"
"""What `--resume` means without a folder."""
MAY_CHANGE = {"minutes", "steps", "passes", "threads", "versions"}
"""Options that a continued training may have otherwise than it began."""


def find(resume: str, wanted: RunConfig, out: Path | None, endless: bool = False) -> RunFolder:
    """The folder to continue: `out`, the one named, or the newest run of this scene and kernel
    under `runs/` that is unfinished, or shorter than what is wanted now (unless that is `endless`:
    no length was given). UserError when there is none."""
    if out is not None:
        return RunFolder(out)
    if resume != NEWEST:
        return RunFolder(Path(resume))
    candidates = []
    for path in Path("runs").glob("*/config.json"):
        run = RunFolder(path.parent)
        try:
            config = run.read_config()
        except UserError:  # of another version: none of ours to continue
            continue
        if config is None:
            continue
        same = (config.scene, config.kernel) == (wanted.scene, wanted.kernel)
        if same and (not run.finished or (not endless and _is_longer(wanted, config))):
            candidates.append(run)
    if not candidates:
        raise UserError(
            f"--resume: expected an unfinished run of {wanted.scene} with {wanted.kernel} in"
            f" {Path('runs').absolute()}, found none; name its folder, or ask for more --steps or"
            " --minutes than it had"
        )
    return max(candidates, key=lambda run: run.config_path.stat().st_mtime_ns)


def _is_longer(wanted: RunConfig, began: RunConfig) -> bool:
    pairs = ((wanted.steps, began.steps), (wanted.minutes, began.minutes))
    return any(now is not None and before is not None and now > before for now, before in pairs)


def continued(run: RunFolder, wanted: RunConfig, defaults: RunConfig, endless: bool) -> RunConfig:
    """How `run` goes on: as it began, but for a length (unless `endless`, none was given) or
    threads that `wanted` changes; and for every other option if nothing was trained yet.

    UserError names the first other option that differs both from what it began with and from
    `defaults`.
    """
    began = run.read_config()
    if began is None:
        raise UserError(f"{run.path}: expected a run folder with config.json, found none")
    if began.scene != wanted.scene:
        raise UserError(
            f"{run.path}: expected a run of {wanted.scene}, found one of {began.scene}; name that"
            " scene or leave --resume out"
        )
    untrained = not (run.state_path.exists() or run.previous_state_path.exists())
    for name, value in vars(wanted).items():
        before = getattr(began, name)
        asked = value != getattr(defaults, name)
        if name in MAY_CHANGE or not asked or value == before:
            continue
        if untrained:
            began = replace(began, **{name: value})
        else:
            flag = name.replace("_", "-")
            raise UserError(
                f"--{flag}: expected {before}, with which {run.path} began, found {value}; leave it"
                " out or start a new run"
            )
    if not endless:
        began = replace(began, minutes=wanted.minutes, steps=wanted.steps)
    passes = began.passes if wanted.passes == defaults.passes else wanted.passes
    return replace(began, threads=wanted.threads or began.threads, passes=passes)


def load_state(run: RunFolder) -> tuple[TrainingState | None, str]:
    """The last state of `run` that can be read, None if it never saved one; and what to tell."""
    from splatting.checkpoint import load_state as read
    from splatting.training_state import unpack

    complaints = []
    for path in (run.state_path, run.previous_state_path):
        if not path.exists():
            continue
        try:
            return unpack(*read(path)), "; ".join([*complaints, ""])
        except UserError as error:
            complaints.append(str(error))
    if complaints:
        raise UserError("; ".join(complaints))
    return None, ""
