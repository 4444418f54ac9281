"""gsplat's `rasterization`: N splats drawn for C cameras, differentiable in all of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from splatting.gsplat_api import checks
from splatting.gsplat_api.compositing import TILE_SIZES, rasterize_to_pixels
from splatting.gsplat_api.harmonics import spherical_harmonics
from splatting.gsplat_api.intersections import isect_offset_encode, isect_tiles
from splatting.gsplat_api.projection import fully_fused_projection, kernel_of
from splatting.kernels import Kernel

RENDER_MODES = ("RGB", "D", "ED", "RGB+D", "RGB+ED")
_LEAST_ALPHA = 1e-10


def rasterization(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    near_plane: float = 0.01,
    far_plane: float = 1e10,
    radius_clip: float = 0.0,
    eps2d: float = 0.3,
    sh_degree: int | None = None,
    packed: bool = True,
    tile_size: int = 16,
    backgrounds: Tensor | None = None,
    render_mode: str = "RGB",
    sparse_grad: bool = False,
    absgrad: bool = False,
    rasterize_mode: str = "classic",
    channel_chunk: int = 32,
    distributed: bool = False,
    camera_model: str = "pinhole",
    segmented: bool = False,
    covars: Tensor | None = None,
    with_ut: bool = False,
    with_eval3d: bool = False,
    radial_coeffs: Tensor | None = None,
    tangential_coeffs: Tensor | None = None,
    thin_prism_coeffs: Tensor | None = None,
    ftheta_coeffs: Any = None,
    rolling_shutter: Any = None,
    viewmats_rs: Tensor | None = None,
    kernel: str | Kernel = "gaussian",
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """Colours (C, height, width, X), alphas (C, height, width, 1) and what was found on the way.

    `means` (N, 3), `quats` (N, 4) wxyz, `scales` (N, 3) and `opacities` (N,) activated, `colors`
    (N, D) or (C, N, D), or with `sh_degree` harmonics (N, K, 3) or (C, N, K, 3); `viewmats` (C, 4,
    4) from the world, `Ks` (C, 3, 3). X is D, 1 or D + 1 by `render_mode`. `covars` (N, 3, 3)
    replace `quats` and `scales`. Constants are gsplat's: alpha at most 0.999 and at least 1/255, an
    end at transmittance 1e-4, an extent of 3.33 sigmas. `channel_chunk` bounds memory in gsplat;
    here four channels are drawn at a time whatever it says. ValueError names a wrong argument.
    """
    checks.left_out(
        sparse_grad=sparse_grad,
        distributed=distributed,
        segmented=segmented,
        with_ut=with_ut,
        with_eval3d=with_eval3d,
        radial_coeffs=radial_coeffs,
        tangential_coeffs=tangential_coeffs,
        thin_prism_coeffs=thin_prism_coeffs,
        ftheta_coeffs=ftheta_coeffs,
        rolling_shutter=rolling_shutter,
        viewmats_rs=viewmats_rs,
    )
    checks.choice("render_mode", render_mode, RENDER_MODES)
    checks.choice("rasterize_mode", rasterize_mode, ("classic", "antialiased"))
    checks.choice("tile_size", tile_size, TILE_SIZES)
    checks.whole("channel_chunk", channel_chunk)
    checks.tensor("means", means, (None, 3))
    checks.tensor("viewmats", viewmats, (None, 4, 4))
    count, cameras = len(means), len(viewmats)
    checks.tensor("opacities", opacities, (count,))
    _check_colors(colors, count, cameras, sh_degree)
    if covars is not None:
        checks.tensor("covars", covars, (count, 3, 3))
        covars = covars[:, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]]
    form = kernel_of(kernel)

    found = fully_fused_projection(
        means,
        covars,
        quats,
        scales,
        viewmats,
        Ks,
        width,
        height,
        eps2d=eps2d,
        near_plane=near_plane,
        far_plane=far_plane,
        radius_clip=radius_clip,
        packed=packed,
        calc_compensations=rasterize_mode == "antialiased",
        camera_model=camera_model,
        opacities=opacities,
        kernel=form,
    )
    batch_ids, camera_ids, splat_ids = found[:3] if packed else (None, None, None)
    radii, means2d, depths, conics, compensations = found[-5:]
    assert radii is not None and means2d is not None and depths is not None and conics is not None
    if packed:
        assert camera_ids is not None and splat_ids is not None
        per_view = opacities[splat_ids]
    else:
        per_view = opacities[None].expand(cameras, count)
    if compensations is not None:
        per_view = per_view * compensations
    features = _colours(colors, sh_degree, means, viewmats, radii, camera_ids, splat_ids)
    channels = features.shape[-1]
    if backgrounds is not None:
        checks.tensor("backgrounds", backgrounds, (cameras, channels))
    features, backgrounds = _with_depth(features, depths, backgrounds, render_mode, cameras)

    columns, rows = -(-width // tile_size), -(-height // tile_size)
    tiles_per_gauss, isect_ids, flatten_ids = isect_tiles(
        means2d,
        radii,
        depths,
        tile_size,
        columns,
        rows,
        packed=packed,
        n_images=cameras,
        image_ids=camera_ids,
        gaussian_ids=splat_ids,
    )
    offsets = isect_offset_encode(isect_ids, cameras, columns, rows)
    drawn, alphas = rasterize_to_pixels(
        means2d,
        conics,
        features,
        per_view,
        width,
        height,
        tile_size,
        offsets,
        flatten_ids,
        backgrounds=backgrounds,
        packed=packed,
        absgrad=absgrad,
        kernel=form,
    )
    if render_mode in ("ED", "RGB+ED"):
        expected = drawn[..., -1:] / alphas.clamp(min=_LEAST_ALPHA)
        drawn = torch.cat([drawn[..., :-1], expected], dim=-1)
    info = {
        "batch_ids": batch_ids,
        "camera_ids": camera_ids,
        "gaussian_ids": splat_ids,
        "radii": radii,
        "means2d": means2d,
        "depths": depths,
        "conics": conics,
        "opacities": per_view,
        "tile_width": columns,
        "tile_height": rows,
        "tiles_per_gauss": tiles_per_gauss,
        "isect_ids": isect_ids,
        "flatten_ids": flatten_ids,
        "isect_offsets": offsets,
        "width": width,
        "height": height,
        "tile_size": tile_size,
        "n_batches": 1,
        "n_cameras": cameras,
    }
    return drawn, alphas, info


def _check_colors(colors: Tensor, count: int, cameras: int, sh_degree: int | None) -> None:
    if not isinstance(colors, Tensor):
        raise ValueError(f"colors: expected a tensor, found {type(colors).__name__}")
    inner = 1 if sh_degree is None else 2
    shape = (count, *(None,) * (inner - 1), None if sh_degree is None else 3)
    views = (cameras,) if colors.dim() == inner + 2 else ()
    checks.tensor("colors", colors, (*views, *shape))
    if sh_degree is None:
        return
    checks.choice("sh_degree", sh_degree, (0, 1, 2, 3))
    if colors.shape[-2] < (sh_degree + 1) ** 2:
        raise ValueError(
            f"colors: expected {(sh_degree + 1) ** 2} or more bases for sh_degree {sh_degree},"
            f" found {colors.shape[-2]}"
        )


def _colours(
    colors: Tensor,
    sh_degree: int | None,
    means: Tensor,
    viewmats: Tensor,
    radii: Tensor,
    camera_ids: Tensor | None,
    splat_ids: Tensor | None,
) -> Tensor:
    """Features (C, N, D), or (nnz, D) when packed."""
    packed = camera_ids is not None and splat_ids is not None
    by_camera = colors.dim() == (3 if sh_degree is None else 4)
    if packed:
        chosen = colors[camera_ids, splat_ids] if by_camera else colors[splat_ids]
    else:
        chosen = colors if by_camera else colors[None].expand(len(viewmats), *colors.shape)
    if sh_degree is None:
        return chosen
    eyes = torch.inverse(viewmats)[:, :3, 3]
    away = means[splat_ids] - eyes[camera_ids] if packed else means[None] - eyes[:, None]
    masks = (radii > 0).all(dim=-1)
    return torch.clamp_min(spherical_harmonics(sh_degree, away, chosen, masks) + 0.5, 0.0)


def _with_depth(
    features: Tensor, depths: Tensor, backgrounds: Tensor | None, mode: str, cameras: int
) -> tuple[Tensor, Tensor | None]:
    """The channels that `mode` draws; depth has no background."""
    if mode == "RGB":
        return features, backgrounds
    none = depths.new_zeros(cameras, 1)
    if mode in ("D", "ED"):
        return depths[..., None], None if backgrounds is None else none
    if backgrounds is not None:
        backgrounds = torch.cat([backgrounds, none], dim=-1)
    return torch.cat([features, depths[..., None]], dim=-1), backgrounds
