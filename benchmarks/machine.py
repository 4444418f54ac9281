"""What stands beside every figure: machine, threads, versions, commit; and how figures are taken
and kept."""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"


def facts() -> dict[str, Any]:
    """CPU, cores, versions, date and commit."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for name in ("darb3d", "numpy", "numba"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "-"
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "versions": versions,
        "commit": git.stdout.strip() or "-",
        "date": time.strftime("%Y-%m-%d"),
        "fma_peak_gflops_one_thread": round(fma_peak_gflops(), 1),
    }


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    found = {key.strip(): value.strip() for key, value in fields.items()}
    name = found.get("model name", platform.machine())
    widest = next((w for w in ("avx512f", "avx2") if w in found.get("flags", "")), "")
    return f"{name} family {found.get('cpu family', '?')} model {found.get('model', '?')} {widest}"


@functools.cache
def fma_peak_gflops() -> float:
    """float32 operations per nanosecond of a vectorised multiply-add loop on one thread (2 per
    FMA)."""
    from numba import njit

    # contraction only, and factors that the compiler cannot see: else it folds the steps into one
    @njit(fastmath={"contract"})
    def spin(x, a, b, rounds):
        for _ in range(rounds):
            for i in range(len(x)):
                v = x[i]
                v = v * a + b
                v = v * a + b
                v = v * a + b
                v = v * a + b
                v = v * a + b
                v = v * a + b
                v = v * a + b
                v = v * a + b
                x[i] = v

    x = np.ones(1024, np.float32)
    a, b = np.float32(0.999), np.float32(0.001)
    spin(x, a, b, 1)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        spin(x, a, b, 20_000)
        seconds.append(time.perf_counter() - started)
    return 20_000 * len(x) * 16 / min(seconds) / 1e9


def cpu_clock(threads: int) -> Callable[[], float]:
    """Seconds of CPU of this process, divided by its threads: what a clock on the wall would show
    if nothing else ran. Equal-time cells are measured by it, so that other programs on a shared
    machine slow them down without changing them."""
    return lambda: time.process_time() / threads


def peak_memory_mb() -> float:
    """The largest resident size of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux's ru_maxrss begins with that of the process that started this one
        line = next(text for text in status.read_text().splitlines() if text.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


class Clock:
    """Wall and CPU milliseconds of named functions, by wrapping them where their callers look them
    up."""

    def __init__(self, stages: Sequence[tuple[Any, str]]) -> None:
        self._stages = stages
        self._kept: list[Callable[..., Any]] = []
        self.wall: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}

    def __enter__(self) -> Clock:
        for module, name in self._stages:
            original = getattr(module, name)
            self._kept.append(original)
            setattr(module, name, self._timed(name, original))
        return self

    def __exit__(self, *_: object) -> None:
        for (module, name), original in zip(self._stages, self._kept, strict=True):
            setattr(module, name, original)
        self._kept.clear()

    def clear(self) -> None:
        """Forget what was measured: the first rounds warm the caches."""
        self.wall.clear()
        self.cpu.clear()

    def medians(self) -> dict[str, dict[str, float]]:
        """Median wall and CPU milliseconds of each stage."""
        return {
            name: {
                "wall_ms": round(1e3 * float(np.median(self.wall[name])), 3),
                "cpu_ms": round(1e3 * float(np.median(self.cpu[name])), 3),
            }
            for name in self.wall
        }

    def _timed(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any) -> Any:
            cpu, wall = time.process_time(), time.perf_counter()
            result = original(*args)
            self.wall.setdefault(name, []).append(time.perf_counter() - wall)
            self.cpu.setdefault(name, []).append(time.process_time() - cpu)
            return result

        return timed


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options that every script has."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--quick", action="store_true", help="the smallest case, under a minute")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    return options


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns as wide as they need, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """The file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(draft, path)
