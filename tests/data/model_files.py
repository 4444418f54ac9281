"""Small scenes on disk for the tests: a COLMAP model written by hand, photos of one colour."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

CAMERA = (1, 1, 40, 30, (50.0, 50.0, 20.0, 15.0))
"""id, model number (PINHOLE), width, height, parameters."""


def binary_model(folder: Path, names: list[str], cameras=(CAMERA,), points=5) -> Path:
    """cameras.bin, images.bin, points3D.bin; image i stands at x = i and uses the first camera."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "cameras.bin", "wb") as file:
        file.write(struct.pack("<Q", len(cameras)))
        for number, model, width, height, params in cameras:
            layout = f"<IiQQ{len(params)}d"
            file.write(struct.pack(layout, number, model, width, height, *params))
    with open(folder / "images.bin", "wb") as file:
        file.write(struct.pack("<Q", len(names)))
        for i, name in enumerate(names):
            pose = (1.0, 0.0, 0.0, 0.0, -float(i), 0.0, 0.0)
            file.write(struct.pack("<I7dI", i + 1, *pose, cameras[0][0]))
            file.write(name.encode("utf-8") + b"\0")
            file.write(struct.pack("<QddQ", 1, 3.0, 4.0, 2**64 - 1))
    with open(folder / "points3D.bin", "wb") as file:
        file.write(struct.pack("<Q", points))
        for i in range(points):
            file.write(struct.pack("<Q3d3BdQ", i, i, 0.5, 4.0, 10, 20, i, 0.1, i % 3))
            file.write(struct.pack("<II", 1, 0) * (i % 3))
    return folder


def photos(folder: Path, names: list[str], size=(40, 30)) -> Path:
    """A photo of one colour for each name."""
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (i * 7 % 256, 100, 50)).save(folder / name)
    return folder


def small_scene(folder: Path, count=3, suffix=".png") -> Path:
    """A scene of `count` photos that loads without a note."""
    names = [f"{i:03d}{suffix}" for i in range(count)]
    binary_model(folder / "sparse" / "0", names)
    photos(folder / "images", names)
    return folder


def smooth_photo(width: int, height: int) -> np.ndarray:
    """A picture with gentle waves, different in each channel."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 7 + c) + np.cos(y / (5 + c)) for c in range(3)]
    return np.rint(np.stack(waves, -1) * 60 + 128).astype(np.uint8)
