"""Adaptive density control as pure edits on (splats, optimiser moments), exact for every kernel.

A splat whose screen position is pulled hard, in whatever directions, covers detail that it cannot
show: it is replaced by two. On the screen its kernel has variance c sigma^2 along an axis, where c
= psi times the kernel's screen variance (1 for the Gaussian). Two halves of sigma / 2 at +- sqrt(3
c) sigma / 2 along the longest axis, of the same opacity, have the same mass, centre and second
moments: seen from farther away the picture stays as it was, whatever the kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32
from numba import njit

from data.geometry import rotation_from_quat
from splatting.kernels import ALPHA_CUT
from splatting.splats import PARAMETERS, Splats, concatenate

SPLIT_SHRINK = 0.5
"""Factor on sigma of the split axis; a half keeps the mass of two children at the parent's."""

MOVED_BY_ADAM = tuple(name for name in PARAMETERS if name != "shN")
"""The parameters that have moments: higher harmonics step without (see `cpu.harmonic_rows`)."""
Moments = dict[str, tuple[np.ndarray, np.ndarray]]
"""First and second moment of Adam for each of these, shaped as the parameter."""


@dataclass(eq=False)
class ScreenStatistics:
    """How hard each splat was pulled on the screen since the last edit."""

    pull: Float32[np.ndarray, "n"]
    """Sum over views of |dL/dx|, |dL/dy| (absolute sums over pixels) in half image sizes."""
    views: Float32[np.ndarray, "n"]

    @staticmethod
    def empty(n: int) -> ScreenStatistics:
        """No view seen yet."""
        return ScreenStatistics(np.zeros(n, np.float32), np.zeros(n, np.float32))

    def add(self, visible: np.ndarray, screen: np.ndarray, width: int, height: int) -> None:
        """Account for one view's `screen (v, 4)` gradients; half image sizes make resolutions
        comparable."""
        _add_view(visible, screen, 0.5 * width, 0.5 * height, self.pull, self.views)

    @property
    def mean_pull(self) -> Float32[np.ndarray, "n"]:
        """Average over the views that drew the splat."""
        return self.pull / np.maximum(self.views, 1.0)


@njit(error_model="numpy", nogil=True, cache=True)
def _add_view(visible, screen, half_width, half_height, pull, views):
    for j in range(len(visible)):  # one thread is done before another would be awake
        x, y = screen[j, 2] * half_width, screen[j, 3] * half_height
        pull[visible[j]] += math.sqrt(x * x + y * y)
        views[visible[j]] += 1.0


def new_moments(splats: Splats) -> Moments:
    """Zero moments for `splats`."""
    return {
        name: (np.zeros_like(array), np.zeros_like(array))
        for name, array in splats.arrays().items()
        if name in MOVED_BY_ADAM
    }


def prune(splats: Splats, moments: Moments, keep: np.ndarray) -> tuple[Splats, Moments]:
    """Only the splats in `keep` (a mask, or indices in the order wanted), with their moments."""
    return splats.take(keep), {name: (m[keep], v[keep]) for name, (m, v) in moments.items()}


def split(splats: Splats, moments: Moments, chosen: np.ndarray) -> tuple[Splats, Moments]:
    """Each `chosen` splat (indices) replaced by two along its longest axis; children follow at the
    end.

    Mass, centre and second moments of the kernel as a density are kept exactly (see the module).
    """
    parents = splats.take(chosen)
    rows = np.arange(len(chosen))
    axis = np.argmax(parents.log_scales, axis=1)
    sigma = np.exp(parents.log_scales[rows, axis])
    direction = rotation_from_quat(parents.quats)[rows, :, axis]
    kernel = splats.kernel
    distance = np.sqrt((1.0 - SPLIT_SHRINK**2) * kernel.psi * kernel.screen_variance) * sigma
    offset = (direction * distance[:, None]).astype(np.float32)
    log_scales = parents.log_scales.copy()
    log_scales[rows, axis] += np.float32(np.log(SPLIT_SHRINK))
    children = [
        replace(parents, means=parents.means + sign * offset, log_scales=log_scales)
        for sign in (np.float32(1), np.float32(-1))
    ]
    fresh = concatenate(children)
    keep = np.ones(len(splats), bool)
    keep[chosen] = False
    # array by array: at most one of them exists twice over what goes in and what comes out
    edited = {n: np.concatenate([a[keep], getattr(fresh, n)]) for n, a in splats.arrays().items()}
    blank = new_moments(fresh)
    joined: Moments = {}
    for name, (first, second) in moments.items():
        none = blank[name][0]
        joined[name] = (np.concatenate([first[keep], none]), np.concatenate([second[keep], none]))
    return replace(splats, **edited), joined


