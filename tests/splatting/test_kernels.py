"""Kernels as data: constants by quadrature and by hand, polynomials, cut-offs."""

from __future__ import annotations

import numpy as np
import pytest
from own_kernel import BUILT_IN, EVERY
from scipy.integrate import quad

from data.errors import UserError
from splatting import kernels
from splatting.kernels import fit

PARAMETERS = (
    "generalised-exponential:n=1",
    "generalised-exponential:n=1.6",
    "generalised-exponential:n=3",
    "generalised-exponential:n=4,a=0.0556",
    "student-t:nu=2",
    "student-t:nu=100",
)


@pytest.mark.parametrize("name", EVERY)
def test_constants_match_adaptive_quadrature(name: str) -> None:
    kernel = kernels.get(name)
    end = 14.0 if name == "gaussian" else kernel.support
    bends = [np.sqrt(kernel.fitted.knot)] if kernel.fitted.variable == "two-q" else None

    def moment(power: int) -> float:
        def f(r: float) -> float:
            return r**power * float(kernel.closed_form(np.float64(r * r), np))

        return quad(f, 0, end, points=bends, limit=200)[0]

    assert kernel.psi == pytest.approx(moment(4) / moment(2) / 3, rel=1e-6)
    assert kernel.screen_mass == pytest.approx(moment(1), rel=1e-6)
    assert kernel.screen_variance == pytest.approx(moment(3) / moment(1) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "psi", "mass"),
    [
        ("gaussian", 1.0, 1.0),
        ("raised-cosine", 0.6552, 0.9292),
        ("half-cosine-square", 1.3632, 9 / np.pi),
        ("half-cosine", 1.2467, 2.082),
        ("parabolic", 9 / 7, 9 / 4),
        ("triangle", 6 / 5, 3 / 2),
    ],
)
def test_constants_by_hand(name: str, psi: float, mass: float) -> None:
    """psi 0.655 and 1.363 as released with the paper; the others are elementary integrals."""
    kernel = kernels.get(name)
    assert kernel.psi == pytest.approx(psi, abs=1e-4)
    assert kernel.screen_mass == pytest.approx(mass, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "d", "value"),
    [
        ("raised-cosine", 1.25, 0.5),
        ("half-cosine", 2.0, 0.5),
        ("half-cosine-square", np.sqrt(6.0), 0.5),
        ("parabolic", 1.5, 0.75),
        ("modular-sinc", 0.75, 2 / np.pi),
        ("modular-sinc", 2.25, 2 / (3 * np.pi)),
        ("inverse-multiquadric", 1.0, np.sqrt(0.5) * (80 / 81) ** 2),
        ("triangle", 1.0, 2 / 3),
        ("generalised-exponential", 2.0, np.exp(-np.sqrt(2.0))),
        ("student-t", np.sqrt(5.0), 2.0**-3.5),
    ],
)
def test_values_by_hand(name: str, d: float, value: float) -> None:
    kernel = kernels.get(name)
    assert kernel(np.array([0.0, d * d, kernel.support**2 * 1.01])) == pytest.approx([1, value, 0])


@pytest.mark.parametrize("name", (*EVERY, *PARAMETERS))
def test_the_program_is_as_close_as_it_says_in_value_and_near_in_slope(name: str) -> None:
    kernel = kernels.get(name)
    # other places than the fit looked at, and close to the tip
    d = kernel.support * np.concatenate([np.geomspace(1e-5, 0.02, 500), np.linspace(0, 1, 3333)])
    error = np.abs(kernel.fitted(d * d) - kernel.closed_form(d * d, np))
    assert error.max() <= 1.1 * kernel.fitted.max_error + 1e-6 <= 1.2e-3
    h = 1e-6 * kernel.support
    inner = d[(d > 3 * h) & (d < kernel.support - 3 * h)]
    if kernel.fitted.variable == "two-q":
        inner = inner[np.abs(inner - np.sqrt(kernel.fitted.knot)) > 5e-3 * kernel.support]
    ends = (kernel.closed_form((inner + k * h) ** 2, np) for k in (1, -1))
    slope = (next(ends) - next(ends)) / (2 * h)
    gap = np.abs(kernel.fitted.slope_in_d(inner) - slope)
    assert gap.max() <= 0.01 * np.abs(slope).max()


def test_smooth_kernels_are_polynomials_in_q_and_tips_are_not_rounded_off() -> None:
    variable = {name: kernels.get(name).fitted.variable for name in BUILT_IN}
    assert variable.pop("triangle") == "d"
    assert variable.pop("generalised-exponential") == "root-d"
    assert variable.pop("modular-sinc") == variable.pop("inverse-multiquadric") == "two-q"
    assert variable.pop("student-t") == "two-q"
    assert set(variable.values()) == {"q"}
    near = np.array([1e-8, 1e-6, 1e-4])
    for name in ("triangle", "generalised-exponential"):
        kernel = kernels.get(name)
        drop = 1 - kernel.fitted(near)
        np.testing.assert_allclose(drop, 1 - kernel(near), rtol=0.05, atol=3e-5)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("opacity", [0.004, 0.02, 0.1, 0.5, 0.99, 1.0])
