"""Motion: the joints of one skeleton over time, and what its lifting from 2D left behind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int64

from data.skeleton import Skeleton

UNITS_M = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "um": 1e-6, "in": 0.0254, "ft": 0.3048}
"""Length of the units that a motion may be in, in metres."""


@dataclass(frozen=True, eq=False)
class Motion:
    """One clip. Raises ValueError where shapes do not agree or numbers make no sense."""

    xyz: Float[np.ndarray, "t j 3"]
    """Joints in `units`, NaN where unknown."""
    skeleton: Skeleton
    fps: float = 30.0
    name: str = ""
    confidence: Float[np.ndarray, "t j"] | None = None
    """How much to trust a joint, from 0 to 1 where the tool that gave it keeps to that."""
    observed: Bool[np.ndarray, "t j"] | None = None
    """False where a joint was hidden or missing and its place was filled in."""
    xy: Float[np.ndarray, "t j 2"] | None = None
    """The 2D input in pixels (x right, y down), NaN where missing."""
    xy_reprojected: Float[np.ndarray, "t j 2"] | None = None
    """Where `xyz` falls in the same picture, by the camera that the lifter found."""
    image_size: tuple[int, int] | None = None
    """Width and height of that picture in pixels."""
    uncertainty: Float[np.ndarray, "t j"] | None = None
    """One standard deviation of a joint's position, in `units`."""
    frames: Int64[np.ndarray, "t"] | None = None
    """Each frame's number in the video it came from; 0, 1, 2, ... where not given."""
    up: tuple[float, float, float] = (0.0, 1.0, 0.0)
    """Direction against gravity in the frame of `xyz`, a unit vector."""
    units: str = ""
    """One of `UNITS_M`, or empty where the scale is unknown."""

    def __post_init__(self) -> None:
        xyz = _numbers("xyz", self.xyz)
        if xyz.ndim != 3 or xyz.shape[1:] != (len(self.skeleton), 3) or not len(xyz):
            raise ValueError(
                f"expected xyz of shape (frames, {len(self.skeleton)} joints, 3), found {xyz.shape}"
            )
        kept = {"xyz": xyz}
        shapes = {"confidence": (), "uncertainty": (), "xy": (2,), "xy_reprojected": (2,)}
        for name, tail in shapes.items():
            if getattr(self, name) is not None:
                kept[name] = _shaped(name, _numbers(name, getattr(self, name)), xyz, tail)
        if self.observed is not None:
            observed = np.asarray(self.observed)
            if observed.dtype != bool:
                raise ValueError(f"expected observed as true or false, found {observed.dtype}")
            kept["observed"] = _shaped("observed", observed, xyz, ())
        if self.frames is not None:
            frames = np.asarray(self.frames)
            if frames.dtype.kind not in "iu" or frames.shape != xyz.shape[:1]:
                raise ValueError(
                    f"expected {len(xyz)} whole numbers as frames, found {frames.dtype} of shape "
                    f"{frames.shape}"
                )
            kept["frames"] = frames.astype(np.int64)
        for name, array in kept.items():
            object.__setattr__(self, name, array)
        if not (np.isfinite(self.fps) and 0 < self.fps <= 1e6):
            raise ValueError(f"expected frames per second above 0, found {self.fps}")
        if self.units and self.units not in UNITS_M:
            raise ValueError(f"expected units among {', '.join(UNITS_M)}, found {self.units!r}")
        if self.image_size is not None and not all(0 < side <= 1e6 for side in self.image_size):
            raise ValueError(f"expected a picture of some pixels, found {self.image_size}")
        up = np.asarray(self.up, np.float64)
        if up.shape != (3,) or not np.isfinite(up).all() or not np.linalg.norm(up) > 0:
            raise ValueError(f"expected up as three numbers, not all zero, found {self.up}")
        object.__setattr__(self, "up", tuple((up / np.linalg.norm(up)).tolist()))

    def __len__(self) -> int:
        return len(self.xyz)

    @property
    def seconds(self) -> float:
        """From the first frame to the end of the last."""
        return len(self) / self.fps

    @cached_property
    def diagonal(self) -> float:
        """Median over the frames of the diagonal of the box around the joints, in `units`."""
        known = self.xyz[np.any(np.isfinite(self.xyz).all(axis=2), axis=1)]
        if not len(known):
            return 0.0
        sides = np.nanmax(known, axis=1) - np.nanmin(known, axis=1)
        return float(np.median(np.linalg.norm(sides, axis=1)))

    @cached_property
    def reprojection_px(self) -> Float[np.ndarray, "t j"] | None:
        """Distance between 2D input and reprojection, NaN where a point is missing; None without
        them."""
        if self.xy is None or self.xy_reprojected is None:
            return None
        return np.linalg.norm(self.xy_reprojected - self.xy, axis=2)


def rounded_fps(fps: float) -> float:
    """The whole number next to it where they differ by the digits that a frame time lost."""
    return float(round(fps)) if abs(fps - round(fps)) < 3e-4 * fps else fps


def _numbers(name: str, array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"expected {name} as numbers, found {array.dtype}")
    array = array.astype(np.float64)
    if np.isinf(array).any():
        raise ValueError(f"expected {name} finite or NaN, found infinity")
    return array


def _shaped(name: str, array: np.ndarray, xyz: np.ndarray, tail: tuple[int, ...]) -> np.ndarray:
    if array.shape != (*xyz.shape[:2], *tail):
        raise ValueError(
            f"expected {name} of shape {(*xyz.shape[:2], *tail)} beside xyz {xyz.shape}, found "
            f"{array.shape}"
        )
    return array
