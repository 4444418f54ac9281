"""Evaluating a kernel's polynomial: the nested tuple's type selects the code, so coefficients sit in registers.

`program` is `(coefficients,)` for a polynomial in q and `(coefficients, ())` for one in d = sqrt(q).
The length of `coefficients` is part of its type: each (variable, degree) compiles to its own
straight-line Horner scheme, with no loop and no branch inside the pixel loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

TINY = np.float32(1e-12)


def falloff(program: Any, q: Any) -> Any:
    """f(q)."""
    raise NotImplementedError("compiled code only")


def falloff_and_slope(program: Any, q: Any) -> Any:
    """(f(q), df/dq); the slope is the derivative of the polynomial itself."""
    raise NotImplementedError("compiled code only")


def _horner(degree: int, variable: str) -> str:
    value = f"c[{degree}]"
    for i in range(degree - 1, -1, -1):
        value = f"({value}*{variable}+c[{i}])"
    return value


def _horner_slope(degree: int, variable: str) -> str:
    value = f"f32({degree})*c[{degree}]" if degree else "f32(0)"
    for i in range(degree - 1, 0, -1):
        value = f"({value}*{variable}+f32({i})*c[{i}])"
    return value


def _compile(body: str) -> Any:
    scope: dict[str, Any] = {"f32": np.float32, "sqrt": np.sqrt, "tiny": TINY}
    exec(f"def run(program, q):\n    c = program[0]\n{body}", scope)
    return scope["run"]


def _is_in_d(program: types.BaseTuple) -> bool:
    return len(program) == 2


@overload(falloff, inline="always")
def _falloff(program: Any, q: Any) -> Any:
    degree = len(program[0]) - 1
    if _is_in_d(program):
        return _compile(f"    d = sqrt(max(q, tiny))\n    return {_horner(degree, 'd')}")
    return _compile(f"    return {_horner(degree, 'q')}")


@overload(falloff_and_slope, inline="always")
def _falloff_and_slope(program: Any, q: Any) -> Any:
    degree = len(program[0]) - 1
    if _is_in_d(program):
        return _compile(
            "    d = sqrt(max(q, tiny))\n"
            f"    return {_horner(degree, 'd')}, {_horner_slope(degree, 'd')} * f32(0.5) / d"
        )
    return _compile(f"    return {_horner(degree, 'q')}, {_horner_slope(degree, 'q')}")
