"""The colour of each point of a cloud: its own, by height, by normal, by class."""

from __future__ import annotations

import html

import numpy as np
from jaxtyping import Float, UInt8

from app.viewer.colour_maps import PALETTE, css, named, scaled
from data.clouds import PointCloud

OWN, HEIGHT, NORMAL, CLASS, PLAIN = "own colour", "height", "normal", "class", "plain"
_GREY = (201, 209, 217)
_MOST_CLASSES = 24
"""In the legend."""


def choices(cloud: PointCloud) -> tuple[str, ...]:
    """By what this cloud can be coloured, the best first."""
    there = {
        OWN: cloud.rgb is not None,
        CLASS: cloud.labels is not None,
        HEIGHT: True,
        NORMAL: cloud.normals is not None,
        PLAIN: True,
    }
    return tuple(name for name, possible in there.items() if possible)


def can_be_lit(cloud: PointCloud, by: str) -> bool:
    """Whether light on its surface would help: not where colours are those of a photo, or say the
    normal themselves."""
    return cloud.normals is not None and by in (HEIGHT, CLASS, PLAIN)


def lit(
    rgb: UInt8[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], up: np.ndarray
) -> UInt8[np.ndarray, "n 3"]:
    """`rgb` under a light from above and one side; both sides of a surface are lit."""
    side = np.roll(up, 1)
    light = (up + 0.6 * side) / np.linalg.norm(up + 0.6 * side)
    shade = 0.35 + 0.75 * np.abs(normals @ light)
    # a point without a normal keeps its colour
    shade[~normals.any(axis=1)] = 1.0
    return np.clip(rgb * shade[:, None], 0, 255).astype(np.uint8)


def point_colours(cloud: PointCloud, by: str, up: np.ndarray) -> UInt8[np.ndarray, "n 3"]:
    """One colour a point; `up` is the direction of height."""
    if by == OWN and cloud.rgb is not None:
        return cloud.rgb
    if by == CLASS and cloud.labels is not None:
        return named(_places(cloud.labels))
    if by == NORMAL and cloud.normals is not None:
        return np.rint(127.5 + 127.5 * cloud.normals).astype(np.uint8)
    if by == HEIGHT:
        height = cloud.xyz @ up
        low, high = np.percentile(height, [1, 99])
        return scaled(height, float(low), float(high), "turbo")
    return np.tile(np.array(_GREY, np.uint8), (len(cloud), 1))


def legend(cloud: PointCloud, by: str) -> str:
    """What the classes' colours mean, as HTML; empty for other colours."""
    if by != CLASS or cloud.labels is None:
        return ""
    numbers, counts = np.unique(cloud.labels, return_counts=True)
    order = np.argsort(-counts)[:_MOST_CLASSES]
    rows = "".join(
        f"<span style='display:inline-flex;align-items:center;gap:.4em;margin:0 1em .2em 0'>"
        f"<i style='width:.8em;height:.8em;border-radius:3px;"
        f"background:{css(PALETTE[place % len(PALETTE)])}'></i>"
        f"{html.escape(str(numbers[place]))} <span style='opacity:.6'>{counts[place]:,}</span>"
        "</span>"
        for place in order.tolist()
    )
    more = f" and {len(numbers) - len(order)} more" if len(numbers) > len(order) else ""
    return f"<div style='padding:.2em .8em .5em;font-size:.82em'>{rows}{more}</div>"


def _places(labels: np.ndarray) -> np.ndarray:
    """Classes as 0, 1, 2, ... in rising order."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
