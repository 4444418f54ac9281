"""gsplat 1.5's formulas in float64 torch, written down a second time: the oracle of the door.

No tiles and no lists: every pixel looks at every splat in depth order.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from splatting.kernels import Kernel

MAX_ALPHA, LEAST_ALPHA, STOP = 0.999, 1.0 / 255.0, 1e-4


@dataclass(frozen=True)
class View:
    """One camera's splats on the screen."""

    means2d: Tensor
    conics: Tensor
    depths: Tensor
    compensations: Tensor


def covariances(quats: Tensor, scales: Tensor) -> Tensor:
    """R S S R^T of wxyz quaternions (N, 4) and scales (N, 3)."""
    w, x, y, z = (quats / quats.norm(dim=1, keepdim=True)).T
    rotation = torch.stack(
        [
            1 - 2 * (y**2 + z**2),
            2 * (x * y - w * z),
            2 * (x * z + w * y),
            2 * (x * y + w * z),
            1 - 2 * (x**2 + z**2),
            2 * (y * z - w * x),
            2 * (x * z - w * y),
            2 * (y * z + w * x),
            1 - 2 * (x**2 + y**2),
        ],
        dim=1,
    ).reshape(-1, 3, 3)
    half = rotation * scales[:, None, :]
    return half @ half.transpose(1, 2)


def project(
    means: Tensor,
    sigma: Tensor,
    viewmat: Tensor,
    K: Tensor,
    size: tuple[int, int],
    kernel: Kernel,
    eps2d: float = 0.3,
    ortho: bool = False,
) -> View:
    """The screen of one camera; all splats are in front of it."""
    rotation, width, height = viewmat[:3, :3], *size
    x, y, z = (means @ rotation.T + viewmat[:3, 3]).T
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    zero = torch.zeros_like(z)
    if ortho:
        rows = [fx + zero, zero, zero, zero, fy + zero, zero]
        means2d = torch.stack([fx * x + cx, fy * y + cy], dim=1)
    else:
        margin_x, margin_y = 0.3 * 0.5 * width / fx, 0.3 * 0.5 * height / fy
        tx = z * (x / z).clamp(-cx / fx - margin_x, (width - cx) / fx + margin_x)
        ty = z * (y / z).clamp(-cy / fy - margin_y, (height - cy) / fy + margin_y)
        rows = [fx / z, zero, -fx * tx / z**2, zero, fy / z, -fy * ty / z**2]
        means2d = torch.stack([fx * x / z + cx, fy * y / z + cy], dim=1)
    jacobian = torch.stack(rows, dim=1).reshape(-1, 2, 3)
    plain = kernel.psi * jacobian @ rotation @ sigma @ rotation.T @ jacobian.transpose(1, 2)
    blurred = plain + eps2d * torch.eye(2, dtype=torch.float64)
    before, after = torch.linalg.det(plain), torch.linalg.det(blurred)
    inverse = torch.linalg.inv(blurred)
    conics = torch.stack([inverse[:, 0, 0], inverse[:, 0, 1], inverse[:, 1, 1]], dim=1)
    return View(means2d, conics, z, (before / after).clamp(min=0).sqrt())


def composite(
    view: View, colors: Tensor, opacities: Tensor, size: tuple[int, int], kernel: Kernel
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours (h, w, D), alphas (h, w), and the relative distance (h, w) of each pixel to the
    nearest decision it takes (1/255, 0.999, the stop), which float32 may take otherwise."""
    width, height = size
    order = torch.argsort(view.depths.detach(), stable=True)
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float64) + 0.5,
        torch.arange(width, dtype=torch.float64) + 0.5,
        indexing="ij",
    )
    away = torch.stack([columns, rows], dim=-1).reshape(-1, 1, 2) - view.means2d[order]
    a, b, c = view.conics[order].T
    q = a * away[..., 0] ** 2 + c * away[..., 1] ** 2 + 2 * b * away[..., 0] * away[..., 1]
    inside = q <= kernel.support**2
    falloff = kernel.closed_form(torch.where(inside, q, torch.zeros_like(q)), torch)
    strength = opacities[order] * falloff
    drawn = inside & (strength >= LEAST_ALPHA)
    alpha = torch.where(drawn, strength.clamp(max=MAX_ALPHA), torch.zeros_like(strength))
    after = torch.cumprod(1 - alpha, dim=1)
    before = torch.cat([torch.ones_like(after[:, :1]), after[:, :-1]], dim=1)
    going = after > STOP
    weights = torch.where(going, alpha * before, torch.zeros_like(alpha))
    through = torch.where(going, 1 - alpha, torch.ones_like(alpha)).prod(dim=1)
    gaps = torch.where(inside, (strength / LEAST_ALPHA - 1).abs(), torch.ones_like(q))
    gaps = torch.minimum(gaps, (strength / MAX_ALPHA - 1).abs())
    gaps = torch.minimum(gaps, (after / STOP - 1).abs()).amin(dim=1).detach()
    shape = (height, width)
    image = (weights @ colors[order]).reshape(*shape, -1)
    return image, 1 - through.reshape(shape), gaps.reshape(shape)
