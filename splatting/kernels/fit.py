"""From a closed form to the polynomial that every fast loop runs.

Smooth falloffs are polynomials in q. A tip at the centre is one in d = sqrt(q), or in sqrt(d) where
the power of d is broken. A kink or a long tail takes two polynomials in q that meet at a knot. The
cheapest program within the tolerance is taken; a form that none can follow is refused, with the
error that was found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Float64
from numpy.polynomial import Chebyshev, Polynomial

Profile = Callable[[Float64[np.ndarray, "n"]], Float64[np.ndarray, "n"]]
"""f(q) in float64."""

Variable = Literal["q", "d", "root-d", "two-q"]
"""What the polynomial is one of; `two-q` is a pair in q."""

MOST_ERROR, MOST_SLOPE_ERROR = 1e-3, 1e-2
"""Of f, and of the largest |df/dd| away from kinks: beyond these a form is refused."""
_GOOD_ERROR, _GOOD_SLOPE_ERROR, _GOOD_TAIL_SLOPE_ERROR = 3e-5, 2e-3, 5e-4
"""The cheapest program this close is taken if there is one; pairs serve long tails, over whose area
errors of the slope add up."""
_PRECISE_SLOPE_ERROR = 1e-4
_MOST_DEGREE: dict[Variable, int] = {"q": 12, "d": 12, "root-d": 12, "two-q": 9}
_OVERHEAD: dict[Variable, int] = {"q": 0, "d": 6, "root-d": 14, "two-q": 3}
"""Work beside the multiply-adds of one polynomial, in multiply-adds."""
_PLACES = 4001
_KNOTS = np.linspace(0.06, 0.7, 33)
_KINK_ZONE = 5e-3
"""Share of the support around a kink where slopes are not compared."""


@dataclass(frozen=True)
class Program:
    """A falloff as the loops run it, with what it differs from the closed form."""

    variable: Variable
    pieces: tuple[tuple[float, ...], ...]
    """c0 + c1 v + c2 v^2 + ..., rising; the second piece, if any, in v = q - knot."""
    knot: float = 0.0
    """q where the second piece takes over."""
    max_error: float = 0.0
    """Largest |program - closed form| on the support, evaluated in float32 as the loops do."""
    max_slope_error: float = 0.0
    """Largest difference of df/dd as a share of its largest value, away from kinks."""

    @property
    def degree(self) -> int:
        """Degree of each piece."""
        return len(self.pieces[0]) - 1

    @property
    def cost(self) -> int:
        """Multiply-adds a pixel, roughly."""
        return _cost(self.variable, self.degree)

    def __call__(self, q: Float64[np.ndarray, "n"], dtype: Any = np.float64) -> Any:
        """The program's value, in float32 as the loops compute it if asked."""
        q = np.asarray(q, dtype)
        v = {"d": np.sqrt, "root-d": lambda x: np.sqrt(np.sqrt(x))}.get(self.variable, np.abs)(q)
        value = _horner(self.pieces[0], v, dtype)
        if self.variable == "two-q":
            far = _horner(self.pieces[1], v - dtype(self.knot), dtype)
            value = np.where(q <= dtype(self.knot), value, far)
        return value

    def slope_in_d(self, d: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
        """df/dd of the program itself."""
        first = Polynomial(self.pieces[0]).deriv()
        if self.variable == "q":
            return first(d * d) * 2.0 * d
        if self.variable == "d":
            return first(d)
        if self.variable == "root-d":
            root = np.sqrt(np.maximum(d, 1e-12))
            return first(root) * 0.5 / root
        near, far = first(d * d), Polynomial(self.pieces[1]).deriv()(d * d - self.knot)
        return np.where(d * d <= self.knot, near, far) * 2.0 * d


def fit(f: Profile, support: float) -> Program:
    """The cheapest program for `f` on [0, support]; ValueError when none is close enough."""
    kinks = find_kinks(f, support)
    best: Program | None = None
    closest = (np.inf, np.inf)
    for candidate in _candidates(f, support, kinks, tuple(_MOST_DEGREE)):
        if best is not None and _grade(best) == 2:
            break  # the others cost as much or more
        found = measure(candidate, f, support, kinks)
        closest = min(closest, (found.max_error, found.max_slope_error))
        if best is None or (_grade(found), -found.cost) > (_grade(best), -best.cost):
            best = found
    if best is None or _grade(best) == 0:
        raise ValueError(
            f"expected a falloff that polynomials follow to {MOST_ERROR:g} of its value and"
            f" {MOST_SLOPE_ERROR:.0%} of its slope, found {closest[0]:.2g} and {closest[1]:.1%} at"
            " best; is it smooth but for its tip and one kink?"
        )
    return best


def fit_precisely(f: Profile, support: float, like: Program) -> Program:
    """The cheapest program in the variable of `like` with a slope within 1e-4, or the closest."""
    kinks = find_kinks(f, support)
    found = [
        measure(candidate, f, support, kinks)
        for candidate in _candidates(f, support, kinks, (like.variable,))
    ]
    close = [program for program in found if program.max_slope_error <= _PRECISE_SLOPE_ERROR]
    if close:
        return min(close, key=lambda program: program.cost)
    return min(found, key=lambda program: program.max_slope_error)


def _grade(program: Program) -> int:
    error, slope = program.max_error, program.max_slope_error
    good = _GOOD_TAIL_SLOPE_ERROR if program.variable == "two-q" else _GOOD_SLOPE_ERROR
    if error <= _GOOD_ERROR and slope <= good:
        return 2
    return int(error <= MOST_ERROR and slope <= MOST_SLOPE_ERROR)


def _candidates(
    f: Profile, support: float, kinks: Float64[np.ndarray, "k"], variables: tuple[Variable, ...]
) -> Iterator[Program]:
    """Programs of every degree in these variables, the cheapest first, each made when its turn
    comes."""
    end = support**2
    ways: list[tuple[Variable, int]] = [
        (variable, degree)
        for degree in range(1, max(_MOST_DEGREE.values()) + 1)
        for variable in variables
        if degree <= _MOST_DEGREE[variable]
    ]
    for variable, degree in sorted(ways, key=lambda way: _cost(*way)):
        if variable == "q":
            yield Program("q", (_interpolate(f, (0.0, end), degree),))
        elif variable == "d":
            yield Program("d", (_interpolate(lambda d: f(d * d), (0.0, support), degree),))
        elif variable == "root-d":
            yield Program("root-d", (_fit_root(f, support, degree),))
        else:
            knots = kinks**2 if len(kinks) else _KNOTS * end
            pairs = [_pair(f, end, float(knot), degree) for knot in knots]
            places = np.linspace(0.0, support, 401) ** 2
            yield min(pairs, key=lambda pair: np.max(np.abs(pair(places) - f(places))))


def _cost(variable: Variable, degree: int) -> int:
    pieces = 2 if variable == "two-q" else 1
    return pieces * degree + _OVERHEAD[variable]


def _interpolate(f: Profile, domain: tuple[float, float], degree: int) -> tuple[float, ...]:
    """Chebyshev interpolation: within a factor of a few of the best polynomial."""
    polynomial = Chebyshev.interpolate(f, degree, domain=domain).convert(kind=Polynomial)
    return tuple(float(c) for c in polynomial.coef)


def _pair(f: Profile, end: float, knot: float, degree: int) -> Program:
    near = _interpolate(f, (0.0, knot), degree)
    far = _interpolate(lambda v: f(v + knot), (0.0, end - knot), degree)
    return Program("two-q", (near, far), knot)


def _fit_root(f: Profile, support: float, degree: int) -> tuple[float, ...]:
    """Least squares in v = sqrt(d) without v itself, whose slope in d would be infinite."""
    v = 0.5 - 0.5 * np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    powers = [power for power in range(degree + 1) if power != 1]
    solution, *_ = np.linalg.lstsq(
        np.stack([v**power for power in powers], axis=1), f((v * v * support) ** 2), rcond=None
    )
    coefficients = np.zeros(degree + 1)
    coefficients[powers] = solution / np.sqrt(support) ** np.array(powers)
    return tuple(float(c) for c in coefficients)


def measure(
    program: Program, f: Profile, support: float, kinks: Float64[np.ndarray, "k"]
) -> Program:
    """`program` with its errors against `f`, on places that crowd at the centre."""
    d = support * np.linspace(0.0, 1.0, _PLACES) ** 1.5
    with np.errstate(over="ignore", invalid="ignore"):  # a high power of a far q is no candidate
        value = np.abs(program(d * d, np.float32) - f(d * d))
    h = 1e-6 * support
    inner = d[(d > 2 * h) & (d < support - 2 * h)]
    slope = (f((inner + h) ** 2) - f((inner - h) ** 2)) / (2.0 * h)
    smooth = np.ones(len(inner), bool)
    for kink in kinks:
        smooth &= np.abs(inner - kink) > _KINK_ZONE * support
    gap = np.abs(program.slope_in_d(inner) - slope)[smooth]
    return Program(
        program.variable,
        program.pieces,
        program.knot,
        float(np.nan_to_num(np.max(value), nan=np.inf)),
        float(np.max(gap) / np.max(np.abs(slope))),
    )


def find_kinks(f: Profile, support: float) -> Float64[np.ndarray, "k"]:
    """Distances d inside the support where the slope of `f` jumps.

    ValueError where the value itself jumps, or for more kinks than a kernel may have.
    """
    h = support / _PLACES
    d = h * np.arange(1, _PLACES)
    before, here, after = (f(x * x) for x in (d - h, d, d + h * (1 - 1e-12)))
    left, right = (here - before) / h, (after - here) / h
    steepest = max(np.max(np.abs(left)), np.max(np.abs(right)))
    # a bend of radius R / 100 turns by a quarter of this between two places
    bent = np.flatnonzero(np.abs(right - left) > 0.02 * steepest)
    kinks: list[float] = []
    for place in bent:
        if d[place] < 10 * h:  # the tip is no kink: slopes are compared right up to it
            continue
        if kinks and d[place] - kinks[-1] < 3 * h:
            continue
        kinks.append(_corner(f, d[place] - 2 * h, d[place] + 2 * h))
    if len(kinks) > 4:
        raise ValueError(f"expected a falloff with few kinks, found {len(kinks)} of them")
    for kink in kinks:
        gap = abs(
            float(f(np.array([(kink + 1e-7) ** 2]))[0] - f(np.array([(kink - 1e-7) ** 2]))[0])
        )
        if gap > MOST_ERROR:
            raise ValueError(
                f"expected a continuous falloff, found a jump of {gap:.2g} at d = {kink:.3g}"
            )
    return np.array(kinks)


def _corner(f: Profile, low: float, high: float) -> float:
    """Where between `low` and `high` the profile bends, by keeping the half that bends more."""
    for _ in range(40):
        d = np.linspace(low, high, 9)
        bend = np.abs(np.diff(f(d * d), 2))
        centre = d[1 + int(np.argmax(bend))]
        quarter = (high - low) / 4
        low, high = centre - quarter, centre + quarter
        if quarter < 1e-9:
            break
    return float(0.5 * (low + high))


def _horner(coefficients: tuple[float, ...], v: Any, dtype: Any) -> Float32[np.ndarray, "n"]:
    value = np.full(v.shape, coefficients[-1], dtype)
    for c in coefficients[-2::-1]:
        value = value * v + dtype(c)
    return value
