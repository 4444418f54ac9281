"""numba's functions of arrays without scipy.linalg, which costs a third of a second to import."""

from __future__ import annotations

from typing import Any


def load_array_functions() -> None:
    """Import them before the first loop does. They import scipy.linalg only to see whether a BLAS
    is there, which no loop of ours calls; one that would finds scipy then."""
    from numba.np import linalg

    module: Any = linalg
    if not hasattr(module, "ensure_blas"):
        return
    asks, module.ensure_blas = module.ensure_blas, lambda: None
    try:
        import numba.np.arraymath  # noqa: F401 (kept by its import)
    finally:
        module.ensure_blas = asks
