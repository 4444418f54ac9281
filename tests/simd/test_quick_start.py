"""Loops load without scipy.linalg, and one that needs it still gets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_what_comes_before_every_loop_imports_no_scipy_linalg() -> None:
    run(
        "import sys, simd.threads\n"
        "assert 'numba.np.arraymath' in sys.modules\n"
        "sys.exit('scipy.linalg' in sys.modules)"
    )


def test_a_loop_that_calls_a_blas_finds_it() -> None:
    run(
        "import simd, numba, numpy\n"
        "product = numba.njit(lambda a: a @ a)(numpy.full((2, 2), 2.0))\n"
        "assert (product == 8).all()"
    )
