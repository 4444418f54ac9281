"""Evaluating a kernel's polynomial: a tuple's type selects the code, so coefficients sit in
registers.

`program` is `(c0, c1, ...)` in float32 for a polynomial in q. A last element that is an integer
says what else it is: int8 one in d = sqrt(q), int16 one in sqrt(d), int32 two in q with the knot
between them last but one. Length and last element are part of the tuple's type: each (variable,
degree) compiles to its own straight-line Horner scheme, with no loop and no branch inside the pixel
loop. (The tuple is flat because numba hands no nested ones to parallel loops.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

TINY = np.float32(1e-12)

_SETUP = {
    None: "v = q",
    types.int8: "v = sqrt(max(q, tiny))",
    types.int16: "v = sqrt(sqrt(max(q, tiny)))",
    types.int32: "v = q",
}
_CHAIN = {
    None: "",
    types.int8: " * f32(0.5) / v",
    types.int16: " * f32(0.25) / (v * v * v)",
    types.int32: "",
}
"""dv/dq."""


def _compiled_only() -> Any:
    raise RuntimeError("this name has a meaning in compiled code only")


# numba compares the parameters of a stub and of its code by name and annotation: so they have none


def falloff(program, q):
    """f(q)."""
    return _compiled_only()


def falloff_and_slope(program, q):
    """(f(q), df/dq); the slope is the derivative of the polynomial itself."""
    return _compiled_only()


def _horner(first: int, degree: int, v: str) -> str:
    value = f"c[{first + degree}]"
    for i in range(degree - 1, -1, -1):
        value = f"({value}*{v}+c[{first + i}])"
    return value


def _horner_slope(first: int, degree: int, v: str) -> str:
    value = f"f32({degree})*c[{first + degree}]" if degree else "f32(0)"
    for i in range(degree - 1, 0, -1):
        value = f"({value}*{v}+f32({i})*c[{first + i}])"
    return value


def _compile(program: Any, with_slope: bool) -> Any:
    """Source of the straight-line scheme that the type of `program` asks for."""
    marker = program[-1] if isinstance(program[-1], types.Integer) else None
    lines = [_SETUP[marker]]
    if marker == types.int32:
        degree = (len(program) - 2) // 2 - 1
        knot = f"c[{len(program) - 2}]"
        # both sides are computed and one is chosen: a branch would cost the SIMD loop
        lines += [f"w = q - {knot}", f"near = {_horner(0, degree, 'v')}"]
        lines += [
            f"far = {_horner(degree + 1, degree, 'w')}",
            f"value = near if q <= {knot} else far",
        ]
        if with_slope:
            lines += [f"near_slope = {_horner_slope(0, degree, 'v')}"]
            lines += [f"far_slope = {_horner_slope(degree + 1, degree, 'w')}"]
            lines += [f"slope = near_slope if q <= {knot} else far_slope"]
    else:
        degree = len(program) - 1 - (marker is not None)
        lines += [f"value = {_horner(0, degree, 'v')}"]
        if with_slope:
            lines += [f"slope = {_horner_slope(0, degree, 'v')}{_CHAIN[marker]}"]
    body = "\n    ".join([*lines, "return value, slope" if with_slope else "return value"])
    scope: dict[str, Any] = {"f32": np.float32, "sqrt": np.sqrt, "tiny": TINY}
    exec(f"def run(program, q):\n    c = program\n    {body}", scope)
    return scope["run"]


@overload(falloff, inline="always")
def _falloff(program, q):
    return _compile(program, with_slope=False)


@overload(falloff_and_slope, inline="always")
def _falloff_and_slope(program, q):
    return _compile(program, with_slope=True)
