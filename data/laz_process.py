"""The other process that reads LAZ files: started at the first, anew when a file has ended it."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from math import prod
from pathlib import Path

import numpy as np

_PATIENCE_S = 60.0
_PATIENCE_S_PER_MB = 5.0
"""Ten times what decompressing takes on a slow machine."""
_lock = threading.Lock()
_running: subprocess.Popen[bytes] | None = None


def laz_columns(path: Path) -> dict[str, np.ndarray]:
    """As `las_columns`; ValueError for a file that cannot be read, or ended the process."""
    with _lock:
        process = _process()
        assert process.stdin is not None and process.stdout is not None
        patience = _PATIENCE_S + _PATIENCE_S_PER_MB * path.stat().st_size / 1e6
        watch = threading.Timer(patience, process.kill)
        watch.daemon = True
        watch.start()
        try:
            process.stdin.write(json.dumps(str(path)).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline() or b"{}")
            columns = {}
            for name, kind, shape in answer.get("arrays", ()):
                dtype = np.dtype(kind)
                content = process.stdout.read(prod(shape) * dtype.itemsize)
                columns[name] = np.frombuffer(content, dtype).reshape(shape)
        except (OSError, ValueError):
            answer = {}
        finally:
            watch.cancel()
        if not answer:  # it is ending, and must not be asked again while it does
            process.kill()
            process.wait()
    if "error" in answer:
        raise ValueError(answer["error"])
    if "arrays" not in answer:
        raise ValueError("one that its decompressor breaks off at")
    return columns


def _process() -> subprocess.Popen[bytes]:
    global _running
    if _running is None or _running.poll() is not None:
        root = str(Path(__file__).parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        _running = subprocess.Popen(
            [sys.executable, "-P", "-m", "data.laz_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        )
    return _running


@atexit.register
def _end() -> None:
    if _running is not None:
        _running.kill()
        _running.communicate()
