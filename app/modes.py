"""What of a scene is drawn: its colours, or what lies behind them, as a heat map with its range.

The page and `darb3d render --what` share these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float, Int32, UInt8

from app.contact_sheet import ramp

if TYPE_CHECKING:
    from data.camera import Camera
    from splatting.splats import Splats

What = Literal["rgb", "depth", "alpha", "count", "contribution", "ellipsoids"]

MEASURED_LONGEST = 400
"""Contributions are measured in views of so many pixels along the longer side."""
ENOUGH = 0.995
"""Share of pixels or splats below the bright end of a range: a few stand out in any scene."""
FAINTEST = 1e-3
"""A range of contributions reaches at most this far below its bright end."""


@dataclass(frozen=True)
class Range:
    """The values between which a heat map goes from dark to bright."""

    low: float
    high: float
    note: str = ""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture as bytes, with what the page composites it by."""

    rgb: UInt8[np.ndarray, "h w 3"]
    alpha: Float[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"]
    range: Range | None = None


def expected_depth(drawn: Any) -> Float[np.ndarray, "h w"]:
    """Mean depth where a drawn view is more than half solid, 0 elsewhere."""
    return np.where(drawn.alpha > 0.5, drawn.depth / np.maximum(drawn.alpha, 1e-6), 0.0)


def depth(drawn: Any, limits: Range | None = None) -> Drawn:
    """Near is bright, even in 1 / depth; black where nothing was drawn."""
    from app.film import depth_colours, depth_range

    depths = expected_depth(drawn)
    limits = limits or Range(*depth_range([depths]))
    colours = depth_colours(depths, limits.low, limits.high)
    return Drawn(colours, drawn.alpha, drawn.depth, limits)


def alpha(drawn: Any) -> Drawn:
    """White where it is opaque, black where one looks through."""
    grey = np.rint(np.clip(drawn.alpha, 0, 1) * 255).astype(np.uint8)
    return Drawn(np.repeat(grey[..., None], 3, axis=2), drawn.alpha, drawn.depth)


def count(splats: Splats, camera: Camera, limits: Range | None = None) -> Drawn:
    """How many splats touch each pixel, as a heat map."""
    from splatting.rasterization import count as counted_in

    counted, drawn = counted_in(splats, camera)
    high = count_limit([counted]) if limits is None else limits.high
    note = f"most {counted.max():,}, on average {counted.mean():.1f}"
    return Drawn(ramp(counted / high), drawn.alpha, drawn.depth, Range(0.0, high, note))


def count_limit(counted: Iterable[Int32[np.ndarray, "h w"]]) -> float:
    """The bright end for counts of pixels."""
    return max(1.0, *(float(np.quantile(one, ENOUGH)) for one in counted))


def measure(
    splats: Splats,
    cameras: Sequence[Camera],
    report: Callable[[int], object] = bool,
    turn: Callable[[], AbstractContextManager] = nullcontext,
) -> Float[np.ndarray, "n"]:
    """Pixels that each splat paints in all `cameras` together; `report(i)` after each of them, and
    a `turn` is held for each, so that others get theirs between them.

    Measured in small views and given in pixels of the full ones.
    """
    from splatting.contribution import contributions

    total = np.zeros(len(splats))
    for index, camera in enumerate(cameras):
        shrink = min(1.0, MEASURED_LONGEST / max(camera.width, camera.height))
        size = max(1, round(camera.width * shrink)), max(1, round(camera.height * shrink))
        with turn():
            painted, _ = contributions(splats, [camera.resized(*size)])
        total += painted * (camera.width * camera.height / (size[0] * size[1]))
        report(index + 1)
    return total


def contribution_range(painted: Float[np.ndarray, "n"]) -> Range:
    """Pixels from dark to bright, even in their logarithm."""
    if not len(painted):
        return Range(FAINTEST, 1.0)
    high = max(float(np.quantile(painted, ENOUGH)), 1e-6)
    low = float(np.clip(np.quantile(painted, 0.02), FAINTEST * high, 0.5 * high))
    return Range(low, high, f"{np.mean(painted < 1.0):.0%} paint less than a pixel")


def coloured(splats: Splats, painted: Float[np.ndarray, "n"], limits: Range) -> Splats:
    """`splats` in the colours of what they paint, the same from all sides."""
    from splatting.splats import SH_C0

    share = np.log(np.maximum(painted, 1e-12) / limits.low) / np.log(limits.high / limits.low)
    sh0 = ((ramp(share) / np.float32(255) - 0.5) / SH_C0).astype(np.float32)
    return replace(splats, sh0=sh0, shN=np.zeros((len(splats), 0, 3), np.float32))
