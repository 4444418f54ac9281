"""Kernels as data: constants by quadrature and by hand, polynomials, cut-offs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import Polynomial
from scipy.integrate import quad

from data.errors import UserError
from splatting import kernels


@pytest.mark.parametrize("name", kernels.names())
def test_constants_match_adaptive_quadrature(name: str) -> None:
    kernel = kernels.get(name)
    end = np.inf if name == "gaussian" else kernel.support

    def moment(power: int) -> float:
        return quad(lambda r: r**power * float(kernel.closed_form(np.float64(r * r), np)), 0, end)[
            0
        ]

    assert kernel.psi == pytest.approx(moment(4) / moment(2) / 3, rel=1e-6)
    assert kernel.screen_mass == pytest.approx(moment(1), rel=1e-6)
    assert kernel.screen_variance == pytest.approx(moment(3) / moment(1) / 2, rel=1e-6)


def test_published_constants() -> None:
    """psi 0.655 as released with the paper; mass 0.929; the Gaussian has 1 everywhere."""
    raised, gaussian = kernels.get("raised-cosine"), kernels.get("gaussian")
    assert raised.psi == pytest.approx(0.655, abs=5e-4)
    assert raised.screen_mass == pytest.approx(0.929, abs=5e-4)
    assert (gaussian.psi, gaussian.screen_mass) == (pytest.approx(1), pytest.approx(1))
    assert raised(np.array([0.0, 1.25**2, 6.25, 7.0])) == pytest.approx([1, 0.5, 0, 0], abs=1e-12)


@pytest.mark.parametrize("name", kernels.names())
def test_polynomial_is_as_close_as_it_says_in_value_and_near_in_slope(name: str) -> None:
    kernel = kernels.get(name)
    assert kernel.variable == "q"
    q = np.linspace(0, kernel.support**2, 5001)
    polynomial = Polynomial(kernel.coefficients)
    error = np.abs(polynomial(q) - kernel.closed_form(q, np))
    assert error.max() <= kernel.max_error * 1.05 <= 3.2e-5
    slope = np.gradient(kernel.closed_form(q, np), q)
    gap = np.abs(polynomial.deriv()(q) - slope)[5:-5]
    assert gap.max() <= 0.01 * np.abs(slope).max()


@pytest.mark.parametrize("name", kernels.names())
@pytest.mark.parametrize("opacity", [0.004, 0.02, 0.1, 0.5, 0.99, 1.0])
def test_cut_off_is_where_alpha_reaches_one_part_in_255(name: str, opacity: float) -> None:
    kernel = kernels.get(name)
    q = kernel.cutoff_q(np.array([opacity]))[0]
    assert opacity * kernel.closed_form(q, np) == pytest.approx(1 / 255, rel=1e-6)
    place = np.log(255 * opacity) / np.log(255) * (kernels.CUTOFF_ENTRIES - 1)
    table = np.interp(place, np.arange(kernels.CUTOFF_ENTRIES), kernel.cutoff_table)
    assert table == pytest.approx(q, rel=1e-5, abs=1e-5)


def test_cut_off_radii_of_the_closed_forms() -> None:
    """sqrt(2 ln(255 o)) and (R / pi) acos(2 / (255 o) - 1)."""
    o = np.array([0.1, 0.5, 0.99])
    gaussian = np.sqrt(kernels.get("gaussian").cutoff_q(o))
    raised = np.sqrt(kernels.get("raised-cosine").cutoff_q(o))
    np.testing.assert_allclose(gaussian, np.sqrt(2 * np.log(255 * o)), rtol=1e-6)
    np.testing.assert_allclose(raised, 2.5 / np.pi * np.arccos(2 / (255 * o) - 1), rtol=1e-6)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UserError, match="gaussian, raised-cosine, found 'gausian'"):
        kernels.get("gausian")


def test_a_form_that_no_polynomial_follows_is_refused() -> None:
    with pytest.raises(ValueError, match="polynomial in q"):
        kernels.build("cone", lambda q, xp: 1 - xp.sqrt(q) / 3, 3.0, 3.0)
