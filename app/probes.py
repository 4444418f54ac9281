"""What is on this machine, asked without importing anything heavy: versions come from the packages'
metadata, CUDA from the driver. None where there is no answer."""

from __future__ import annotations

import os
import sys
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path


def importable(module: str) -> bool:
    """Whether Python would find it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def version(distribution: str) -> str | None:
    """Of an installed distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def processors() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> str | None:
    """Of the machine."""
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, ValueError, OSError):
        return None  # Windows


def threading() -> str | None:
    """Threads and pool that numba would take; it tries them in the order of its configuration."""
    try:
        from numba.core import config

        import simd.threads  # noqa: F401  which sets that order
    except ImportError:
        return None
    wanted = config.THREADING_LAYER  # type: ignore[attr-defined]
    pools = {"omp": "omppool", "tbb": "tbbpool", "workqueue": "workqueue"}
    order = [wanted] if wanted in pools else config.THREADING_LAYER_PRIORITY  # type: ignore[attr-defined]
    usable = (name for name in order if _imports(f"numba.np.ufunc.{pools[name]}"))
    layer = next(usable, "none")
    return f"{config.NUMBA_NUM_THREADS}, {layer}"  # type: ignore[attr-defined]


def _imports(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:
        return False
    return True


def cache_folder() -> str | None:
    """Where compiled loops are kept, and how large they are."""
    try:
        from simd.cache import folder
    except ImportError:
        return None
    path = folder()
    try:
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        lasting = "" if _writable(path) else ", not writable: every start compiles anew"
    except OSError as error:
        return f"{path} (not readable: {error.strerror})"
    return f"{path} ({size / 2**20:.0f} MiB{lasting})"


def _writable(path: Path) -> bool:
    """Whether files can be made in `path`, or in the nearest folder above it that exists."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    return os.access(there, os.W_OK)


def loads(library: str) -> bool:
    """Whether the system has it."""
    from ctypes import CDLL

    try:
        CDLL(library)
    except OSError:
        return False
    return True


def cuda_devices() -> str | None:
    """Names of the devices that the driver shows, without torch."""
    from ctypes import CDLL, byref, c_int, create_string_buffer

    try:
        driver = CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    count = c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(byref(count)):
        return None
    names = []
    for index in range(count.value):
        name = create_string_buffer(100)
        driver.cuDeviceGetName(name, len(name), index)
        names.append(name.value.decode(errors="replace"))
    return ", ".join(names) or None


def torch_cuda() -> str | None:
    """The CUDA version torch was built for, read from its version file without importing it."""
    try:
        spec = find_spec("torch")
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    try:
        text = Path(spec.origin).with_name("version.py").read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("cuda"):
            value = line.partition("=")[2].strip().strip("'\"")
            return None if value == "None" else value
    return None
