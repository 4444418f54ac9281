"""A small price on opacity and size (3DGS-MCMC, arXiv 2404.09591): what no photo needs fades and
shrinks, instead of standing in the way of views that were never photographed."""

from __future__ import annotations

from numba import njit, prange

from simd.threads import guarded
from splatting.cpu.pipeline import Frame, Gradients


def add_slopes(frame: Frame, weight: float, radius: float, gradients: Gradients) -> None:
    """Add the slopes of `weight` times (mean opacity + mean sigma) to those of the drawn rows, in
    place.

    Sigmas are those of the Gaussian of the same screen mass, in scene radii, so that kernels and
    scenes pay alike.
    """
    n = len(frame.splats)
    unit = radius * frame.splats.kernel.mass_matched_scale
    _add(
        frame.visible,
        frame.opacities,
        frame.scales,
        weight / n,
        weight / (3 * n * unit),
        gradients.logit_opacities,
        gradients.log_scales,
    )


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _add(visible, opacities, scales, of_opacity, of_scale, d_logit, d_log_scales):
    """d o / d logit = o (1 - o), d sigma / d log sigma = sigma."""
    for j in prange(len(visible)):
        i = visible[j]
        d_logit[j] += of_opacity * opacities[i] * (1.0 - opacities[i])
        for k in range(3):
            d_log_scales[j, k] += of_scale * scales[i, k]
