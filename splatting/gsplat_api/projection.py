"""gsplat's `quat_scale_to_covar_preci` and `fully_fused_projection` in torch, batched over cameras.

Inside, numbers are float64: the covariance of a long thin splat seen end on is a difference of
large terms. Gradients, those of the cameras too, come from autograd.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from splatting import kernels
from splatting.gsplat_api import checks
from splatting.kernels import ALPHA_CUT, Kernel

MOST_EXTENT = 3.33
"""Sigmas at which gsplat ends a Gaussian; other kernels end at their support."""
JACOBIAN_MARGIN = 0.3
_UPPER = ((0, 0, 0, 1, 1, 2), (0, 1, 2, 1, 2, 2))


def kernel_of(kernel: str | Kernel) -> Kernel:
    """The kernel named, or itself."""
    if isinstance(kernel, Kernel):
        return kernel
    if not isinstance(kernel, str):
        raise ValueError(f"kernel: expected a name or a Kernel, found {type(kernel).__name__}")
    return kernels.get(kernel)


def rotations(quats: Tensor) -> Tensor:
    """(..., 3, 3) of wxyz quaternions (..., 4), normalised here."""
    length = quats.norm(dim=-1, keepdim=True)
    w, x, y, z = (quats / torch.where(length > 0, length, torch.ones_like(length))).unbind(dim=-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], dim=-1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], dim=-1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def quat_scale_to_covar_preci(
    quats: Tensor,
    scales: Tensor,
    compute_covar: bool = True,
    compute_preci: bool = True,
    triu: bool = False,
) -> tuple[Tensor | None, Tensor | None]:
    """Covariances and their inverses (..., 3, 3), or (..., 6) upper triangles with `triu`, of
    `quats` (..., 4) wxyz and `scales` (..., 3); None for what is not asked."""
    batch = quats.shape[:-1]
    checks.tensor("quats", quats, (*batch, 4))
    checks.tensor("scales", scales, (*batch, 3))
    turned = rotations(quats.double())

    def product(sigma: Tensor) -> Tensor:
        half = turned * sigma[..., None, :]
        full = half @ half.transpose(-1, -2)
        return (full[..., _UPPER[0], _UPPER[1]] if triu else full).float()

    covariance = product(scales.double()) if compute_covar else None
    return covariance, product(1.0 / scales.double()) if compute_preci else None


def fully_fused_projection(
    means: Tensor,
    covars: Tensor | None,
    quats: Tensor | None,
    scales: Tensor | None,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    eps2d: float = 0.3,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    radius_clip: float = 0.0,
    packed: bool = False,
    sparse_grad: bool = False,
    calc_compensations: bool = False,
    camera_model: str = "pinhole",
    opacities: Tensor | None = None,
    kernel: str | Kernel = "gaussian",
) -> tuple[Tensor | None, ...]:
    """N splats on the screens of C cameras: radii (C, N, 2) int32, means2d (C, N, 2), depths (C,
    N), conics (C, N, 3) and compensations (C, N) or None; radii of 0 mark what is not drawn.

    Packed: batch_ids, camera_ids and gaussian_ids (nnz,) int32 first, and the rows of what is
    drawn. `covars` are upper triangles (N, 6) and replace `quats` and `scales`.
    """
    count, cameras = means.shape[0], viewmats.shape[0]
    checks.tensor("means", means, (None, 3))
    checks.tensor("viewmats", viewmats, (None, 4, 4))
    checks.tensor("Ks", Ks, (cameras, 3, 3))
    checks.whole("width", width)
    checks.whole("height", height)
    checks.left_out(sparse_grad=sparse_grad)
    checks.choice("camera_model", camera_model, ("pinhole", "ortho"))
    if covars is not None:
        upper = checks.tensor("covars", covars, (count, 6)).double()
        sigma = upper[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(count, 3, 3)
    else:
        half = rotations(checks.tensor("quats", quats, (count, 4)).double())
        half = half * checks.tensor("scales", scales, (count, 3)).double()[:, None, :]
        sigma = half @ half.transpose(-1, -2)
    if opacities is not None:
        checks.tensor("opacities", opacities, (count,))
    form = kernel_of(kernel)

    rotation, translation = viewmats[:, :3, :3].double(), viewmats[:, :3, 3].double()
    cam = torch.einsum("cij,nj->cni", rotation, means.double()) + translation[:, None]
    depths = cam[..., 2]
    seen = (depths > near_plane) & (depths < far_plane)
    means2d, jacobian = _project(cam, seen, Ks.double(), width, height, camera_model)
    along = jacobian @ rotation[:, None]
    plain = form.psi * (along @ sigma @ along.transpose(-1, -2))
    xx, xy, yy = plain[..., 0, 0], plain[..., 0, 1], plain[..., 1, 1]
    bare = xx * yy - xy * xy
    xx, yy = xx + eps2d, yy + eps2d
    determinant = xx * yy - xy * xy
    seen = seen & (determinant > 0)
    safe = torch.where(seen, determinant, torch.ones_like(determinant))
    conics = torch.stack([yy / safe, -xy / safe, xx / safe], dim=-1)
    compensations = None
    if calc_compensations:
        # a share of 0 has no finite root slope; it is not drawn either
        share = torch.where(seen & (bare > 0), bare / safe, torch.ones_like(bare))
        compensations = torch.where(bare > 0, share.sqrt(), torch.zeros_like(bare))
    radii = _radii(form, xx, yy, means2d, opacities, seen, (width, height), radius_clip)
    drawn = (radii > 0).all(dim=-1)
    results = [radii, means2d.float(), depths.float(), conics.float()]
    results.append(None if compensations is None else compensations.float())
    if not packed:
        return tuple(results)
    camera_ids, splat_ids = torch.nonzero(drawn, as_tuple=True)
    rows = [None if value is None else value[camera_ids, splat_ids] for value in results]
    batch_ids = torch.zeros_like(camera_ids)
    return batch_ids.int(), camera_ids.int(), splat_ids.int(), *rows


def _project(
    cam: Tensor, seen: Tensor, intrinsics: Tensor, width: int, height: int, camera_model: str
) -> tuple[Tensor, Tensor]:
    """Positions (C, N, 2) and Jacobians (C, N, 2, 3) of `cam` (C, N, 3)."""
    fx, fy = intrinsics[:, 0, 0, None], intrinsics[:, 1, 1, None]
    cx, cy = intrinsics[:, 0, 2, None], intrinsics[:, 1, 2, None]
    x, y, z = cam.unbind(dim=-1)
    zero = torch.zeros_like(z)
    if camera_model == "ortho":
        entries = [fx + zero, zero, zero, zero, fy + zero, zero]
        places = torch.stack([fx * x + cx, fy * y + cy], dim=-1)
    else:
        z = torch.where(seen, z, torch.ones_like(z))
        margin_x = JACOBIAN_MARGIN * 0.5 * width / fx
        margin_y = JACOBIAN_MARGIN * 0.5 * height / fy
        tx = (x / z).clamp(-cx / fx - margin_x, (width - cx) / fx + margin_x)
        ty = (y / z).clamp(-cy / fy - margin_y, (height - cy) / fy + margin_y)
        entries = [fx / z, zero, -fx * tx / z, zero, fy / z, -fy * ty / z]
        places = torch.stack([fx * x / z + cx, fy * y / z + cy], dim=-1)
    return places, torch.stack(entries, dim=-1).reshape(*z.shape, 2, 3)


@torch.no_grad()
def _radii(
    kernel: Kernel,
    xx: Tensor,
    yy: Tensor,
    means2d: Tensor,
    opacities: Tensor | None,
    seen: Tensor,
    size: tuple[int, int],
    radius_clip: float,
) -> Any:
    """Half sizes (C, N, 2) int32 of the boxes that hold all visible pixels, 0 for what is not
    drawn."""
    extent = torch.tensor(MOST_EXTENT if kernel.name == "gaussian" else kernel.support).double()
    if opacities is not None:
        reach = torch.from_numpy(kernel.cutoff_q(opacities.detach().numpy())).clamp(min=0).sqrt()
        extent = torch.minimum(extent, reach)
        seen = seen & (opacities >= ALPHA_CUT)
    radii = torch.stack([torch.ceil(extent * xx.sqrt()), torch.ceil(extent * yy.sqrt())], dim=-1)
    low, high = means2d - radii, means2d + radii
    inside = (high > 0).all(dim=-1) & (low < low.new_tensor(size)).all(dim=-1)
    kept = seen & inside & ~(radii <= radius_clip).all(dim=-1)
    return torch.where(kept[..., None], radii, torch.zeros_like(radii)).to(torch.int32)
