"""Kernels by name: the built-in family, its two with parameters, and the user's own."""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import UserError
from splatting.kernels import closed_forms as forms
from splatting.kernels.kernel import Kernel, derive

NumpyForm = Callable[[Any], Any]
"""f(q) for float64 arrays of numpy."""

# opacity <= 1, so exp(-q/2) >= 1/255 ends at q = 2 ln 255: nothing beyond is ever drawn
_GAUSSIAN_SUPPORT = float(np.sqrt(2.0 * forms.LOG_255))
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_MOST_SUPPORT = 100.0

_PLAIN: dict[str, tuple[forms.ClosedForm, float]] = {
    "gaussian": (forms.gaussian, _GAUSSIAN_SUPPORT),
    "raised-cosine": (forms.raised_cosine, forms.RAISED_COSINE_SUPPORT),
    "half-cosine": (forms.half_cosine, forms.SUPPORT),
    "half-cosine-square": (forms.half_cosine_square, forms.SUPPORT),
    "parabolic": (forms.parabolic, forms.SUPPORT),
    "modular-sinc": (forms.modular_sinc, forms.SUPPORT),
    "inverse-multiquadric": (forms.inverse_multiquadric, forms.SUPPORT),
    "triangle": (forms.triangle, forms.SUPPORT),
}
_FAMILIES: dict[str, tuple[Callable[..., tuple[forms.ClosedForm, float]], dict[str, Any]]] = {
    # name: (maker, {parameter: (default, least, most)})
    "generalised-exponential": (
        forms.generalised_exponential,
        {"n": (1.5, 1.0, 8.0), "a": (0.5, 0.01, 100.0)},
    ),
    "student-t": (forms.student_t, {"nu": (5.0, 2.0, 1000.0)}),
}
_own: dict[str, Kernel] = {}
_read: dict[tuple[Path, str], tuple[int, Kernel]] = {}
"""Kernels of files, with the time of the file: a training asks for its kernel several times."""


def names() -> tuple[str, ...]:
    """Names of the built-in kernels, then those registered here."""
    return (*_PLAIN, *_FAMILIES, *_own)


def get(name: str) -> Kernel:
    """The kernel called `name`: `parabolic`, `student-t:nu=10`, `mykernels.py:quartic`.

    UserError for an unknown name or parameter, and for a file without that kernel.
    """
    if name in _own:
        return _own[name]
    if re.search(r"\.py:", name):
        return _from_file(*name.rsplit(":", 1))
    return _built_in(name)


def register(name: str, f: NumpyForm, support: float) -> Kernel:
    """Add a kernel of one's own; it then trains, renders, exports and shows like a built-in one.

    `f` takes a float64 numpy array of q, the squared Mahalanobis distance, and returns as many
    values in [0, 1] with f(0) = 1; nothing is drawn beyond `support` sigmas. ValueError when f is
    not such a falloff or when no polynomial follows it.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"name: expected letters, digits, - and _, found {name!r}")
    if name in _PLAIN or name in _FAMILIES:
        raise ValueError(f"name: expected a new one, found {name!r}, which is built in")
    support = _checked_support(support)
    check(f, support)
    _own[name] = derive(name, _numpy_form(f), support)
    return _own[name]


def check(f: NumpyForm, support: float) -> None:
    """ValueError, naming what was found, unless `f` is a falloff on [0, support]."""
    q = np.linspace(0.0, support, 4001) ** 2
    values = np.asarray(f(q.copy()))
    if values.shape != q.shape:
        raise ValueError(f"f: expected {q.shape} values for {q.shape} of q, found {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"f: expected finite values, found {values[~np.isfinite(values)][0]}")
    if values.min() < -1e-9:
        raise ValueError(f"f: expected no negative value, found {values.min():.3g}")
    if values.max() > 1.0 + 1e-9:
        raise ValueError(f"f: expected no value above 1, found {values.max():.3g}")
    if abs(values[0] - 1.0) > 1e-6:
        raise ValueError(f"f: expected 1 at the centre, found {values[0]:.6g}")
    if values[-1] > 1.0 / 255.0 + 1e-9:
        raise ValueError(
            f"f: expected it to end below 1/255 at the support ({support:g} sigmas), found"
            f" {values[-1]:.3g}; widen the support or taper f"
        )


def _checked_support(support: float) -> float:
    if not (np.isfinite(support) and 0.05 <= support <= _MOST_SUPPORT):
        raise ValueError(
            f"support: expected 0.05 to {_MOST_SUPPORT:g} sigmas, found {support}: a kernel needs"
            " a finite mass"
        )
    return float(support)


@functools.cache
def _built_in(name: str) -> Kernel:
    if name in _PLAIN:
        whole = 14.0 if name == "gaussian" else None
        return derive(name, *_PLAIN[name], whole, built_in=True)
    family, _, text = name.partition(":")
    if family not in _FAMILIES:
        raise UserError(
            f"expected a kernel among {', '.join(names())} or FILE.py:NAME, found {name!r}"
            " (--kernel)"
        )
    make, known = _FAMILIES[family]
    values = {key: default for key, (default, _, _) in known.items()}
    for part in filter(None, text.split(",")):
        key, _, number = part.partition("=")
        limits = ", ".join(f"{k}={low:g}..{high:g}" for k, (_, low, high) in known.items())
        try:
            values[key] = float(number)
            _, low, high = known[key]
        except (KeyError, ValueError):
            low, high = np.inf, -np.inf
        if not low <= values.get(key, np.nan) <= high:
            raise UserError(f"{family}: expected {limits}, found {part!r} (--kernel)")
    try:
        return derive(name, *make(**values), built_in=True)
    except ValueError as error:
        raise UserError(f"{name}: {error} (--kernel)") from None


def _from_file(file: str, name: str) -> Kernel:
    path = Path(file)
    if not path.is_file():
        raise UserError(f"{file}: expected a Python file with a kernel, found no file (--kernel)")
    written = path.stat().st_mtime_ns
    known = _read.get((path.absolute(), name))
    if known is not None and known[0] == written:
        return known[1]
    before = dict(_own)
    _own.pop(name, None)
    try:
        spec = importlib.util.spec_from_file_location(f"darb3d_kernels_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except Exception as error:
        _own.update(before)
        raise UserError(
            f"{file}: expected a file that registers kernels, found {type(error).__name__}: {error}"
        ) from error
    if name not in _own:
        found = ", ".join(set(_own) - set(before)) or "none"
        raise UserError(
            f"{file}: expected it to register a kernel {name!r}, found {found}; call"
            " splatting.kernels.register(name, f, support) in it"
        )
    _read[path.absolute(), name] = (written, _own[name])
    return _own[name]


def _numpy_form(f: NumpyForm) -> forms.ClosedForm:
    def closed_form(q: Any, xp: Any) -> Any:
        if xp is np:
            return np.asarray(f(q), np.float64)
        from splatting.kernels.numeric import differentiated

        return differentiated(f, q)

    return closed_form
