"""Where compiled code is kept: one folder per user and version of the code, filled under a file
lock."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data import user_cache

COMPILED = ("simd", "splatting/cpu", "pointcloud/cpu")
"""Folders of compiled loops."""


def folder() -> Path:
    """The folder of compiled code: `NUMBA_CACHE_DIR` if set, else the user's cache folder."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen)
    return user_cache.folder() / f"numba-py{sys.version_info[0]}{sys.version_info[1]}-{_sources()}"


def _sources() -> str:
    """A digest of the compiled files: numba looks at the file of a loop alone, not at those whose
    functions it inlines."""
    digest, root = hashlib.sha256(), Path(__file__).parents[1]
    for place in COMPILED:
        for path in sorted((root / place).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def configure() -> None:
    """Point numba at `folder()`; has to run before the first decorator does.

    numba itself keys each entry by its own version, the source file's time and the CPU, so that no
    SIMD width is assumed when a home folder moves between machines.
    """
    from numba.core import config

    try:
        folder().mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a read-only home: numba compiles into memory, as without a cache
    config.CACHE_DIR = str(folder())  # pyright: ignore[reportAttributeAccessIssue]
    if "NUMBA_CACHE_DIR" not in os.environ:
        _forget_old()


def _forget_old() -> None:
    """Delete the folders of other versions that nobody has used for a month."""
    os.utime(folder())
    month_ago = time.time() - 30 * 86_400
    for other in folder().parent.glob("numba-py*"):
        if other.stat().st_mtime < month_ago:
            shutil.rmtree(other, ignore_errors=True)


@contextmanager
def compile_lock() -> Iterator[None]:
    """Hold the file lock of the cache, so that two programs do not compile and write it at once."""
    try:
        import fcntl

        handle = open(folder() / "compile.lock", "w")  # noqa: SIM115 (held until the end)
    except (ImportError, OSError):
        yield
        return
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
