"""The mathematics of splatting in plain float64 torch: slow, obvious, and the oracle of every fast
path.

No culling but the rules that define a picture, no polynomial, no tiles: each pixel looks at each
splat. Gradients come from autograd. The fast back ends are held against this file in value and
gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data.camera import Camera
from splatting.kernels import ALPHA_CUT, Kernel
from splatting.splats import SH_C0, Splats

LOW_PASS_PX2 = 0.3
NEAR = 0.01
MAX_ALPHA = 0.99
STOP = 1e-4
JACOBIAN_MARGIN = 0.3

Parameters = dict[str, Tensor]
"""The arrays of Splats in float64, by name."""


@dataclass(frozen=True, eq=False)
class Screen:
    """Projected splats, nearest first."""

    means: Float[Tensor, "v 2"]
    """Pixels."""
    conics: Float[Tensor, "v 3"]
    """A, B, C of q = A dx^2 + 2 B dx dy + C dy^2."""
    opacities: Float[Tensor, "v"]
    colours: Float[Tensor, "v 3"]
    depths: Float[Tensor, "v"]
    ids: Tensor
    """Which splat each row is."""


@dataclass(frozen=True, eq=False)
class Picture:
    """rgb (h, w, 3), alpha (h, w), depth (h, w) = sum of w z, and what the tests look at beside."""

    rgb: Float[Tensor, "h w 3"]
    alpha: Float[Tensor, "h w"]
    depth: Float[Tensor, "h w"]
    screen: Screen
    offsets: Float[Tensor, "p v 2"]
    """A zero added to each pixel's view of each mean: its gradient is dL/d(mean) pixel by pixel."""
    margin: Float[Tensor, "h w"]
    """Relative distance to the nearest decision (cut-off, tip, kink, 0.99, the stop) that pixel
    takes."""


def parameters(splats: Splats, requires_grad: bool = True) -> Parameters:
    """Leaves for autograd."""
    return {
        name: torch.tensor(array.astype(np.float64), requires_grad=requires_grad)
        for name, array in splats.arrays().items()
    }


def rotations(quats: Float[Tensor, "n 4"]) -> Float[Tensor, "n 3 3"]:
    """Rotation matrices of wxyz quaternions, normalised here."""
    w, x, y, z = (quats / quats.norm(dim=1, keepdim=True)).unbind(dim=1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], dim=1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], dim=1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], dim=1),
    ]
    return torch.stack(rows, dim=1)


def covariances(
    log_scales: Float[Tensor, "n 3"], quats: Float[Tensor, "n 4"]
) -> Float[Tensor, "n 3 3"]:
    """Sigma = R S S^T R^T."""
    half = rotations(quats) * log_scales.exp()[:, None, :]
    return half @ half.transpose(1, 2)


def sh_basis(directions: Float[Tensor, "*n 3"]) -> list[Float[Tensor, "*n"]]:
    """The fifteen harmonics of degree 1 to 3 at unit vectors, in the order and signs of 3DGS."""
    x, y, z = directions.unbind(dim=-1)
    xx, yy, zz = x * x, y * y, z * z
    return [
        -0.4886025119029199 * y,
        0.4886025119029199 * z,
        -0.4886025119029199 * x,
        1.0925484305920792 * x * y,
        -1.0925484305920792 * y * z,
        0.31539156525252005 * (2 * zz - xx - yy),
        -1.0925484305920792 * x * z,
        0.5462742152960396 * (xx - yy),
        -0.5900435899266435 * y * (3 * xx - yy),
        2.890611442640554 * x * y * z,
        -0.4570457994644658 * y * (4 * zz - xx - yy),
        0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy),
        -0.4570457994644658 * x * (4 * zz - xx - yy),
        1.445305721320277 * z * (xx - yy),
        -0.5900435899266435 * x * (xx - 3 * yy),
    ]


def spherical_harmonics(
    directions: Float[Tensor, "n 3"], sh0: Float[Tensor, "n 3"], shN: Float[Tensor, "n k 3"]
) -> Float[Tensor, "n 3"]:
    """max(0, 0.5 + sum of harmonics), degree from k; basis order and signs of 3DGS."""
    k = shN.shape[1]
    colour = 0.5 + SH_C0 * sh0
    if k:
        colour = colour + torch.einsum(
            "nk,nkc->nc", torch.stack(sh_basis(directions)[:k], dim=1), shN
        )
    return colour.clamp(min=0)


