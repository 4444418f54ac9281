"""Splats as viser sends them to a browser, 32 bytes each: place, six halves for the shape, rgba.

Our own shader reads the 96 bits of the shape as scales and a rotation. viser's reads six terms of a
covariance in half precision, which flattens splats that are fifty times longer than thick, ends at
65504 and thins out below 6e-5: so positions are multiplied by a zoom that brings the covariances
into the middle, and the node is scaled back by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float16, Float32, UInt8

if TYPE_CHECKING:
    from splatting.splats import Splats

LOG_RANGE = 20.0
"""Sigmas from exp(-20) to exp(20) scene units, in 65535 steps of 0.06 %."""
WIDE, WIDEST = 1e4, 6e4
"""Largest variance of all but a thousandth of the splats, and of any, once zoomed."""
_UPPER = ([0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2])
"""The terms of a symmetric matrix that are sent, in their order."""
_CHUNK = 65_536


@dataclass(frozen=True, eq=False)
class Columns:
    """What does not depend on where one stands."""

    centres: Float32[np.ndarray, "n 3"]
    """Scene units times `zoom`."""
    shapes: Float16[np.ndarray, "n 3 3"]
    """The upper triangle counts: terms of psi Sigma zoom^2, or the bits of `shape_bits`."""
    opacities: UInt8[np.ndarray, "n 1"]
    zoom: float


def columns(splats: Splats, plain: bool = False) -> Columns:
    """`splats` without their colours; `plain` for the shader that viser comes with."""
    zoom = _zoom(splats) if plain else 1.0
    shapes = np.zeros((len(splats), 3, 3), np.float16)
    half_log_psi = 0.5 * np.log(splats.kernel.psi)
    for first in range(0, len(splats), _CHUNK):
        part = slice(first, first + _CHUNK)
        log_sigmas, quats = splats.log_scales[part] + half_log_psi, splats.quats[part]
        if plain:
            shapes[part] = _covariances(log_sigmas + np.log(zoom), quats)
        else:
            shapes[part, *_UPPER] = shape_bits(log_sigmas, quats).view(np.float16)
    with np.errstate(over="ignore"):
        opacities = 1.0 / (1.0 + np.exp(-splats.logit_opacities[:, None]))
    centres = (splats.means * np.float32(zoom)).astype(np.float32)
    return Columns(centres, shapes, to_bytes(opacities), zoom)


def to_bytes(values: Float[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n"]:
    """0..1 as bytes, rounded to nearest."""
    return (np.clip(values, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def shape_bits(log_sigmas: Float[np.ndarray, "m 3"], quats: Float[np.ndarray, "m 4"]) -> np.ndarray:
    """Three logarithms and the three smaller parts of the quaternion, `(m, 6)` of 16 bits.

    The largest part (made positive) follows from the others; which one it is (w, x, y or z) stands
    in the highest bits of the first two, each of which lies within +-sqrt(1/2).
    """
    bits = np.empty((len(quats), 6), np.uint16)
    share = (log_sigmas + LOG_RANGE) / (2.0 * LOG_RANGE)
    bits[:, :3] = np.clip(share, 0.0, 1.0) * 65535.0 + 0.5
    rows = np.arange(len(quats))
    unit = quats / np.maximum(np.linalg.norm(quats, axis=1, keepdims=True), 1e-20)
    largest = np.abs(unit).argmax(axis=1)
    unit = unit * np.where(unit[rows, largest] < 0, -1.0, 1.0)[:, None]
    others = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])[largest]
    rest = unit[rows[:, None], others] * np.sqrt(2.0)
    bits[:, 3:] = np.clip(0.5 + 0.5 * rest, 0.0, 1.0) * 32767.0 + 0.5
    bits[:, 3] |= ((largest & 1) << 15).astype(np.uint16)
    bits[:, 4] |= ((largest >> 1) << 15).astype(np.uint16)
    return bits


def _zoom(splats: Splats) -> float:
    widest = splats.log_scales.max(axis=1, initial=-LOG_RANGE)
    wide = float(np.quantile(widest, 0.999)) if len(splats) else 0.0
    return float(np.sqrt(WIDE / splats.kernel.psi) / np.exp(wide))


def _covariances(
    log_sigmas: Float[np.ndarray, "m 3"], quats: Float[np.ndarray, "m 4"]
) -> Float[np.ndarray, "m 3 3"]:
    from data.geometry import rotation_from_quat

    sigmas = np.exp(np.minimum(log_sigmas, 50.0))
    # a splat that is too large for half precision becomes the largest of its shape
    sigmas *= np.minimum(1.0, np.sqrt(WIDEST) / sigmas.max(axis=1, keepdims=True))
    spread = rotation_from_quat(quats) * sigmas[:, None, :]
    return spread @ spread.transpose(0, 2, 1)
