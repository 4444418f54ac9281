"""Colours that tell apart on a dark page: scales for numbers, a palette for names."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, UInt8

BACKGROUND = (13, 17, 23)
LEFT, MIDDLE, RIGHT = (240, 136, 62), (201, 209, 217), (88, 166, 255)
HIDDEN = (227, 179, 65)
"""Of joints that were not seen."""
UNKNOWN = (110, 118, 129)
PALETTE = np.array(
    [
        (88, 166, 255),
        (240, 136, 62),
        (63, 185, 80),
        (188, 140, 255),
        (255, 123, 114),
        (57, 197, 207),
        (227, 179, 65),
        (247, 120, 186),
        (163, 201, 84),
        (121, 134, 232),
        (210, 153, 106),
        (150, 220, 190),
    ],
    np.uint8,
)
_SCALES = {
    # viridis and turbo at even steps, without their ends, which are dark: BIDS/colormap (CC0) and
    # Mikhailov 2019
    "viridis": "472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725",
    "turbo": "4145ab 4675ed 39a2fc 1bcfd4 24eca6 61fc6c a4fc3b d1e834 f3c63a fe9b2d f36315 d93806",
}


def scaled(
    values: Float[np.ndarray, "*n"], low: float, high: float, scale: str = "viridis"
) -> UInt8[np.ndarray, "*n 3"]:
    """A colour for each number between `low` and `high`; grey where there is none."""
    hexes = _SCALES[scale].split()
    anchors = np.array([[int(h[k : k + 2], 16) for k in (0, 2, 4)] for h in hexes], np.float64)
    share = (np.asarray(values, np.float64) - low) / max(high - low, 1e-300)
    place = np.clip(np.nan_to_num(share), 0.0, 1.0) * (len(anchors) - 1)
    rgb = np.stack(
        [np.interp(place, np.arange(len(anchors)), channel) for channel in anchors.T], axis=-1
    )
    rgb[np.isnan(share)] = UNKNOWN
    return np.rint(rgb).astype(np.uint8)


def named(numbers: Int[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n 3"]:
    """A colour for each whole number; those below zero are grey, and colours come round again."""
    colours = PALETTE[np.asarray(numbers) % len(PALETTE)]
    return np.where((np.asarray(numbers) < 0)[..., None], np.array(UNKNOWN, np.uint8), colours)


def mixed(rgb: UInt8[np.ndarray, "*n 3"], toward: tuple[int, int, int], share: float) -> np.ndarray:
    """`rgb` with a share of another colour, as bytes."""
    blend = (1 - share) * rgb.astype(np.float64) + share * np.array(toward, np.float64)
    return np.rint(blend).astype(np.uint8)


def css(rgb: tuple[int, int, int] | np.ndarray) -> str:
    """A colour as style sheets write it.

    >>> css((240, 136, 62))
    '#f0883e'
    """
    return "#" + "".join(f"{int(part):02x}" for part in rgb)