def project(
    values: Parameters, kernel: Kernel, camera: Camera, antialiased: bool = False
) -> Screen:
    """Sigma2 = psi J W Sigma W^T J^T + 0.3 I (EWA splatting); splats sorted by depth, z > 0.01.

    `antialiased` multiplies opacities by sqrt(det(Sigma2 - 0.3 I) / det Sigma2) (Mip-Splatting).
    """
    rotation = torch.tensor(camera.cam_from_world[:3, :3])
    translation = torch.tensor(camera.cam_from_world[:3, 3])
    fx, fy, cx, cy = (camera.K[i, j] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    cam = values["means"] @ rotation.T + translation
    opacities = values["logit_opacities"].sigmoid()
    drawn = torch.nonzero((cam[:, 2] > NEAR) & (opacities >= ALPHA_CUT))[:, 0]
    ids = drawn[torch.argsort(cam[drawn, 2].detach(), stable=True)]
    x, y, z = cam[ids].unbind(dim=1)
    means = torch.stack([fx * x / z + cx, fy * y / z + cy], dim=1)

    margin_x = JACOBIAN_MARGIN * 0.5 * camera.width / fx
    margin_y = JACOBIAN_MARGIN * 0.5 * camera.height / fy
    tx = (x / z).clamp(-cx / fx - margin_x, (camera.width - cx) / fx + margin_x)
    ty = (y / z).clamp(-cy / fy - margin_y, (camera.height - cy) / fy + margin_y)
    zero = torch.zeros_like(z)
    jacobian = torch.stack(
        [
            torch.stack([fx / z, zero, -fx * tx / z], dim=1),
            torch.stack([zero, fy / z, -fy * ty / z], dim=1),
        ],
        dim=1,
    )
    sigma = covariances(values["log_scales"][ids], values["quats"][ids])
    half = jacobian @ rotation
    bare = kernel.psi * half @ sigma @ half.transpose(1, 2)
    sigma2 = bare + LOW_PASS_PX2 * torch.eye(2)
    inverse = torch.linalg.inv(sigma2)
    conics = torch.stack([inverse[:, 0, 0], inverse[:, 0, 1], inverse[:, 1, 1]], dim=1)

    away = values["means"][ids] - torch.tensor(camera.position_world)
    directions = away / away.norm(dim=1, keepdim=True)
    colours = spherical_harmonics(directions, values["sh0"][ids], values["shN"][ids])
    shown = opacities[ids]
    if antialiased:
        shown = shown * (torch.linalg.det(bare) / torch.linalg.det(sigma2)).clamp(min=0).sqrt()
    return Screen(means, conics, shown, colours, z, ids)


def composite(
    screen: Screen, kernel: Kernel, camera: Camera, background: Float[Tensor, "3"]
) -> Picture:
    """Front to back: w_i = alpha_i T_i, T_{i+1} = T_i (1 - alpha_i), ended before T falls below
    1e-4."""
    rows, columns = torch.meshgrid(
        torch.arange(camera.height, dtype=torch.float64) + 0.5,
        torch.arange(camera.width, dtype=torch.float64) + 0.5,
        indexing="ij",
    )
    pixels = torch.stack([columns.reshape(-1), rows.reshape(-1)], dim=1)
    offsets = torch.zeros((len(pixels), len(screen.means), 2), dtype=torch.float64)
    offsets.requires_grad_(screen.means.requires_grad)
    away = pixels[:, None] - (screen.means[None] + offsets)
    dx, dy = away.unbind(dim=2)
    a, b, c = screen.conics.unbind(dim=1)
    q = a * dx**2 + 2 * b * dx * dy + c * dy**2
    inside = q <= kernel.support**2
    # outside the support the closed form may be anything: it is kept out of autograd's sight
    falloff = kernel.closed_form(torch.where(inside, q, torch.zeros_like(q)), torch)
    strength = screen.opacities * falloff
    # of a kernel with lobes all is drawn as far as the last visible one
    cutoff = torch.from_numpy(kernel.cutoff_q(screen.opacities.detach().numpy()))
    drawn = inside & (q <= cutoff)
    alpha = torch.where(drawn, strength.clamp(max=MAX_ALPHA), torch.zeros_like(strength))

    after = torch.cumprod(1 - alpha, dim=1)
    # T only falls, so the first splat that would end a pixel ends it for all later ones
    open_ = after >= STOP
    before = torch.cat([torch.ones_like(after[:, :1]), after[:, :-1]], dim=1)
    weights = torch.where(open_, alpha * before, torch.zeros_like(alpha))
    final = torch.where(open_, 1 - alpha, torch.ones_like(alpha)).prod(dim=1)
    shape = (camera.height, camera.width)
    rgb = weights @ screen.colours + final[:, None] * background
    with torch.no_grad():
        gaps = torch.minimum((q / cutoff - 1).abs(), (q / kernel.support**2 - 1).abs())
        if kernel.fitted.variable == "two-q":
            gaps = torch.minimum(gaps, (q / kernel.fitted.knot - 1).abs())
        elif kernel.fitted.variable != "q":
            gaps = torch.minimum(gaps, q.sqrt())
        gaps = torch.minimum(gaps, (strength / MAX_ALPHA - 1).abs())
        gaps = torch.minimum(gaps, (after / STOP - 1).abs())
        margin = gaps.amin(dim=1) if gaps.shape[1] else torch.ones(len(pixels))
    return Picture(
        rgb=rgb.reshape(*shape, 3),
        alpha=(1 - final).reshape(shape),
        depth=(weights @ screen.depths).reshape(shape),
        screen=screen,
        offsets=offsets,
        margin=margin.reshape(shape),
    )


def render(
    values: Parameters,
    kernel: Kernel,
    camera: Camera,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    antialiased: bool = False,
) -> Picture:
    """The picture of the splats whose stored parameters are `values`."""
    screen = project(values, kernel, camera, antialiased)
    return composite(screen, kernel, camera, torch.tensor(background, dtype=torch.float64))
