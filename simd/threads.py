"""Which of numba's thread pools runs the loops, and one gate in front of every parallel loop,
because one of the pools must not be entered twice.

Training and the viewer render from two Python threads. The OpenMP and TBB layers allow that; the
workqueue layer (the only one in the macOS wheel) ends the process. So on workqueue a process-wide
lock lets one caller in at a time.

OpenMP comes first, not TBB as numba has it: with a TBB of 2022 on the machine a process may never
end, spinning in TBB's finalize (numba issue 10556).
"""

from __future__ import annotations

import functools
import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numba
from numba.np.ufunc.parallel import threading_layer

# open3d brings a TBB that is too old for numba, which then takes the next layer and says so
warnings.filterwarnings("ignore", message="The TBB threading layer requires TBB")

if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:
    numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]  # type: ignore[attr-defined]

_gate = threading.Lock()
_layer: str | None = None


def guarded(parallel: Callable[..., Any]) -> Callable[..., Any]:
    """`parallel`, entered by one thread at a time where the threading layer demands it."""

    @functools.wraps(parallel)
    def enter(*args: Any) -> Any:
        if _layer is not None and _layer != "workqueue":
            return parallel(*args)
        with _gate:
            result = parallel(*args)
            _remember_layer()
        return result

    enter.py_func = getattr(parallel, "py_func", parallel)  # type: ignore[attr-defined]
    return enter


def _remember_layer() -> None:
    """Note the layer that numba chose; it is known only once a parallel loop has run."""
    global _layer
    if _layer is None:
        _layer = threading_layer()


def set_threads(count: int | None) -> int:
    """Use `count` threads (all cores if None) for loops entered from the calling thread; returns
    it."""
    limit = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    chosen = limit if count is None else max(1, min(int(count), limit))
    numba.set_num_threads(chosen)
    return chosen
