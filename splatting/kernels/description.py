"""A kernel as a line of text, so that a file of splats shows itself without the code that made it.

Files name their kernel. One of the user's own travels with its polynomial: numbers only, checked on
reading as a registration is, and nothing in a file is ever run.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from data.errors import UserError
from splatting.kernels import registry
from splatting.kernels.fit import Program
from splatting.kernels.kernel import Kernel, cutoffs

_MOST_COEFFICIENTS = 16


def describe(kernel: Kernel) -> str:
    """JSON on one line for a kernel of the user's own; empty for a built-in one."""
    if kernel.built_in:
        return ""
    return json.dumps(
        {
            "support": kernel.support,
            "psi": kernel.psi,
            "screen_mass": kernel.screen_mass,
            "screen_variance": kernel.screen_variance,
            "variable": kernel.fitted.variable,
            "pieces": kernel.fitted.pieces,
            "knot": kernel.fitted.knot,
        }
    )


def restore(name: str, description: str = "") -> Kernel:
    """The kernel that a file names: as its description says, else built in or registered here.

    UserError for an unknown name without a description, or a description that is no falloff.
    """
    if not description:
        return registry.get(name)
    try:
        content = json.loads(description)
        numbers = {
            key: float(content[key]) for key in ("support", "psi", "screen_mass", "screen_variance")
        }
        pieces = tuple(tuple(float(c) for c in piece) for piece in content["pieces"])
        fitted = Program(content["variable"], pieces, float(content["knot"]))
        _check_numbers(numbers, fitted)
        form = _program_form(fitted)
        registry.check(lambda q: np.clip(form(q, np), 0.0, 1.0), numbers["support"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"kernel {name!r}: expected the description of a falloff, found: {error}; name the"
            " file that defines it with --kernel FILE.py:NAME"
        ) from None
    table = cutoffs(form, numbers["support"])
    return Kernel(
        name=name,
        support=numbers["support"],
        closed_form=form,
        psi=numbers["psi"],
        screen_mass=numbers["screen_mass"],
        screen_variance=numbers["screen_variance"],
        fitted=fitted,
        cutoff_table=table,
    )


def _check_numbers(numbers: dict[str, float], fitted: Program) -> None:
    for key, value in numbers.items():
        if not 1e-6 < value < 1e6:
            raise ValueError(f"{key} = {value}")
    pairs = {"q": 1, "d": 1, "root-d": 1, "two-q": 2}
    lengths = {len(piece) for piece in fitted.pieces}
    if len(fitted.pieces) != pairs.get(fitted.variable) or len(lengths) != 1:
        raise ValueError(f"{len(fitted.pieces)} polynomials in {fitted.variable!r}")
    if not 2 <= lengths.pop() <= _MOST_COEFFICIENTS:
        raise ValueError("a polynomial of that degree")
    if not np.isfinite([fitted.knot, *(c for piece in fitted.pieces for c in piece)]).all():
        raise ValueError("coefficients that are not finite")


def _program_form(fitted: Program) -> Any:
    def closed_form(q: Any, xp: Any) -> Any:
        v = q
        if fitted.variable != "q" and fitted.variable != "two-q":
            v = xp.sqrt(xp.clip(q, 1e-12, None))
            v = xp.sqrt(v) if fitted.variable == "root-d" else v
        value = _horner(fitted.pieces[0], v)
        if fitted.variable == "two-q":
            value = xp.where(q <= fitted.knot, value, _horner(fitted.pieces[1], v - fitted.knot))
        return value

    return closed_form


def _horner(coefficients: tuple[float, ...], v: Any) -> Any:
    value = coefficients[-1] + 0.0 * v
    for c in coefficients[-2::-1]:
        value = value * v + c
    return value
