"""Every COLMAP camera model: how it bends normalised image points (u, v).

Models differ in the bending alone, so each one here is a function of (u, v) and its coefficients.
Names, order of parameters and formulas are COLMAP's (https://colmap.github.io/cameras.html).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Inexact

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
