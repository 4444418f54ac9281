"""Evaluating a kernel's polynomial: a tuple's type selects the code, so coefficients sit in
registers.

`program` is `(c0, c1, ...)` in float32 for a polynomial in q, with an int8 at the end for one in
d = sqrt(q). Length and last element are part of the tuple's type: each (variable, degree) compiles
to its own straight-line Horner scheme, with no loop and no branch inside the pixel loop. (The tuple
is flat because numba hands no nested ones to parallel loops.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

TINY = np.float32(1e-12)


def _compiled_only() -> Any:
    raise RuntimeError("this name has a meaning in compiled code only")


# numba compares the parameters of a stub and of its code by name and annotation: so they have none


def falloff(program, q):
    """f(q)."""
    return _compiled_only()


def falloff_and_slope(program, q):
    """(f(q), df/dq); the slope is the derivative of the polynomial itself."""
    return _compiled_only()


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
    exec(f"def run(program, q):\n    c = program\n{body}", scope)
    return scope["run"]


def _read_type(program: Any) -> tuple[int, bool]:
    """Degree of the polynomial, and whether it is one in d."""
    in_d = bool(program[-1] == types.int8)
    return len(program) - 1 - in_d, in_d


@overload(falloff, inline="always")
def _falloff(program, q):
    degree, in_d = _read_type(program)
    if in_d:
        return _compile(f"    d = sqrt(max(q, tiny))\n    return {_horner(degree, 'd')}")
    return _compile(f"    return {_horner(degree, 'q')}")


@overload(falloff_and_slope, inline="always")
def _falloff_and_slope(program, q):
    degree, in_d = _read_type(program)
    if in_d:
        return _compile(
            "    d = sqrt(max(q, tiny))\n"
            f"    return {_horner(degree, 'd')}, {_horner_slope(degree, 'd')} * f32(0.5) / d"
        )
    return _compile(f"    return {_horner(degree, 'q')}, {_horner_slope(degree, 'q')}")
