"""gsplat's `compute_relocation` and `MCMCStrategy` without CUDA, for every kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gsplat
import torch
from gsplat.strategy import ops
from torch import Tensor

from splatting import mcmc
from splatting.gsplat_api import checks
from splatting.gsplat_api.projection import kernel_of, quat_scale_to_covar_preci
from splatting.kernels import Kernel


def compute_relocation(
    opacities: Tensor,
    scales: Tensor,
    ratios: Tensor,
    binoms: Tensor,
    kernel: str | Kernel = "gaussian",
) -> tuple[Tensor, Tensor]:
    """Opacities (N,) and scales (N, 3) of splats of which `ratios` (N,) lie on each spot.

    `binoms` (n_max, n_max) bounds `ratios` by its size; the sums that it stands for are integrals
    here (see `splatting.mcmc`).
    """
    count = len(opacities)
    checks.tensor("opacities", opacities, (count,))
    checks.tensor("scales", scales, (count, 3))
    checks.tensor("ratios", ratios, (count,), integer=True)
    checks.tensor("binoms", binoms, (None, None))
    copies = ratios.clamp(min=1, max=len(binoms)).numpy()
    old = opacities.detach().double().numpy()
    each = mcmc.shared_opacity(old, copies)
    factor = mcmc.shared_scale(kernel_of(kernel), old, copies, each)
    thinner = torch.from_numpy(each).float()
    return thinner, scales * torch.from_numpy(factor).float()[:, None]


@dataclass
class MCMCStrategy(gsplat.MCMCStrategy):
    """gsplat's strategy; relocation is exact for `kernel`."""

    kernel: str | Kernel = "gaussian"

    def step_post_backward(self, *args: Any, **named: Any) -> None:
        """As gsplat's, which see."""
        with self._on_cpu():
            super().step_post_backward(*args, **named)

    @contextmanager
    def _on_cpu(self) -> Iterator[None]:
        # gsplat's edits look these two up in their module, and both are CUDA there
        kept = ops.compute_relocation, ops.quat_scale_to_covar_preci

        def relocation(**named: Any) -> tuple[Tensor, Tensor]:
            return compute_relocation(**named, kernel=self.kernel)

        ops.compute_relocation = relocation
        ops.quat_scale_to_covar_preci = quat_scale_to_covar_preci
        try:
            yield
        finally:
            ops.compute_relocation, ops.quat_scale_to_covar_preci = kept
