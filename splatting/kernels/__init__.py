"""Decaying radial basis functions as data: the closed form, its constants and the polynomial that
fast loops run.

A kernel f(q) of the squared Mahalanobis distance q = d^2 replaces the Gaussian exp(-q / 2) of
splatting (DARB-Splatting, arXiv 2501.12369). Everything that a back end needs is derived from the
closed form: the polynomial with its measured error, the spread factor psi, the screen mass and the
distance at which an opacity falls below 1/255. So the fast loops never call exp or cos, and forward
and backward agree because the slope is the differentiated polynomial.
"""

from __future__ import annotations

from splatting.kernels.description import describe, restore
from splatting.kernels.kernel import ALPHA_CUT, CUTOFF_ENTRIES, Kernel, derive
from splatting.kernels.registry import get, names, register

__all__ = [
    "ALPHA_CUT",
    "CUTOFF_ENTRIES",
    "Kernel",
    "derive",
    "describe",
    "get",
    "names",
    "register",
    "restore",
]
