"""Splats as viser sends them to a browser: 32 bytes each, covariances in half precision.

Half precision ends at 65504 and thins out below 6e-5, and scenes are of any size: so positions are
multiplied by a zoom that brings the covariances into the middle, and the node is scaled back by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float16, Float32, UInt8

if TYPE_CHECKING:
    from splatting.splats import Splats

WIDE, WIDEST = 1e4, 6e4
"""Largest variance of all but a thousandth of the splats, and of any, once zoomed."""
_CHUNK = 65_536


@dataclass(frozen=True, eq=False)
class Columns:
    """What does not depend on where one stands."""

    centres: Float32[np.ndarray, "n 3"]
    """Scene units times `zoom`."""
    covariances: Float16[np.ndarray, "n 3 3"]
    """psi Sigma zoom^2."""
    opacities: UInt8[np.ndarray, "n 1"]
    zoom: float


def columns(splats: Splats) -> Columns:
    """`splats` without their colours."""
    n = len(splats)
    widest = splats.log_scales.max(axis=1, initial=-20.0)
    wide = float(np.quantile(widest, 0.999)) if n else 0.0
    zoom = float(np.sqrt(WIDE / splats.kernel.psi) / np.exp(wide))
    covariances = np.empty((n, 3, 3), np.float16)
    for first in range(0, n, _CHUNK):
        part = slice(first, first + _CHUNK)
        covariances[part] = _covariances(
            splats.log_scales[part], splats.quats[part], zoom * np.sqrt(splats.kernel.psi)
        )
    with np.errstate(over="ignore"):
        opacities = 1.0 / (1.0 + np.exp(-splats.logit_opacities))
    centres = (splats.means * np.float32(zoom)).astype(np.float32)
    return Columns(centres, covariances, to_bytes(opacities[:, None]), zoom)


def to_bytes(values: Float[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n"]:
    """0..1 as bytes, rounded to nearest."""
    return (np.clip(values, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _covariances(
    log_scales: Float32[np.ndarray, "m 3"], quats: Float32[np.ndarray, "m 4"], factor: float
) -> Float32[np.ndarray, "m 3 3"]:
    from data.geometry import rotation_from_quat

    scales = np.exp(np.minimum(log_scales.astype(np.float64) + np.log(factor), 50.0))
    # a splat of which no half can speak becomes the largest of its shape
    scales *= np.minimum(1.0, np.sqrt(WIDEST) / scales.max(axis=1, keepdims=True))
    half = rotation_from_quat(quats) * scales[:, None, :]
    return half @ half.transpose(0, 2, 1)
