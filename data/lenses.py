"""Every COLMAP camera model: projection, its inverse, and the pinhole that undistortion leads to.

A lens bends normalised image points (x/z, y/z) and then applies focal lengths and centre. Models
differ in the bending alone, so each one here is a function of (u, v) and its coefficients; fisheye
models bend the point theta (u, v) / r, with theta = atan(r), instead. Names, order of parameters
and formulas are COLMAP's (https://colmap.github.io/cameras.html); pycolmap is the oracle in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Inexact

from data.camera import Camera
from data.errors import UserError

Points = Inexact[np.ndarray, "n"]
"""Real coordinates, or complex ones while a derivative is taken."""
Bend = Callable[..., tuple[Points, Points]]


@dataclass(frozen=True)
class LensModel:
    """One COLMAP camera model: how many focal lengths and coefficients, and the bending."""

    colmap_id: int
    name: str
    focals: int
    coefficients: int
    bend: Bend | None = None
    unbend: Bend | None = None
    """Closed-form inverse of `bend`; without one the inverse is iterated."""
    fisheye: bool = False

    @property
    def parameters(self) -> int:
        """Number of parameters in a COLMAP file."""
        return self.focals + 2 + self.coefficients


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
        rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
        left = _border(lens, np.full(height, 0.5), rows)[0]
        right = _border(lens, np.full(height, width - 0.5), rows)[0]
        top = _border(lens, columns, np.full(width, 0.5))[1]
        bottom = _border(lens, columns, np.full(width, height - 0.5))[1]
        if not all(border.size for border in (left, right, top, bottom)):
            raise UserError(
                f"the border of a {lens.model.name} photo of {width}x{height} pixels is seen at 90 "
                "degrees or more, found no pinhole that shows it; crop the photos before COLMAP"
            )
        scale_x = _scale(lens.cx, width, left.max(), right.min())
        scale_y = _scale(lens.cy, height, top.max(), bottom.min())
        new_width, new_height = int(max(1.0, scale_x * width)), int(max(1.0, scale_y * height))
        K[0, 2] *= new_width / width
        K[1, 2] *= new_height / height
        width, height = new_width, new_height
    return Camera(K, pose, width, height)


def _border(lens: Lens, x: Points, y: Points) -> Float64[np.ndarray, "2 m"]:
    """Where the pixels (x, y) of the border go in the pinhole of the same focal lengths."""
    uv = unproject(lens, np.stack([x, y], -1))
    uv = uv[np.isfinite(uv).all(1)]
    return np.stack([lens.fx * uv[:, 0] + lens.cx, lens.fy * uv[:, 1] + lens.cy])


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


def _radial(u: Points, v: Points, *k: float) -> tuple[Points, Points]:
    r2 = u * u + v * v
    scale = 1.0 + r2 * np.polyval(k[::-1], r2)
    return u * scale, v * scale


def _opencv(u: Points, v: Points, k1, k2, p1, p2) -> tuple[Points, Points]:
    return _add_tangential(u, v, *_radial(u, v, k1, k2), p1, p2)


def _full_opencv(u: Points, v: Points, k1, k2, p1, p2, k3, k4, k5, k6) -> tuple[Points, Points]:
    r2 = u * u + v * v
    scale = np.polyval((k3, k2, k1, 1.0), r2) / np.polyval((k6, k5, k4, 1.0), r2)
    return _add_tangential(u, v, u * scale, v * scale, p1, p2)


def _thin_prism(u: Points, v: Points, k1, k2, p1, p2, k3, k4, sx, sy) -> tuple[Points, Points]:
    r2 = u * u + v * v
    bent_u, bent_v = _add_tangential(u, v, *_radial(u, v, k1, k2, k3, k4), p1, p2)
    return bent_u + sx * r2, bent_v + sy * r2


def _rad_tan_thin_prism(u: Points, v: Points, *c: float) -> tuple[Points, Points]:
    """Project Aria's Fisheye624: p0, p1 are OpenCV's p2, p1 and act after the radial part."""
    p0, p1, s0, s1, s2, s3 = c[6:]
    u, v = _radial(u, v, *c[:6])
    r2 = u * u + v * v
    bent_u, bent_v = _add_tangential(u, v, u, v, p1, p0)
    return bent_u + r2 * (s0 + s1 * r2), bent_v + r2 * (s2 + s3 * r2)


def _add_tangential(u: Points, v: Points, to_u, to_v, p1, p2) -> tuple[Points, Points]:
    r2 = u * u + v * v
    return (
        to_u + 2 * p1 * u * v + p2 * (r2 + 2 * u * u),
        to_v + 2 * p2 * u * v + p1 * (r2 + 2 * v * v),
    )


# COLMAP's FOV model switches to a series for a small angle or radius; 1e-4 is its threshold.
_FOV_SMALL = 1e-4


def _fov(u: Points, v: Points, omega: float) -> tuple[Points, Points]:
    r2 = u * u + v * v
    t = np.tan(omega / 2)
    if omega**2 < _FOV_SMALL:
        scale = omega**2 * r2 / 3 - omega**2 / 12 + 1
    else:
        r = np.sqrt(np.maximum(r2, _FOV_SMALL))
        near = -2 * t * (4 * r2 * t * t - 3) / (3 * omega)
        scale = np.where(r2 < _FOV_SMALL, near, np.arctan(2 * r * t) / (r * omega))
    return u * scale, v * scale


def _fov_inverse(u: Points, v: Points, omega: float) -> tuple[Points, Points]:
    r2 = u * u + v * v
    t = np.tan(omega / 2)
    if omega**2 < _FOV_SMALL:
        scale = omega**2 * r2 / 3 - omega**2 / 12 + 1
    else:
        r = np.sqrt(np.maximum(r2, _FOV_SMALL))
        near = omega * (omega**2 * r2 + 3) / (6 * t)
        scale = np.where(r2 < _FOV_SMALL, near, np.tan(r * omega) / (2 * r * t))
    return u * scale, v * scale


def _division(u: Points, v: Points, k: float) -> tuple[Points, Points]:
    scale = 2.0 / (1.0 + np.sqrt(1.0 - 4.0 * k * (u * u + v * v)))
    return u * scale, v * scale


def _division_inverse(u: Points, v: Points, k: float) -> tuple[Points, Points]:
    scale = 1.0 + k * (u * u + v * v)
    return u / scale, v / scale


def _eucm(u: Points, v: Points, alpha: float, beta: float) -> tuple[Points, Points]:
    scale = alpha * np.sqrt(beta * (u * u + v * v) + 1.0) + 1.0 - alpha
    scale = np.where(scale > 0, scale, np.nan)
    return u / scale, v / scale


def _eucm_inverse(u: Points, v: Points, alpha: float, beta: float) -> tuple[Points, Points]:
    r2 = u * u + v * v
    below = alpha * np.sqrt(1.0 - (2.0 * alpha - 1.0) * beta * r2) + 1.0 - alpha
    scale = (1.0 - alpha**2 * beta * r2) / below
    scale = np.where((below > 0) & (scale > 0), scale, np.nan)
    return u / scale, v / scale


MODELS: dict[str, LensModel] = {
    model.name: model
    for model in (
        LensModel(0, "SIMPLE_PINHOLE", 1, 0),
        LensModel(1, "PINHOLE", 2, 0),
        LensModel(2, "SIMPLE_RADIAL", 1, 1, _radial),
        LensModel(3, "RADIAL", 1, 2, _radial),
        LensModel(4, "OPENCV", 2, 4, _opencv),
        LensModel(5, "OPENCV_FISHEYE", 2, 4, _radial, fisheye=True),
        LensModel(6, "FULL_OPENCV", 2, 8, _full_opencv),
        LensModel(7, "FOV", 2, 1, _fov, _fov_inverse),
        LensModel(8, "SIMPLE_RADIAL_FISHEYE", 1, 1, _radial, fisheye=True),
        LensModel(9, "RADIAL_FISHEYE", 1, 2, _radial, fisheye=True),
        LensModel(10, "THIN_PRISM_FISHEYE", 2, 8, _thin_prism, fisheye=True),
        LensModel(11, "RAD_TAN_THIN_PRISM_FISHEYE", 2, 12, _rad_tan_thin_prism, fisheye=True),
        LensModel(12, "SIMPLE_DIVISION", 1, 1, _division, _division_inverse),
        LensModel(13, "DIVISION", 2, 1, _division, _division_inverse),
        LensModel(14, "SIMPLE_FISHEYE", 1, 0, fisheye=True),
        LensModel(15, "FISHEYE", 2, 0, fisheye=True),
        LensModel(16, "EUCM", 2, 2, _eucm, _eucm_inverse),
    )
}
"""COLMAP's models by name; EQUIRECTANGULAR (17) is not one of them, having no pinhole."""

EQUIRECTANGULAR_ID = 17

NAME_OF_ID = {model.colmap_id: model.name for model in MODELS.values()} | {
    EQUIRECTANGULAR_ID: "EQUIRECTANGULAR"
}
"""Model names by the number in cameras.bin."""
