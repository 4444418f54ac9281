"""gsplat's `spherical_harmonics`."""

from __future__ import annotations

import torch
from torch import Tensor

from splatting.gsplat_api import checks
from splatting.reference import sh_basis
from splatting.splats import SH_C0


def spherical_harmonics(
    degrees_to_use: int, dirs: Tensor, coeffs: Tensor, masks: Tensor | None = None
) -> Tensor:
    """Colours (..., 3) of `coeffs` (..., K, 3) seen along `dirs` (..., 3), which need no unit
    length.

    `masks` (...) leaves out entries, whose colour is 0. Degrees 0 to 3; no 0.5 is added.
    """
    checks.choice("degrees_to_use", degrees_to_use, (0, 1, 2, 3))
    bases = (degrees_to_use + 1) ** 2
    checks.tensor("dirs", dirs, (*(None,) * (dirs.dim() - 1), 3))
    checks.tensor("coeffs", coeffs, (*dirs.shape[:-1], None, 3))
    if coeffs.shape[-2] < bases:
        raise ValueError(
            f"coeffs: expected {bases} or more bases for degree {degrees_to_use}, found"
            f" {coeffs.shape[-2]}"
        )
    length = dirs.norm(dim=-1, keepdim=True)
    unit = dirs / torch.where(length > 0, length, torch.ones_like(length))
    colours = SH_C0 * coeffs[..., 0, :]
    if bases > 1:
        basis = torch.stack(sh_basis(unit)[: bases - 1], dim=-1)
        colours = colours + torch.einsum("...k,...kc->...c", basis, coeffs[..., 1:bases, :])
    if masks is not None:
        checks.mask("masks", masks, tuple(dirs.shape[:-1]))
        colours = torch.where(masks[..., None], colours, torch.zeros_like(colours))
    return colours
