"""What masks do to a scene as a whole: they are looked at before training, and points that they
hide are no place to start splats from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from data.errors import UserError

if TYPE_CHECKING:
    from data.scene import Scene

LOOKED_AT = 8
"""Masks that are read before training, evenly spaced."""
FEWEST = 2
"""A point goes when this many of the masks looked at hide it, and none shows it."""


def with_masks(scene: Scene) -> Scene:
    """The scene with a note on how much its masks keep, without the points that they hide.

    UserError when they keep nothing.
    """
    masked = [v for v in scene.train if v.mask_path is not None or v.alpha == "mask"]
    if not masked:
        return scene
    shown, hidden = np.zeros((2, len(scene.points)), np.int64)
    shares = []
    for view in masked[:: -(-len(masked) // LOOKED_AT)]:
        kept = view.kept()
        assert kept is not None
        shares.append(float(kept.mean()))
        camera = view.camera
        xyz = scene.points.xyz @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = (xyz @ camera.K.T)[:, :2] / xyz[:, 2:]
        size = (camera.width, camera.height)
        inside = np.flatnonzero((xyz[:, 2] > 0) & ((pixels >= 0) & (pixels < size)).all(1))
        x, y = pixels[inside].astype(np.int64).T
        counts = kept[y, x] > 0.5
        shown[inside] += counts
        hidden[inside] += ~counts
    share = float(np.mean(shares))
    if share < 1e-3:
        raise UserError(
            f"{masked[0].mask_path or masked[0].image_path}: expected masks that are white where "
            "photos count, found black ones; add --invert-masks, or move them away"
        )
    good = (shown > 0) | (hidden < FEWEST)
    note = f"{len(masked)} of {len(scene.train)} training photos are masked: {share:.0%} is kept"
    if good.all():
        return replace(scene, notes=(*scene.notes, note))
    return replace(scene.without_points(~good), notes=(*scene.notes, note))
