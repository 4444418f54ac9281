"""A calibrated lens: projection, its inverse, and the pinhole that undistortion leads to.

A lens bends normalised image points (x/z, y/z), as `lens_models` says, and then applies focal
lengths and centre; fisheye models bend the point theta (u, v) / r, with theta = atan(r), instead.
pycolmap is the oracle in tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from data.camera import Camera
from data.errors import UserError
from data.lens_models import MODELS, LensModel, Points


@dataclass(frozen=True)
class Lens:
    """A calibrated lens at one image size; `fx, fy, cx, cy` in pixels, coefficients as COLMAP's."""

    model: LensModel
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    coefficients: tuple[float, ...] = ()

    @property
    def is_pinhole(self) -> bool:
        """Whether the lens bends nothing, so that its photos need no undistortion."""
        # EUCM's second coefficient only shapes the bending that the first one switches on.
        amounts = self.coefficients[:1] if self.model.name == "EUCM" else self.coefficients
        return not self.model.fisheye and not any(amounts)

    @property
    def K(self) -> Float64[np.ndarray, "3 3"]:
        """The pinhole part of the lens."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    def resized(self, width: int, height: int) -> Lens:
        """The same lens for photos of another size; bending is in normalised units and stays."""
        sx, sy = width / self.width, height / self.height
        scaled = {"fx": self.fx * sx, "fy": self.fy * sy, "cx": self.cx * sx, "cy": self.cy * sy}
        return replace(self, width=width, height=height, **scaled)


def lens_from_colmap(name: str, width: int, height: int, params: Sequence[float]) -> Lens:
    """A `Lens` from a COLMAP camera; refuses what is unknown, broken or cannot become a pinhole."""
    if name == "EQUIRECTANGULAR":
        raise UserError(
            "camera model EQUIRECTANGULAR sees the whole sphere and has no pinhole; expected a "
            "perspective or fisheye model: cut the panoramas into perspective views and run COLMAP "
            "on those"
        )
    if name not in MODELS:
        raise UserError(f"unknown camera model {name}; expected one of {', '.join(MODELS)}")
    model = MODELS[name]
    if len(params) != model.parameters:
        raise UserError(
            f"camera model {name} has {model.parameters} parameters, found {len(params)}"
        )
    values = [float(p) for p in params]
    fx, fy = values[0], values[model.focals - 1]
    if not (np.all(np.isfinite(values)) and fx > 0 and fy > 0 and width > 0 and height > 0):
        raise UserError(
            f"camera {name} {width}x{height} with parameters {values}: expected finite numbers, "
            "positive focal lengths and a positive size"
        )
    cx, cy, *coefficients = values[model.focals :]
    return Lens(model, int(width), int(height), fx, fy, cx, cy, tuple(coefficients))


def project(lens: Lens, uv: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    """Pixels of the points (x/z, y/z); NaN where the lens cannot see the point."""
    u, v = np.asarray(uv, np.float64).T
    if lens.model.fisheye:
        r = np.hypot(u, v)
        scale = np.divide(np.arctan(r), r, out=np.ones_like(r), where=r > 0)
        u, v = u * scale, v * scale
    if lens.model.bend is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            u, v = lens.model.bend(u, v, *lens.coefficients)
    return np.stack([lens.fx * u + lens.cx, lens.fy * v + lens.cy], -1)


def unproject(lens: Lens, pixels: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    """Points (x/z, y/z) that project to `pixels`; NaN where there is none."""
    x, y = np.asarray(pixels, np.float64).T
    u, v = (x - lens.cx) / lens.fx, (y - lens.cy) / lens.fy
    model = lens.model
    with np.errstate(all="ignore"):
        if model.unbend is not None:
            u, v = model.unbend(u, v, *lens.coefficients)
        elif model.bend is not None:
            u, v = _unbend_iteratively(model.bend, u, v, lens.coefficients)
        if model.fisheye:
            theta = np.hypot(u, v)
            scale = np.where(theta > 0, np.tan(theta) / theta, 1.0)
            # A ray at 90 degrees or more from the axis meets no pinhole's image plane.
            scale = np.where(theta < np.pi / 2, scale, np.nan)
            u, v = u * scale, v * scale
    return np.stack([u, v], -1)


def undistorted_camera(
    lens: Lens, cam_from_world: Float64[np.ndarray, "4 4"] | None = None
) -> Camera:
    """The pinhole of COLMAP's default undistortion: no blank pixels, size scaled 0.2 to 2 times.

    Focal lengths stay; the size is what the bent border of the photo still fills, and the centre
    follows it (`UndistortCamera` of COLMAP with its default options).
    """
    pose = np.eye(4) if cam_from_world is None else cam_from_world
    width, height = lens.width, lens.height
    K = lens.K
    if lens.model.bend is not None or lens.model.fisheye:
        new_width, new_height = _filled_size(lens)
        K[0, 2] *= new_width / width
        K[1, 2] *= new_height / height
        width, height = new_width, new_height
    return Camera(K, pose, width, height)


@lru_cache(maxsize=1024)
def _filled_size(lens: Lens) -> tuple[int, int]:
    """Width and height that the photo still fills without its bending; hundreds of photos share a
    lens."""
    width, height = lens.width, lens.height
    left, right, top, bottom = _borders(lens)
    if not all(border.size for border in (left, right, top, bottom)):
        raise UserError(
            f"the border of a {lens.model.name} photo of {width}x{height} pixels is seen at 90 "
            "degrees or more, found no pinhole that shows it; crop the photos before COLMAP"
        )
    scale_x = _scale(lens.cx, width, left.max(), right.min())
    scale_y = _scale(lens.cy, height, top.max(), bottom.min())
    return int(max(1.0, scale_x * width)), int(max(1.0, scale_y * height))


def _borders(lens: Lens) -> tuple[Points, Points, Points, Points]:
    """Where the left and right border go along x, the upper and lower along y, in the pinhole of
    the same focal lengths; without the pixels that go nowhere."""
    rows, columns = np.arange(lens.height) + 0.5, np.arange(lens.width) + 0.5
    sides = (
        (np.full(lens.height, 0.5), rows),
        (np.full(lens.height, lens.width - 0.5), rows),
        (columns, np.full(lens.width, 0.5)),
        (columns, np.full(lens.width, lens.height - 0.5)),
    )
    uv = unproject(lens, np.concatenate([np.stack(side, -1) for side in sides]))
    ends = np.cumsum([len(x) for x, _ in sides])[:-1]
    left, right, top, bottom = (side[np.isfinite(side).all(axis=1)] for side in np.split(uv, ends))
    return (
        lens.fx * left[:, 0] + lens.cx,
        lens.fx * right[:, 0] + lens.cx,
        lens.fy * top[:, 1] + lens.cy,
        lens.fy * bottom[:, 1] + lens.cy,
    )


def _scale(centre: float, size: int, low: float, high: float) -> float:
    """Factor of one side such that the photo, bent to low..high, covers it entirely."""
    with np.errstate(divide="ignore"):
        low_ratio = np.divide(centre, centre - low)
        high_ratio = np.divide(size - 0.5 - centre, high - centre)
        return float(np.clip(1.0 / max(low_ratio, high_ratio), 0.2, 2.0))


def _unbend_iteratively(
    bend: Bend, u0: Points, v0: Points, coefficients: tuple[float, ...]
) -> tuple[Points, Points]:
    """Newton's method in a trust region, with COLMAP's radius and stop; NaN where it fails.

    The Jacobian comes from complex steps, exact to rounding for the rational functions used here.
    """
    u, v = u0.copy(), v0.copy()
    moving = np.arange(u.size)
    step = 1e-20
    for _ in range(100):
        a, b = u[moving], v[moving]
        fu, fv = bend(a, b, *coefficients)
        j00, j10 = np.imag(bend(a + 1j * step, b + 0j, *coefficients)) / step
        j01, j11 = np.imag(bend(a + 0j, b + 1j * step, *coefficients)) / step
        eu, ev = fu - u0[moving], fv - v0[moving]
        determinant = j00 * j11 - j01 * j10
        su, sv = (j11 * eu - j01 * ev) / determinant, (j00 * ev - j10 * eu) / determinant
        length = np.hypot(su, sv)
        radius = np.maximum(0.1 * np.hypot(a, b), 0.1)
        shrink = np.where(length > radius, radius / length, 1.0)
        u[moving], v[moving] = a - su * shrink, b - sv * shrink
        moving = moving[~((length * shrink) ** 2 < 1e-10)]
        if not moving.size:
            break
    u[moving] = v[moving] = np.nan
    return u, v
