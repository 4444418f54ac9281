"""The 2D input as a picture: what the tracker saw, and where the lifted joints fall."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8

from app.viewer.colour_maps import BACKGROUND, HIDDEN, UNKNOWN
from app.viewer.limb_colours import joint_colours
from data.motion import Motion

ERROR = (248, 81, 73)
_SHARP = 2
"""Drawn this much larger and reduced: PIL's lines have no soft edges."""


def flat_figure(
    motion: Motion, frame: int, by: str, width: int = 480, picked: int | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """Frame `frame` of the 2D input: bones in their colours, the reprojection in outline, what lies
    between the two in red.

    A motion without 2D input gives an empty picture.
    """
    import PIL.Image
    import PIL.ImageDraw

    low, size = extent(motion)
    scale = _SHARP * width / size[0]
    shape = (_SHARP * width, max(8, round(size[1] * scale)))
    picture = PIL.Image.new("RGB", shape, BACKGROUND)
    draw = PIL.ImageDraw.Draw(picture)
    draw.rectangle((0, 0, shape[0] - 1, shape[1] - 1), outline=(48, 54, 61), width=_SHARP)
    rgb = [tuple(colour) for colour in joint_colours(motion, by, frame).tolist()]

    def pixels(points: Float[np.ndarray, "j 2"]) -> list[tuple[float, float] | None]:
        return [
            None if np.isnan(point).any() else (float(point[0]), float(point[1]))
            for point in (points[frame] - low) * scale
        ]

    def bones(places, colour: Callable[[int], tuple[int, ...]], thick: int) -> None:
        for a, b in motion.skeleton.edges.tolist():
            if places[a] and places[b]:
                draw.line((*places[a], *places[b]), fill=colour(b), width=thick)

    def dot(place: tuple[float, float], radius: float, **how) -> None:
        radius *= _SHARP
        x, y = place
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), **how)

    again = pixels(motion.xy_reprojected) if motion.xy_reprojected is not None else None
    if again is not None:
        bones(again, lambda _: UNKNOWN, _SHARP)
        for joint, place in enumerate(again):
            if place:
                hidden = motion.observed is not None and not motion.observed[frame, joint]
                dot(place, 3.2, outline=HIDDEN if hidden else UNKNOWN, width=_SHARP)
    if motion.xy is not None:
        seen = pixels(motion.xy)
        bones(seen, rgb.__getitem__, 2 * _SHARP)
        for joint, place in enumerate(seen):
            if not place:
                continue
            if again is not None and (lifted := again[joint]):
                draw.line((*place, *lifted), fill=ERROR, width=_SHARP)
            dot(place, 4.6 if joint == picked else 2.8, fill=rgb[joint])
    reduced = picture.resize((width, shape[1] // _SHARP), PIL.Image.Resampling.LANCZOS)
    return np.asarray(reduced)


def extent(motion: Motion) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Upper left corner and size in pixels of what is to be seen: the picture, where its size is
    known, or else a box around all points."""
    if motion.image_size is not None:
        return np.zeros(2), np.array(motion.image_size, np.float64)
    points = motion.xy if motion.xy is not None else np.zeros((1, 1, 2))
    known = points[np.isfinite(points).all(axis=-1)]
    if not len(known):
        return np.zeros(2), np.ones(2)
    low, high = np.percentile(known, [1, 99], axis=0)
    room = max(0.15 * float((high - low).max()), 1.0)
    size = high - low + 2 * room
    # neither a ribbon nor a tower, whatever strays
    size = np.maximum(size, 0.4 * size.max())
    return (low + high) / 2 - size / 2, size