def test_cut_off_is_the_last_place_where_alpha_reaches_one_part_in_255(
    name: str, opacity: float
) -> None:
    kernel = kernels.get(name)
    q = kernel.cutoff_q(np.array([opacity]))[0]
    beyond = kernel(np.linspace(q * 1.001, kernel.support**2, 2000))
    assert (opacity * beyond <= 1 / 255 * 1.001).all()
    # interpolation of a rim that falls with finite slope is exact to 1e-4 of its alpha
    assert opacity * kernel.closed_form(q, np) == pytest.approx(1 / 255, rel=1e-3)


def test_cut_off_radii_of_the_closed_forms() -> None:
    """sqrt(2 ln(255 o)), (R / pi) acos(2 / (255 o) - 1), 3 sqrt(1 - 1 / (255 o))."""
    o = np.array([0.1, 0.5, 0.99])
    radius = {name: np.sqrt(kernels.get(name).cutoff_q(o)) for name in BUILT_IN}
    t = 1 / (255 * o)
    np.testing.assert_allclose(radius["gaussian"], np.sqrt(-2 * np.log(t)), rtol=1e-5)
    np.testing.assert_allclose(
        radius["raised-cosine"], 2.5 / np.pi * np.arccos(2 * t - 1), rtol=1e-5
    )
    np.testing.assert_allclose(radius["parabolic"], 3 * np.sqrt(1 - t), rtol=1e-5)


def test_a_lobe_is_drawn_while_it_is_visible() -> None:
    """The side lobe of the modular sinc is 0.217 high: seen from opacity 0.018 on."""
    kernel = kernels.get("modular-sinc")
    seen, unseen = kernel.cutoff_q(np.array([0.03, 0.01]))
    assert unseen < 1.5**2 < seen


def test_parameters_have_defaults_limits_and_special_cases() -> None:
    q = np.linspace(0, 9, 50)
    gaussian = kernels.get("gaussian")
    np.testing.assert_allclose(kernels.get("generalised-exponential:n=2")(q), gaussian(q))
    wide = kernels.get("student-t:nu=1000")
    np.testing.assert_allclose(wide(q), gaussian(q), atol=5e-3)
    for name in (
        "student-t:nu=1",
        "student-t:mu=3",
        "generalised-exponential:n=0.5",
        "student-t:nu=x",
    ):
        with pytest.raises(UserError, match=r"expected .*=.*found"):
            kernels.get(name)


def test_a_tip_that_no_polynomial_reaches_is_refused() -> None:
    """d^1.2 has an infinite second derivative at its tip, whatever the remap."""
    with pytest.raises(UserError, match=r"n=1.2: expected a falloff that polynomials follow"):
        kernels.get("generalised-exponential:n=1.2")


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UserError, match=r"gaussian, raised-cosine.*found 'gausian'"):
        kernels.get("gausian")


def test_fairness_factors() -> None:
    """1 for the Gaussian they are relative to (to what its cut-off leaves out); the triangle's
    overlap Int f^2 / Int f is 1/2 as well; a flat top saturates first."""
    gaussian, triangle, flat = (
        kernels.get(name) for name in ("gaussian", "triangle", "half-cosine-square")
    )
    assert gaussian.faint == pytest.approx(1, abs=5e-3)
    assert gaussian.pull == pytest.approx(1, abs=0.02)
    assert gaussian.most_opaque == pytest.approx(1, abs=1e-3)
    assert triangle.faint == pytest.approx(1, abs=1e-3)
    # Int |f'| r dr = 3/2, over sqrt(mass = 3/2), over sqrt(pi / 2)
    assert triangle.pull == pytest.approx(np.sqrt(1.5) / np.sqrt(np.pi / 2), abs=1e-3)
    assert flat.faint < 0.85 and 0.99 <= flat.most_opaque < 0.991


def test_kinks_are_found_where_they_are() -> None:
    def roof(q: np.ndarray) -> np.ndarray:
        return np.where(q < 1.0, 1 - 0.2 * q, 0.8 * (4 - q) / 3)

    (kink,) = fit.find_kinks(roof, 2.0)
    assert kink == pytest.approx(1.0, abs=1e-6)
    assert fit.fit(roof, 2.0).variable == "two-q"


@pytest.mark.parametrize("name", ["raised-cosine", "triangle"])
def test_no_program_that_is_close_enough_costs_less(name: str) -> None:
    kernel = kernels.get(name)

    def f(q):
        return kernel.closed_form(q, np)

    kinks = fit.find_kinks(f, kernel.support)
    every = fit._candidates(f, kernel.support, kinks, ("q", "d", "root-d", "two-q"))
    programs = [fit.measure(program, f, kernel.support, kinks) for program in every]
    close = [program for program in programs if fit._grade(program) == 2]
    assert kernel.fitted.cost == min(program.cost for program in close)
    assert len(programs) == 3 * 12 + 9 and programs == sorted(programs, key=lambda p: p.cost)
