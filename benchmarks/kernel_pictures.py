"""One panel a kernel: a splat drawn by it, and its profile beside the Gaussian's.

    python -m benchmarks.kernel_pictures -o docs/kernels.png

All splats have the same stored sigmas times the factor that gives them the same amount of paint, so
their sizes compare as they do when training starts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.contact_sheet import FAINT, INK, PAPER
from data.camera import Camera
from splatting import kernels
from splatting.kernels import Kernel
from splatting.rasterization import render
from splatting.splats import SH_C0, Splats

COLUMNS, PANEL, CURVE, GAP, HEAD = 5, 230, 110, 14, 30
PAINT = (1.0, 0.72, 0.25)
FARTHEST = 4.5
"""Sigmas on the axis of the profiles."""
LINE, GRID = (255, 184, 64), (48, 54, 61)


def splat(kernel: Kernel) -> np.ndarray:
    """One tilted splat (PANEL, PANEL, 3), sigma 34 by 17 pixels for the Gaussian."""
    f32 = np.float32
    sigma = np.log(np.array([[0.34, 0.17, 0.17]]) * kernel.mass_matched_scale)
    one = Splats(
        means=np.array([[0, 0, 10]], f32),
        log_scales=sigma.astype(f32),
        quats=np.array([[np.cos(0.25), 0, 0, -np.sin(0.25)]], f32),
        logit_opacities=np.array([5.0], f32),
        sh0=((np.array([PAINT]) - 0.5) / SH_C0).astype(f32),
        shN=np.zeros((1, 0, 3), f32),
        kernel=kernel,
    )
    middle = PANEL / 2
    intrinsics = np.array([[1000.0, 0, middle], [0, 1000.0, middle], [0, 0, 1]])
    background = [value / 255 for value in PAPER]
    rgb = render(one, Camera(intrinsics, np.eye(4), PANEL, PANEL), background).rgb
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def profile(draw: ImageDraw.ImageDraw, left: int, top: int, kernel: Kernel) -> None:
    """f(d) in a box, the Gaussian of the same screen mass behind it."""
    draw.rectangle((left, top, left + PANEL - 1, top + CURVE - 1), outline=GRID)
    d = np.linspace(0, FARTHEST, 2 * PANEL)
    x = left + d / FARTHEST * (PANEL - 1)
    # drawn in sigmas of the splat on the screen, which psi widens
    spread = np.sqrt(kernel.psi) * kernel.mass_matched_scale
    for values, colour, width in (
        (np.exp(-0.5 * d * d), FAINT, 1),
        (kernel((d / spread) ** 2), LINE, 2),
    ):
        y = top + CURVE - 8 - values * (CURVE - 20)
        draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=colour, width=width)


def sheet(names: list[str]) -> Image.Image:
    """All panels."""
    label = ImageFont.load_default(size=16)
    rows = -(-len(names) // COLUMNS)
    tall = HEAD + PANEL + CURVE + GAP
    canvas = Image.new("RGB", (COLUMNS * (PANEL + GAP) + GAP, rows * tall + GAP), PAPER)
    draw = ImageDraw.Draw(canvas)
    for place, name in enumerate(names):
        kernel = kernels.get(name)
        left = GAP + place % COLUMNS * (PANEL + GAP)
        top = GAP + place // COLUMNS * tall
        draw.text((left, top), name, INK, label)
        canvas.paste(Image.fromarray(splat(kernel)), (left, top + HEAD - 6))
        profile(draw, left, top + HEAD - 6 + PANEL, kernel)
    return canvas


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("-o", "--out", type=Path, required=True)
    given = options.parse_args()
    sheet(list(kernels.names())).save(given.out, optimize=True)
    print(f"wrote {given.out}")


if __name__ == "__main__":
    main()
