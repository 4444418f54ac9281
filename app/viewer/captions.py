"""Small pieces that panels share: a legend of colours, a line of text, labels in a picture."""

from __future__ import annotations

import functools
import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from PIL import ImageFont

_LEGEND = (
    "<div style='padding:0 0.85em 0.5em; font-size:0.78em'>"
    "<div style='height:0.7em; border-radius:4px; background:linear-gradient(to right,{stops})'>"
    "</div><div style='display:flex; justify-content:space-between; opacity:0.75; "
    "font-variant-numeric:tabular-nums; padding-top:0.15em'>{marks}</div>"
    "<div style='opacity:0.55; padding-top:0.1em'>{note}</div></div>"
)
_LINE = "<div style='padding:0 0.85em 0.4em; font-size:0.82em; opacity:0.8'>{text}</div>"


def plain_number(value: float) -> str:
    """Three digits that count, and all before the point; NaN as it is.

    >>> [plain_number(x) for x in (77791.4, 322.0, 1.5, 0.0241, 0.0)]
    ['77,791', '322', '1.50', '0.0241', '0']
    """
    size = abs(value)
    if value == 0 or not 1e-3 <= size < 1e15:
        return f"{value:.3g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(size)))}f}"


def legend_html(
    colours: Sequence[Sequence[float]], marks: Sequence[str], note: str = "", reverse: bool = False
) -> str:
    """A bar of `colours` (r, g, b of 0..255) with `marks` spread below it."""
    rows = [colours[len(colours) - 1 - i] if reverse else colours[i] for i in range(len(colours))]
    stops = ",".join(f"rgb({','.join(str(round(float(c))) for c in row)})" for row in rows)
    spans = "".join(f"<span>{html.escape(mark)}</span>" for mark in marks)
    return _LEGEND.format(stops=stops, marks=spans, note=html.escape(note))


def line_html(text: str) -> str:
    """A line of plain text."""
    return _LINE.format(text=html.escape(text)) if text else ""


@functools.lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)


def write_labels(
    picture: UInt8[np.ndarray, "h w 3"], labels: Sequence[tuple[str, int, int]], top: int = 0
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with each `(text, left, right)` on a dark pill between two columns, `top` pixels
    below its upper edge; a text without room is left out."""
    from PIL import Image, ImageDraw

    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas, "RGBA")
    size = int(np.clip(picture.shape[0] / 44, 9, 20))
    font, pad, gap = _font(size), size // 2, size // 2 + 2
    for text, left, right in labels:
        width = draw.textlength(text, font)
        if not text or width + 2 * pad + 2 * gap > right - left:
            continue
        x, y = left + gap, top + gap
        box = (x, y, x + width + 2 * pad, y + size + pad)
        draw.rounded_rectangle(box, radius=pad, fill=(13, 17, 23, 190))
        draw.text((x + pad, y + (size + pad) / 2), text, (232, 236, 241), font, anchor="lm")
    return np.asarray(canvas)
