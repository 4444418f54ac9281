"""evaluate(): the scores of splats on views, image by image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32

from data.scene import View
from splatting import metrics
from splatting.rasterization import render
from splatting.splats import Splats

CONVENTIONS = {
    "psnr": "float render clamped to 0..1, whole photo (masked: what counts), mean over photos",
    "ssim": "11 taps, sigma 1.5, zeros beyond the border",
    "lpips": "AlexNet 0.1",
    "colours": "sRGB as in the file, no fit of exposure or white balance, black background",
}
"""How the scores are taken: none compares with one that is taken otherwise."""


def evaluate(
    splats: Splats,
    views: Sequence[View],
    on_image: Callable[[View, np.ndarray], Any] | None = None,
    background: Sequence[float] = (0.0, 0.0, 0.0),
    perceptual: bool = True,
    device: Literal["cpu", "cuda"] = "cpu",
) -> dict[str, Any]:
    """PSNR, SSIM and LPIPS (None without the extra) of each view and their means.

    `on_image(view, rgb)` sees every float render (h, w, 3). Means are over images, as papers on
    splatting report them; `perceptual=False` leaves LPIPS out; `device` is that of `render`. Of a
    masked photo only what counts is scored: PSNR over those pixels, the others filled from the
    photo for SSIM and LPIPS.
    """
    images = []
    for view in views:
        photo = view.image()
        rgb = render(splats, view.camera, background, device=device).rgb
        if on_image is not None:
            on_image(view, rgb)
        kept = view.kept()
        score = masked_psnr(rgb, photo, kept)
        if kept is not None:
            rgb = kept[..., None] * rgb + (1.0 - kept[..., None]) * photo
        images.append(
            {
                "name": view.name,
                "psnr": score,
                "ssim": metrics.ssim(rgb, photo),
                "lpips": metrics.lpips(rgb, photo) if perceptual else None,
            }
        )
    return {
        **{name: _mean(images, name) for name in ("psnr", "ssim", "lpips")},
        "splats": len(splats),
        "kernel": splats.kernel.name,
        "images": images,
    }


def masked_psnr(
    rgb: Float32[np.ndarray, "h w 3"],
    photo: Float32[np.ndarray, "h w 3"],
    kept: Float32[np.ndarray, "h w"] | None,
) -> float:
    """PSNR over what counts of the photo (`View.kept`), in dB."""
    if kept is None:
        return metrics.psnr(rgb, photo)
    share = max(float(kept.mean()), 1e-6)
    filled = kept[..., None] * rgb + (1.0 - kept[..., None]) * photo
    return metrics.psnr(filled, photo) + 10.0 * float(np.log10(share))


def _mean(images: list[dict[str, Any]], name: str) -> float | None:
    values = [image[name] for image in images if image[name] is not None]
    return float(np.mean(values)) if values else None
