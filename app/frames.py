"""Frames of a film: in colours or as a heat map, whose range is the same for all of them.

The page and `darb3d render` share what draws them, so a film is the one of its command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, UInt8

from app import modes

if TYPE_CHECKING:
    from data.camera import Camera
    from splatting.splats import Splats

LOOKED_AT = 12
"""Frames that decide on the range of a heat map."""
LEVEL = 0.15
"""Alpha at the surface of ellipsoids, where nothing else is said."""

Draw = Callable[["Camera"], UInt8[np.ndarray, "h w 3"]]


@dataclass(frozen=True)
class Look:
    """What of the splats is drawn."""

    what: modes.What = "rgb"
    level: float = LEVEL
    """Alpha at the surface of ellipsoids."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)


def drawer(
    whole: Splats,
    kept: Bool[np.ndarray, "n"],
    look: Look,
    cameras: Sequence[Camera],
    measured: Sequence[Camera] = (),
    report: Callable[[int], object] = bool,
    turn: Callable[[], AbstractContextManager] = nullcontext,
) -> Draw:
    """What draws a frame of the film along `cameras`, of the splats of `whole` that are `kept`.

    Contributions are those of the whole, as on the page, to the views of `measured`; `report(i)` is
    called after each of these. A `turn` is held for whatever is drawn ahead, so that others get
    theirs between.
    """
    from app.viewer.scene_view import to_uint8
    from splatting import ellipsoids
    from splatting.rasterization import count, render

    def ahead(draw: Callable[[Camera], Any]) -> list[Any]:
        found = []
        for camera in cameras[:: -(-len(cameras) // LOOKED_AT)]:
            with turn():
                found.append(draw(camera))
        return found

    if look.what == "contribution":
        painted = modes.measure(whole, measured, report, turn)
        whole = modes.coloured(whole, painted, modes.contribution_range(painted))
    splats = whole.take(kept)
    if look.what == "depth":
        from app.film import depth_range

        depths = ahead(lambda camera: modes.expected_depth(render(splats, camera)))
        limits = modes.Range(*depth_range(depths))
        return lambda camera: modes.depth(render(splats, camera), limits).rgb
    if look.what == "alpha":
        return lambda camera: modes.alpha(render(splats, camera)).rgb
    if look.what == "count":
        most = modes.count_limit(ahead(lambda camera: count(splats, camera)[0]))
        return lambda camera: modes.count(splats, camera, modes.Range(0.0, most)).rgb
    if look.what == "ellipsoids":
        return lambda camera: to_uint8(ellipsoids.draw(splats, camera, look.level).rgb)
    return lambda camera: to_uint8(render(splats, camera, look.background).rgb)