def clone(splats: Splats, moments: Moments, chosen: np.ndarray) -> tuple[Splats, Moments]:
    """A second copy of each `chosen` splat on the same spot, both with opacity 1 - sqrt(1 - o).

    Two such layers let through what one of opacity o did, so the picture is unchanged where the
    kernel is 1 and to first order in o elsewhere.
    """
    opacity = 1.0 / (1.0 + np.exp(-splats.logit_opacities[chosen].astype(np.float64)))
    thinner = np.clip(1.0 - np.sqrt(1.0 - opacity), 1e-6, 1.0 - 1e-6)
    logits = splats.logit_opacities.copy()
    logits[chosen] = np.log(thinner / (1.0 - thinner))
    thinned = replace(splats, logit_opacities=logits)
    copies = thinned.take(chosen)
    blank = new_moments(copies)
    joined = {
        name: tuple(np.concatenate([moments[name][k], blank[name][k]]) for k in (0, 1))
        for name in blank
    }
    return concatenate([thinned, copies]), joined  # type: ignore[return-value]


def blank_rows(moments: Moments, rows: np.ndarray) -> Moments:
    """`moments` with those of `rows` at zero: what they remember belongs to other splats."""
    blank: Moments = {}
    for name, (first, second) in moments.items():
        blank[name] = (first.copy(), second.copy())
        for moment in blank[name]:
            moment[rows] = 0.0
    return blank


def cap_opacity(splats: Splats) -> Splats:
    """No splat more opaque than its kernel can use (`Kernel.most_opaque`)."""
    most = splats.kernel.most_opaque
    if most >= 1.0:
        return splats
    logit = np.float32(np.log(most / (1.0 - most)))
    return replace(splats, logit_opacities=np.minimum(splats.logit_opacities, logit))


def reorder(splats: Splats, moments: Moments) -> tuple[Splats, Moments]:
    """The same splats along a Morton curve: neighbours in space become neighbours in memory, and a
    tile finds its splats in fewer cache lines."""
    order = np.argsort(_morton(splats.means), kind="stable")
    return prune(splats, moments, order)


def _morton(means: Float32[np.ndarray, "n 3"]) -> np.ndarray:
    """Interleaved bits of the coordinates, ten of each; strays fall into the outermost cells."""
    low, high = np.nanquantile(means, [0.01, 0.99], axis=0)
    cells = (means - low) / np.maximum(high - low, 1e-12) * 1023.0
    cells = np.nan_to_num(np.clip(cells, 0, 1023)).astype(np.uint32)
    code = np.zeros(len(means), np.uint32)
    for bit in range(10):
        for axis in range(3):
            code |= ((cells[:, axis] >> np.uint32(bit)) & np.uint32(1)) << np.uint32(3 * bit + axis)
    return code


def too_faint(splats: Splats, least_opacity: float) -> Bool[np.ndarray, "n"]:
    """Splats that add next to nothing, or whose numbers are no longer finite.

    `least_opacity` is the Gaussian's; another kernel goes when it adds as little as that (see
    `Kernel.faint`).
    """
    least = max(least_opacity * splats.kernel.faint, 1.01 * ALPHA_CUT)
    logit = np.log(least / (1.0 - least))
    finite = np.ones(len(splats), bool)
    for array in (splats.means, splats.log_scales, splats.quats, splats.sh0):
        finite &= np.isfinite(array).all(axis=1)
    return ~finite | ~(splats.logit_opacities > logit)
