"""Drawing Gaussians with gsplat's CUDA rasteriser; every other use of CUDA is refused in one line.

gsplat's limits differ from ours in the last digits: alpha at most 0.999, and a splat ends at 3.33
sigma or where it falls below 1/255.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import numpy as np

from data.camera import Camera
from data.errors import UserError
from splatting.rasterization import RenderOutput
from splatting.splats import Splats


def require(kernel: str) -> None:
    """UserError, saying what to do instead, unless `kernel` can be drawn on a CUDA device here."""
    remedy = "leave --device out to use the CPU"
    if kernel != "gaussian":
        raise UserError(
            f"--device cuda: expected the kernel gaussian, the only one that gsplat draws, found"
            f" {kernel}; {remedy}"
        )
    for package in ("torch", "gsplat"):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"--device cuda: expected {package}, found none; pip install {package}")
    import torch

    if not torch.cuda.is_available():
        raise UserError(
            f"--device cuda: expected a CUDA device and a CUDA build of torch, found torch"
            f" {torch.__version__} without one; {remedy}"
        )


def render(
    splats: Splats, camera: Camera, background: Sequence[float], sh_degree: int
) -> RenderOutput:
    """`splats` as `camera` sees them, drawn by gsplat."""
    require(splats.kernel.name)
    import torch
    from gsplat import rasterization

    def on_device(array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device="cuda")

    harmonics = np.concatenate([splats.sh0[:, None], splats.shN], axis=1)
    with torch.no_grad():
        drawn, alpha, _ = rasterization(
            means=on_device(splats.means),
            quats=on_device(splats.quats),
            scales=on_device(np.exp(splats.log_scales)),
            opacities=on_device(1.0 / (1.0 + np.exp(-splats.logit_opacities))),
            colors=on_device(harmonics),
            viewmats=on_device(camera.cam_from_world[None]),
            Ks=on_device(camera.K[None]),
            width=camera.width,
            height=camera.height,
            sh_degree=sh_degree,
            near_plane=0.01,
            eps2d=0.3,
            render_mode="RGB+D",
            rasterize_mode="antialiased" if splats.antialiased else "classic",
            packed=False,
        )
    picture, covered = drawn[0].cpu().numpy(), alpha[0, ..., 0].cpu().numpy()
    rgb = picture[..., :3] + (1.0 - covered)[..., None] * np.asarray(background, np.float32)
    return RenderOutput(rgb, covered, picture[..., 3])
