"""One training of a queue: `darb3d fit` in a process of its own, which goes on where it stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def train(words: Sequence[str], out: Path) -> None:
    """`darb3d fit WORDS -o OUT`, with --resume where its state lies beside OUT. Nothing where OUT
    is there, which is written at the end: a result that was deleted is measured again, not trained.

    SIGTERM reaches the training, which saves its state; SystemExit with its code where it does not
    come to its end. Threads sleep between loops unless OMP_WAIT_POLICY says otherwise.
    """
    if out.exists():
        return
    command = [sys.executable, "-m", "app", "fit", *words, "-o", str(out)]
    if out.with_suffix(".state.safetensors").exists():
        command.append("--resume")
    child = subprocess.Popen(command, env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ})
    before = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        code = child.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    if code:
        raise SystemExit(code)


def curve_of(path: Path) -> list[dict[str, float]]:
    """The scores of a training by step; of what was trained twice, after a stop, the later ones."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [by for _, by in sorted({line["step"]: line for line in lines}.items())]
