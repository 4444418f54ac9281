"""Every part is given to one thread, whatever the others do."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from numba import get_num_threads, njit, prange

from simd.threads import guarded
from simd.work_queue import take


@guarded
@njit(parallel=True)
def taken(parts, times, threads):
    queue = np.zeros(1, np.int64)
    for _ in prange(threads):
        part = take(queue)
        while part < parts:
            times[part] += 1
            part = take(queue)


def test_each_part_is_taken_once() -> None:
    for parts in (0, 1, 5, 20_000):
        times = np.zeros(max(parts, 1), np.int64)
        taken(parts, times, get_num_threads())
        assert (times[:parts] == 1).all()


def test_without_numba_it_counts() -> None:
    queue = np.zeros(1, np.int64)
    assert [take(queue) for _ in range(3)] == [0, 1, 2]


def test_openmp_comes_before_tbb() -> None:
    words = "import simd.threads, numba; print(numba.config.THREADING_LAYER_PRIORITY[0])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "omp"
