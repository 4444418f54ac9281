"""A confusion matrix as a picture: a row for each class, darker the more of it was said."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.scoring import Score
from data.whole_files import replacing

_CELL, _GAP, _LETTERS, _SMALL = 26, 8, 13, 9
_DARK = np.array([21, 61, 110])
"""The colour of a row's whole; white is none of it."""


def write_confusion(path: Path, score: Score) -> None:
    """Write a .png or .jpg; rows are shares of their class, numbers are clouds."""
    from PIL import Image, ImageDraw, ImageFont

    font, small = ImageFont.load_default(_LETTERS), ImageFont.load_default(_SMALL)
    rows = max(int(font.getlength(name)) for name in score.labels) + 2 * _GAP
    size = len(score.labels) * _CELL
    picture = Image.new("RGB", (rows + size + _GAP, rows + size + _GAP), "white")
    draw = ImageDraw.Draw(picture)
    shares = score.confusion / np.maximum(score.confusion.sum(1, keepdims=True), 1)
    for i, name in enumerate(score.labels):
        middle = rows + i * _CELL + _CELL // 2
        draw.text((rows - _GAP, middle), name, "black", font, anchor="rm")
        # names of columns are written on a strip of their own and turned
        strip = Image.new("RGB", (rows, _CELL), "white")
        ImageDraw.Draw(strip).text((_GAP, _CELL // 2), name, "black", font, anchor="lm")
        picture.paste(strip.rotate(90, expand=True), (rows + i * _CELL, 0))
        for j, count in enumerate(score.confusion[i].tolist()):
            x, y = rows + j * _CELL, rows + i * _CELL
            colour = np.rint(255 + shares[i, j] * (_DARK - 255)).astype(int).tolist()
            draw.rectangle((x, y, x + _CELL - 2, y + _CELL - 2), tuple(colour))
            if count:
                letters = "white" if shares[i, j] > 0.5 else "black"
                centre = (x + _CELL // 2 - 1, y + _CELL // 2 - 1)
                draw.text(centre, str(count), letters, small, anchor="mm")
    with replacing(path) as draft:
        picture.save(draft)
