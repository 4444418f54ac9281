"""A contact sheet of held-out views: photo, render and error side by side, labelled.

The error is the mean absolute difference of a pixel, drawn from black through violet and orange to
pale yellow at 0.25.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageDraw, ImageFont

from data.scene import View
from splatting import metrics
from splatting.rasterization import render
from splatting.splats import Splats

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

MARGIN, GAP, HEAD, FOOT = 28, 10, 44, 34
LARGEST_ERROR = 0.25
INK, FAINT, PAPER = (232, 236, 241), (139, 148, 158), (13, 17, 23)
# perceptually even from dark to light: each step is brighter than the one before
HEAT = np.array(
    [[0, 0, 4], [51, 16, 91], [120, 40, 109], [186, 54, 85], [237, 105, 37], [252, 180, 50],
     [252, 255, 200]], np.float32,
)  # fmt: skip


def ramp(share: Float32[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n 3"]:
    """The colour of HEAT at a place of 0 to 1."""
    place = np.clip(share, 0, 1) * (len(HEAT) - 1)
    low = np.minimum(place.astype(int), len(HEAT) - 2)
    rest = (place - low)[..., None]
    return np.rint(HEAT[low] * (1 - rest) + HEAT[low + 1] * rest).astype(np.uint8)


def heat(error: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Colours of errors from 0 to LARGEST_ERROR."""
    return ramp(error / LARGEST_ERROR)


def sheet(views: Sequence[View], splats: Splats, title: str, width: int) -> Image.Image:
    """One row a view with its scores, pictures `width` pixels wide."""
    label, small = ImageFont.load_default(size=17), ImageFont.load_default(size=14)
    rows = []
    for view in views:
        photo = view.image()
        drawn = np.clip(render(splats, view.camera).rgb, 0, 1)
        pictures = (
            _bytes(photo),
            _bytes(drawn),
            heat(np.abs(drawn - photo).mean(axis=2)),
        )
        rows.append((view.name, metrics.psnr(drawn, photo), metrics.ssim(drawn, photo), pictures))
    height = [round(width * row[3][0].shape[0] / row[3][0].shape[1]) for row in rows]
    total_w = 2 * MARGIN + 3 * width + 2 * GAP
    total_h = MARGIN + HEAD + sum(h + FOOT for h in height) + MARGIN
    canvas = Image.new("RGB", (total_w, total_h), PAPER)
    draw = ImageDraw.Draw(canvas)
    for column, name in enumerate(("photo", "render", "error")):
        draw.text((MARGIN + column * (width + GAP), MARGIN), name, INK, label)
    draw.text((total_w - MARGIN, MARGIN - 18), title, FAINT, small, anchor="ra")
    _scale_bar(draw, total_w - MARGIN, MARGIN + 4, small)
    top = MARGIN + HEAD - 8
    for (name, psnr, ssim, pictures), h in zip(rows, height, strict=True):
        for column, picture in enumerate(pictures):
            shown = Image.fromarray(picture).resize((width, h), Image.Resampling.LANCZOS)
            canvas.paste(shown, (MARGIN + column * (width + GAP), top))
        text = f"{name}   PSNR {psnr:.2f} dB   SSIM {ssim:.3f}"
        draw.text((MARGIN, top + h + 7), text, FAINT, small)
        top += h + FOOT
    return canvas


def _scale_bar(draw: ImageDraw.ImageDraw, right: int, top: int, font: Font) -> None:
    ramp = heat(np.linspace(0, LARGEST_ERROR, 120, dtype=np.float32)[None])[0]
    for i, colour in enumerate(ramp):
        draw.line([(right - 160 + i, top), (right - 160 + i, top + 12)], tuple(map(int, colour)))
    draw.text((right - 166, top + 6), "0", FAINT, font, anchor="rm")
    draw.text((right, top + 6), f"{LARGEST_ERROR}", FAINT, font, anchor="rm")


def _bytes(image: Float32[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
