"""Placement: a motion in units of the page, upright, on its floor, of a size that a page likes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from data.motion import Motion
from data.rig import upright

SIZE = 2.0
"""Diagonal of an animal in units of the page."""
_FAR = 2.5
"""Sizes of an animal from the middle of its way, beyond which all of the way leaves it a dot."""


@dataclass(frozen=True, eq=False)
class Placement:
    """Joints in units of the page: y up, the floor at 0, the first root at the origin."""

    xyz: Float32[np.ndarray, "t j 3"]
    scale: float
    """Units of the page in one of the motion's."""

    @property
    def reach(self) -> float:
        """Radius around the origin that holds all joints at all times."""
        known = self.xyz[np.isfinite(self.xyz).all(axis=2)]
        return float(np.linalg.norm(known, axis=1).max()) if len(known) else SIZE

    @property
    def roams(self) -> bool:
        """Whether the animal would hardly be seen on a picture of all of its way."""
        return self.reach > _FAR * SIZE


def placed(motion: Motion, in_place: bool = False) -> Placement:
    """`motion` on the page; `in_place` takes its way along the floor out, and its rise and fall
    where it goes higher than it is large: in the air, or on a floor that was taken for a wall."""
    xyz = upright(motion)
    scale = SIZE / motion.diagonal if motion.diagonal > 0 else 1.0
    known = np.isfinite(xyz).all(axis=2)
    counts = known.sum(axis=1)
    centres = np.where(known[..., None], xyz, 0.0).sum(axis=1) / np.maximum(counts, 1)[:, None]
    centres = _held(centres, counts > 0)
    low = np.percentile(xyz[known][:, 1], 0.5) if known.any() else 0.0
    origin = centres if in_place else np.broadcast_to(centres.mean(axis=0), centres.shape)
    shift = origin.copy()
    shift[:, 1] = low
    if in_place and np.ptp(centres[:, 1]) > motion.diagonal:
        height = centres[counts > 0, 1] - np.nanmin(xyz[counts > 0, :, 1], axis=1)
        shift[:, 1] = centres[:, 1] - np.median(height)
    return Placement(((xyz - shift[:, None]) * scale).astype(np.float32), scale)


def grid_step(scale: float) -> float:
    """Side of a square on the floor in the motion's own units: 1, 2 or 5 of a power of ten.

    >>> grid_step(2.0), grid_step(0.03)
    (0.2, 10.0)
    """
    wanted = 0.5 / scale
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(step * power for step in (1, 2, 5) if step * power <= wanted * 1.0001))


def _held(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Frames without a value take that of the nearest before, or the first."""
    if not known.any():
        return np.zeros_like(values)
    place = np.where(known, np.arange(len(values)), -1)
    place = np.maximum.accumulate(place)
    return values[np.where(place < 0, np.argmax(known), place)]
