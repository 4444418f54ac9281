"""MCMC edits: groups look as the splat they replace, for every kernel; moments follow their
splats."""

from __future__ import annotations

from dataclasses import replace
from math import comb

import numpy as np
import pytest
from own_kernel import EVERY
from scipy.integrate import quad
from test_densification import SIZE, camera, one_splat

from splatting import densification, kernels, mcmc, rasterization
from splatting.splats import Splats


def binomial_scale(kernel: kernels.Kernel, opacity: float, copies: int, each: float) -> float:
    """Equation 9 of 3DGS-MCMC as it stands, with the moments of the kernel's own line."""

    def moment(n: int) -> float:
        return quad(lambda r: float(kernel(np.float64(r * r))) ** n, 0, kernel.support, limit=200)[
            0
        ]

    total = sum(
        (-1) ** k * comb(i - 1, k) * each ** (k + 1) * moment(k + 1) / moment(1)
        for i in range(1, copies + 1)
        for k in range(i)
    )
    return opacity / total


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("opacity", "copies"), [(0.1, 2), (0.6, 3), (0.95, 6)])
def test_the_scale_is_equation_9_with_the_kernels_own_moments(
    name: str, opacity: float, copies: int
) -> None:
    kernel = kernels.get(name)
    each = mcmc.shared_opacity(np.array([opacity]), np.array([copies]))
    found = mcmc.shared_scale(kernel, np.array([opacity]), np.array([copies]), each)
    assert found[0] == pytest.approx(binomial_scale(kernel, opacity, copies, each[0]), rel=2e-4)


def test_the_gaussians_moments_are_those_of_the_paper() -> None:
    """Two copies: o / (2 p - p^2 / sqrt 2); the cut at 3.33 sigmas leaves a tenth of a percent."""
    o = 0.7
    p = 1 - np.sqrt(1 - o)
    found = mcmc.shared_scale(kernels.get("gaussian"), np.array([o]), np.array([2]), np.array([p]))
    assert found[0] == pytest.approx(o / (2 * p - p * p / np.sqrt(2)), rel=1e-3)


def stacked(kernel: str, opacity: float, copies: int) -> tuple[Splats, Splats]:
    """One splat, and the same grown to `copies` on its spot."""
    parent = one_splat(kernel, opacity)
    rng = np.random.default_rng(0)
    moments = densification.new_moments(parent)
    return parent, mcmc.grow(parent, moments, copies - 1, rng)[0]


@pytest.mark.parametrize("kernel", EVERY)
@pytest.mark.parametrize("copies", [2, 3])
def test_a_group_looks_as_its_one_did_to_first_order(kernel: str, copies: int) -> None:
    """The difference falls with the square of the opacity, and is small at any."""
    gaps = []
    for opacity in (0.2, 0.8):
        parent, group = stacked(kernel, opacity, copies)
        assert len(group) == copies
        before = rasterization.render(parent, camera()).alpha
        after = rasterization.render(group, camera()).alpha
        gaps.append(np.abs(after - before).max())
    # each of the thinner copies ends at its own 1/255
    assert gaps[0] <= 0.02 + copies / 255
    assert gaps[1] <= 0.2
    middle = SIZE // 2
    assert after[middle - 4 : middle + 4].sum() == pytest.approx(
        before[middle - 4 : middle + 4].sum(), rel=0.12
    )


def many(n: int = 60) -> Splats:
    parent = one_splat("raised-cosine", 0.5)
    splats = replace(parent, **{k: np.repeat(a, n, axis=0) for k, a in parent.arrays().items()})
    splats.means[:, 0] = np.arange(n)
    splats.logit_opacities[:] = np.linspace(-3, 3, n)
    return splats


def test_relocation_moves_the_dead_onto_the_living_and_blanks_their_moments() -> None:
    splats = many()
    moments = densification.new_moments(splats)
    for first, second in moments.values():
        first[:], second[:] = 1.0, 2.0
    dead = np.zeros(60, bool)
    dead[[3, 7, 20]] = True
    splats.means[7] = np.nan
    moved, after = mcmc.relocate(splats, moments, dead, np.random.default_rng(1))
    assert len(moved) == 60 and np.isfinite(moved.means).all()
    sources = [int(x) for x in moved.means[dead][:, 0]]
    assert not set(sources) & {3, 7, 20}
    for row, source in zip(np.flatnonzero(dead), sources, strict=True):
        assert moved.logit_opacities[row] == moved.logit_opacities[source]
        assert moved.logit_opacities[source] < splats.logit_opacities[source]
        assert after["means"][0][row].sum() == after["means"][1][source].sum() == 0
    untouched = np.setdiff1d(np.arange(60), [*sources, 3, 7, 20])
    np.testing.assert_array_equal(moved.log_scales[untouched], splats.log_scales[untouched])
    assert (after["sh0"][1][untouched] == 2).all()
    assert (moments["means"][0] == 1).all(), "the edit is pure"


def test_growth_is_drawn_by_opacity_and_appended() -> None:
    splats = many()
    grown, moments = mcmc.grow(
        splats, densification.new_moments(splats), 2000, np.random.default_rng(2)
    )
    assert len(grown) == 2060 and len(moments["sh0"][0]) == 2060
    drawn = np.bincount(grown.means[60:, 0].astype(int), minlength=60)
    expected = 1 / (1 + np.exp(-splats.logit_opacities))
    assert np.corrcoef(drawn, expected)[0, 1] > 0.95
    assert np.isfinite(grown.logit_opacities).all()


def test_nothing_to_do_changes_nothing() -> None:
    splats = many()
    moments = densification.new_moments(splats)
    rng = np.random.default_rng(3)
    assert mcmc.relocate(splats, moments, np.zeros(60, bool), rng)[0] is splats
    assert mcmc.relocate(splats, moments, np.ones(60, bool), rng)[0] is splats
    assert mcmc.grow(splats, moments, 0, rng)[0] is splats


def test_noise_shakes_the_transparent_along_their_own_axes_only() -> None:
    splats = many(4000)
    splats.logit_opacities[:2000] = -9.0
    splats.logit_opacities[2000:] = 1.0
    splats.log_scales[:] = np.log([0.3, 1e-4, 1e-4])
    splats.quats[:] = [1, 0, 0, 0]
    before = splats.means.copy()
    mcmc.add_noise(splats, 0.01, 2.0, np.random.default_rng(4))
    moved = splats.means - before
    assert (moved[2000:] == 0).all()
    spread = moved[:2000].std(axis=0)
    gate = 1 / (1 + np.exp(100 * (1 / (1 + np.exp(9.0)) - 0.005)))
    expected = 0.01 * mcmc.NOISE * splats.kernel.psi / 2.0 * 0.09 * gate
    assert spread[0] == pytest.approx(expected, rel=0.1)
    assert spread[1] < 1e-4 * spread[0]
