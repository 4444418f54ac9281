"""gsplat's functions and argument names on a CPU, for every kernel.

Code written for gsplat 1.5 runs without CUDA by changing one import::

    from splatting.gsplat_api import DefaultStrategy, rasterization

Tensors are float32 on the CPU. An argument that is not implemented raises ValueError; none is
ignored. `kernel=` names a falloff beside gsplat's own Gaussian. `DefaultStrategy` and
`export_splats` are gsplat's, which run anywhere; `MCMCStrategy` is gsplat's with its two CUDA calls
replaced.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from splatting.gsplat_api.compositing import rasterize_to_pixels as rasterize_to_pixels
    from splatting.gsplat_api.harmonics import spherical_harmonics as spherical_harmonics
    from splatting.gsplat_api.intersections import isect_offset_encode as isect_offset_encode
    from splatting.gsplat_api.intersections import isect_tiles as isect_tiles
    from splatting.gsplat_api.projection import fully_fused_projection as fully_fused_projection
    from splatting.gsplat_api.projection import (
        quat_scale_to_covar_preci as quat_scale_to_covar_preci,
    )
    from splatting.gsplat_api.rendering import rasterization as rasterization
    from splatting.gsplat_api.strategies import MCMCStrategy as MCMCStrategy
    from splatting.gsplat_api.strategies import compute_relocation as compute_relocation

_HOMES = {
    "rasterization": "splatting.gsplat_api.rendering",
    "fully_fused_projection": "splatting.gsplat_api.projection",
    "quat_scale_to_covar_preci": "splatting.gsplat_api.projection",
    "isect_tiles": "splatting.gsplat_api.intersections",
    "isect_offset_encode": "splatting.gsplat_api.intersections",
    "rasterize_to_pixels": "splatting.gsplat_api.compositing",
    "spherical_harmonics": "splatting.gsplat_api.harmonics",
    "compute_relocation": "splatting.gsplat_api.strategies",
    "MCMCStrategy": "splatting.gsplat_api.strategies",
    "DefaultStrategy": "gsplat",
    "export_splats": "gsplat",
}

__all__ = [
    "MCMCStrategy",
    "compute_relocation",
    "fully_fused_projection",
    "isect_offset_encode",
    "isect_tiles",
    "quat_scale_to_covar_preci",
    "rasterization",
    "rasterize_to_pixels",
    "spherical_harmonics",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"module 'splatting.gsplat_api' has no attribute {name!r}; it has"
            f" {', '.join(sorted(_HOMES))}"
        )
    return getattr(importlib.import_module(_HOMES[name]), name)
