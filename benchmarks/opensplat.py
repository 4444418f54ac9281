"""A training step against OpenSplat's on the CPU.

    python -m benchmarks.opensplat SCENE [--data-factor N] [--binary PATH [--build TEXT]]

With a binary, blocks of both programs alternate on the same folder, the same number of threads and
nearly the same number of splats (both start at the points of the model): the time of their step is
the difference of a long and a short run divided by the difference in steps, so that start-up drops
out. OpenSplat asks for every photo that the model names. Without a binary, figures that were
recorded elsewhere are printed, with their machines and dates.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import data
from benchmarks import step
from benchmarks.machine import facts, parser, print_table, write_json

SHORT, LONG = 10, 40
"""Steps of the two runs of OpenSplat; its density control starts at 500."""
RECORDED = [
    ("fern, 8,243 splats, 504x378", "2 cores of an AVX-512 Xeon, 2.1 GHz class", "2026-08", 480),
    ("20 photos, 13.2k splats, 504x378", "2 cores of an AMD Zen 5", "2026-08", 210),
    ("77 photos, 10.1k splats, 400x300", "2 cores of an AMD Zen 5", "2026-08", 160),
]
"""Scene, machine, month, milliseconds a step of OpenSplat (WebODM) at its HEAD of 2026-08-20, with
threads and -O3 -march=native."""
SAME_WORK = ["--sh-degree-interval", 1, "--densify-until", 10 * LONG]
"""Options that have OpenSplat do what a step of ours does: all harmonics from the start, and Adam
in every step, where by default the second half of a run has it in every 32nd."""


def seconds_of(binary: Path, scene: Path, factor: int, steps: int, more: Sequence[Any]) -> float:
    """Wall time of a whole run of `steps` steps on the CPU, with `more` options."""
    with tempfile.TemporaryDirectory() as folder:
        words = [binary, scene, "--cpu", "-n", steps, "-d", factor]
        words += ["-o", f"{folder}/out.ply", *more]
        started = time.perf_counter()
        done = subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, check=False
        )
        elapsed = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{binary}: expected it to train, found: {done.stderr.strip()[-300:]}")
    return elapsed


def compare(binary: Path, path: Path, factor: int, rounds: int) -> dict[str, Any]:
    """Median milliseconds of both programs' steps over alternating blocks; OpenSplat's with the
    work of ours, and by its default options."""
    scene = data.load_scene(path, factor)
    theirs, same, ours = [], [], []
    threads = os.cpu_count() or 1
    for _ in range(rounds):
        for more, found in ((SAME_WORK, same), ([], theirs)):
            short, long = (seconds_of(binary, path, factor, n, more) for n in (SHORT, LONG))
            found.append(1e3 * (long - short) / (LONG - SHORT))
        ours.append(step.measure(scene, None, ["raised-cosine"], threads, 60)[0]["step_ms"])
    return {
        "scene": scene.name,
        "splats": len(scene.points.xyz),
        "size": [scene.train[0].camera.width, scene.train[0].camera.height],
        "threads": threads,
        "darb3d_step_ms": round(float(np.median(ours)), 2),
        "opensplat_step_ms": round(float(np.median(same)), 2),
        "ratio": round(float(np.median(np.divide(same, ours))), 2),
        "by_default_ms": round(float(np.median(theirs)), 2),
        "ratio_by_default": round(float(np.median(np.divide(theirs, ours))), 2),
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("scene", type=Path)
    options.add_argument("--data-factor", type=int, default=1)
    options.add_argument("--binary", type=Path, help="an opensplat built on this machine")
    options.add_argument("--build", default="", help="version and flags of it, for the record")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    machine = facts()
    print(machine)
    content: dict[str, Any] = {"benchmark": "opensplat", "machine": machine}
    if given.binary:
        found = compare(given.binary, given.scene, given.data_factor, given.rounds)
        theirs = ", ".join(filter(None, [given.binary.name, given.build]))
        content |= {"slower_side": f"{theirs}; --cpu", "cell": found}
        print_table(list(found), [list(found.values())])
    else:
        scene = data.load_scene(given.scene, given.data_factor)
        rounds = 10 if given.quick else 60
        threads = os.cpu_count() or 1
        [found] = step.measure(scene, None, ["raised-cosine"], threads, rounds)
        print(
            f"ours here: {found['step_ms']} ms a step, {scene.name}, {found['splats']:,} splats,"
            f" {found['width']}x{found['height']}, {threads} threads"
        )
        print("OpenSplat, recorded elsewhere (give --binary to measure it beside ours):")
        print_table(["scene", "machine", "when", "ms a step"], [list(row) for row in RECORDED])
        content |= {"cell": found, "recorded": [list(row) for row in RECORDED]}
    if given.json:
        write_json(given.json, content)


if __name__ == "__main__":
    main()
