"""Seconds from `darb3d train` to the first step taken, with compiled code in the cache.

    python -m benchmarks.startup SCENE [--data-factor N] [--page]

The first run, which may compile, is not counted. Beside it stands what `import torch` alone takes
on this machine: training needs none, but every other trainer begins with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import facts, parser, print_table, write_json

ENDLESS = 10_000_000


def first_step(words: list[str], limit_s: float = 300.0) -> tuple[float, float]:
    """Wall and CPU seconds until a training has written the numbers of its first step."""
    with tempfile.TemporaryDirectory() as folder:
        metrics = Path(folder) / "run" / "metrics.jsonl"
        command = [sys.executable, "-m", "app", "train", *words, "--out", str(metrics.parent)]
        before, started = os.times(), time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while not (metrics.exists() and metrics.stat().st_size):
            if process.poll() is not None or time.perf_counter() - started > limit_s:
                process.kill()
                raise SystemExit(f"{' '.join(command)}: {process.communicate()[1].decode()}")
            time.sleep(0.005)
        wall = time.perf_counter() - started
        process.kill()
        process.communicate()
        after = os.times()
    spent = after.children_user + after.children_system
    return wall, spent - before.children_user - before.children_system


def import_torch() -> float:
    """Wall seconds of `import torch` in a new process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - started


def main() -> None:
    options = parser(__doc__)
    options.add_argument("scene", type=Path)
    options.add_argument("--data-factor", type=int, default=1)
    options.add_argument("--page", action="store_true", help="with the browser page")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    machine = facts()
    print(machine)
    words = [str(given.scene.absolute()), "--data-factor", str(given.data_factor)]
    words += ["--steps", str(ENDLESS), *([] if given.page else ["--no-viewer"])]
    first_step(words)
    rounds = 1 if given.quick else given.rounds
    walls, cpus = zip(*(first_step(words) for _ in range(rounds)), strict=True)
    torch = [import_torch() for _ in range(rounds + 1)][1:]
    cell = {
        "first_step_s": round(float(np.median(walls)), 2),
        "cpu_s": round(float(np.median(cpus)), 2),
        "import_torch_s": round(float(np.median(torch)), 2),
        "rounds": rounds,
        "page": given.page,
    }
    print_table(list(cell), [[str(value) for value in cell.values()]])
    if given.json:
        write_json(given.json, {"benchmark": "startup", "machine": machine, **cell})


if __name__ == "__main__":
    main()
