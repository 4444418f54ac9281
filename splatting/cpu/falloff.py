"""Evaluating a kernel's polynomial on sixteen pixels: a tuple's type selects the code.

`program` is `(c0, c1, ...)` in float32 for a polynomial in q. A last element that is an integer
says what else it is: int8 one in d = sqrt(q), int16 one in sqrt(d), int32 two in q with the knot
between them last but one. Length and last element are part of the tuple's type: each (variable,
degree) compiles to its own straight-line scheme, with no loop and no branch inside the pixel loop.
(The tuple is flat because numba hands no nested ones to parallel loops.)

The coefficients themselves come from memory, times the opacity of the splat: so alpha needs no
product of its own, and the registers stay free for the sums of the backward.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from simd.lane_memory import spread_at
from simd.lanes import maximum, square_root, where

TINY = np.float32(1e-12)
MOST_COEFFICIENTS = 20

_SETUP = {
    None: "v = q",
    types.int8: "v = square_root(maximum(q, tiny))",
    types.int16: "v = square_root(square_root(maximum(q, tiny)))",
    types.int32: "v = q",
}
_CHAIN = {
    None: "",
    types.int8: " * (half / v)",
    types.int16: " * (quarter / (v * v * v))",
    types.int32: "",
}
"""dv/dq."""


def _compiled_only() -> Any:
    raise RuntimeError("this name has a meaning in compiled code only")


# numba compares the parameters of a stub and of its code by name and annotation: so they have none


def coefficients(program):
    """Coefficients of value and slope, `(2, n)`: row 1 holds i c_i, and zero for each constant."""
    return _compiled_only()


def paint(program, table, place, stride, q):
    """o f(q), with the coefficients of o f at `table[place + i * stride]`."""
    return _compiled_only()


def paint_and_slope(program, table, place, slopes, stride, q):
    """(o f(q), o df/dq): also those of the slope at `table[slopes + i * stride]`; it is the
    derivative of the polynomial itself."""
    return _compiled_only()


def layout(program: Any) -> tuple[Any, int, list[int]]:
    """(marker, number of coefficients, first coefficient of each segment) of a program's type."""
    marker = program[-1] if isinstance(program[-1], types.Integer) else None
    count = len(program) - (marker is not None) - (marker == types.int32)
    return marker, count, [0, count // 2] if marker == types.int32 else [0]


def _scheme(first: int, last: int, place: str, v: str) -> str:
    """Horner's scheme of the coefficients `first` to `last` after `place`."""
    at = [f"spread_at(table, {place} + {i} * stride)" for i in range(first, last + 1)]
    if len(at) == 1:
        return f"({at[0]} + zero * {v})"
    value = f"({at[-1]} * {v} + {at[-2]})"
    for term in at[-3::-1]:
        value = f"({value} * {v} + {term})"
    return value


def _compile(program: Any, with_slope: bool) -> Any:
    """Source of the straight-line scheme that the type of `program` asks for."""
    marker, count, firsts = layout(program)
    size = count // len(firsts)
    lines = [_SETUP[marker]]
    for segment, first in enumerate(firsts):
        v = "v" if segment == 0 else "w"
        if segment == 1:
            lines += [f"knot = program[{count}]", "w = q - knot"]
        lines += [f"value{segment} = {_scheme(first, first + size - 1, 'place', v)}"]
        if with_slope:
            scheme = _scheme(first + 1, first + size - 1, "slopes", v) if size > 1 else "zero * v"
            lines += [f"slope{segment} = {scheme}{_CHAIN[marker]}"]
    if len(firsts) == 2:
        # both sides are computed and one is chosen: a branch would cost more
        lines += ["value0 = where(q <= knot, value0, value1)"]
        lines += ["slope0 = where(q <= knot, slope0, slope1)"] if with_slope else []
    body = "\n    ".join([*lines, f"return value0{', slope0' if with_slope else ''}"])
    scope: dict[str, Any] = {"maximum": maximum, "square_root": square_root}
    scope |= {"where": where, "spread_at": spread_at, "tiny": TINY, "zero": np.float32(0)}
    scope |= {"half": np.float32(0.5), "quarter": np.float32(0.25)}
    arguments = "program, table, place, slopes, stride, q"
    if not with_slope:
        arguments = arguments.replace(" slopes,", "")
    exec(f"def run({arguments}):\n    {body}", scope)
    return scope["run"]


@overload(paint, inline="always")
def _paint(program, table, place, stride, q):
    return _compile(program, with_slope=False)


@overload(paint_and_slope, inline="always")
def _paint_and_slope(program, table, place, slopes, stride, q):
    return _compile(program, with_slope=True)


@overload(coefficients)
def _coefficients(program):
    _, count, firsts = layout(program)
    size = count // len(firsts)
    lines = [f"table = np.empty((2, {count}), np.float32)"]
    for i in range(count):
        lines += [
            f"table[0, {i}] = program[{i}]",
            f"table[1, {i}] = f32({i % size}) * program[{i}]",
        ]
    scope: dict[str, Any] = {"np": np, "f32": np.float32}
    exec("def run(program):\n    " + "\n    ".join([*lines, "return table"]), scope)
    return scope["run"]
