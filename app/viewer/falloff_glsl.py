"""A kernel as GLSL: the browser runs the coefficients that every other fast loop runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from splatting.kernels import Kernel

_VARIABLE = {"q": "q", "d": "sqrt(q)", "root-d": "sqrt(sqrt(q))", "two-q": "q"}


def falloff(kernel: Kernel) -> str:
    """GLSL statements that find `float f` from `float q`, for q from 0 to the squared support."""
    fitted = kernel.fitted
    lines = [f"float v = {_VARIABLE[fitted.variable]};"]
    near = _horner(fitted.pieces[0], "v")
    if len(fitted.pieces) == 1:
        lines += [f"float f = {near};"]
    else:
        knot = number(fitted.knot)
        lines += [f"float w = q - {knot};"]
        lines += [f"float f = q <= {knot} ? {near} : {_horner(fitted.pieces[1], 'w')};"]
    return "\n".join(lines)


def number(value: float) -> str:
    """A float32 as a literal that GLSL reads back bit for bit."""
    text = f"{np.float32(value):.9g}"
    return text if "." in text or "e" in text else f"{text}.0"


def _horner(coefficients: tuple[float, ...], v: str) -> str:
    text = number(coefficients[-1])
    for c in coefficients[-2::-1]:
        text = f"({text} * {v} + {number(c)})"
    return text
