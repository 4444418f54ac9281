"""Colour from spherical harmonics of degree 0 to 3 (basis order and signs of 3DGS), and its
backward, for a chunk of splats as planes of float32 in one buffer (see `screen_planes`)."""

from __future__ import annotations

import numpy as np
from numba import njit

from splatting.cpu.screen_planes import CHUNK, SIMD

f32 = np.float32

X, Y, Z = 0, CHUNK, 2 * CHUNK
"""Unit direction from the camera."""
BASIS = 3 * CHUNK
"""Fifteen planes: the harmonics of degrees 1 to 3."""
WEIGHT = 18 * CHUNK
"""Fifteen planes: what each harmonic is worth to the loss."""
SLOPE_X, SLOPE_Y, SLOPE_Z = 33 * CHUNK, 34 * CHUNK, 35 * CHUNK
SIZE = 36 * CHUNK


@njit(fastmath=SIMD, error_model="numpy", nogil=True, cache=True)
def basis(degree, h, count):
    """Fill the BASIS planes of `h` of degrees 1 to `degree` at its directions."""
    b = BASIS
    if degree >= 1:
        for k in range(count):
            x, y, z = h[X + k], h[Y + k], h[Z + k]
            h[b + k] = f32(-0.4886025119029199) * y
            h[b + CHUNK + k] = f32(0.4886025119029199) * z
            h[b + 2 * CHUNK + k] = f32(-0.4886025119029199) * x
    if degree >= 2:
        for k in range(count):
            x, y, z = h[X + k], h[Y + k], h[Z + k]
            xx, yy, zz = x * x, y * y, z * z
            h[b + 3 * CHUNK + k] = f32(1.0925484305920792) * x * y
            h[b + 4 * CHUNK + k] = f32(-1.0925484305920792) * y * z
            h[b + 5 * CHUNK + k] = f32(0.31539156525252005) * (f32(2) * zz - xx - yy)
            h[b + 6 * CHUNK + k] = f32(-1.0925484305920792) * x * z
            h[b + 7 * CHUNK + k] = f32(0.5462742152960396) * (xx - yy)
    if degree >= 3:
        for k in range(count):
            x, y, z = h[X + k], h[Y + k], h[Z + k]
            xx, yy, zz = x * x, y * y, z * z
            h[b + 8 * CHUNK + k] = f32(-0.5900435899266435) * y * (f32(3) * xx - yy)
            h[b + 9 * CHUNK + k] = f32(2.890611442640554) * x * y * z
            h[b + 10 * CHUNK + k] = f32(-0.4570457994644658) * y * (f32(4) * zz - xx - yy)
            h[b + 11 * CHUNK + k] = (
                f32(0.3731763325901154) * z * (f32(2) * zz - f32(3) * xx - f32(3) * yy)
            )
            h[b + 12 * CHUNK + k] = f32(-0.4570457994644658) * x * (f32(4) * zz - xx - yy)
            h[b + 13 * CHUNK + k] = f32(1.445305721320277) * z * (xx - yy)
            h[b + 14 * CHUNK + k] = f32(-0.5900435899266435) * x * (xx - f32(3) * yy)


@njit(fastmath=SIMD, error_model="numpy", nogil=True, cache=True)
def basis_slope(degree, h, count):
    """Fill the SLOPE planes of `h`: (dS/dx, dS/dy, dS/dz) of S = sum_k w_k b_k(x, y, z)."""
    w = WEIGHT
    for k in range(count):
        h[SLOPE_X + k] = f32(-0.4886025119029199) * h[w + 2 * CHUNK + k]
        h[SLOPE_Y + k] = f32(-0.4886025119029199) * h[w + k]
        h[SLOPE_Z + k] = f32(0.4886025119029199) * h[w + CHUNK + k]
    if degree >= 2:
        for k in range(count):
            x, y, z = h[X + k], h[Y + k], h[Z + k]
            gx, gy, gz = f32(0), f32(0), f32(0)
            c0, c1, c2 = (
                f32(1.0925484305920792),
                f32(0.31539156525252005),
                f32(0.5462742152960396),
            )
            gx += c0 * y * h[w + 3 * CHUNK + k]
            gy += c0 * x * h[w + 3 * CHUNK + k]
            gy -= c0 * z * h[w + 4 * CHUNK + k]
            gz -= c0 * y * h[w + 4 * CHUNK + k]
            gx -= f32(2) * c1 * x * h[w + 5 * CHUNK + k]
            gy -= f32(2) * c1 * y * h[w + 5 * CHUNK + k]
            gz += f32(4) * c1 * z * h[w + 5 * CHUNK + k]
            gx -= c0 * z * h[w + 6 * CHUNK + k]
            gz -= c0 * x * h[w + 6 * CHUNK + k]
            gx += f32(2) * c2 * x * h[w + 7 * CHUNK + k]
            gy -= f32(2) * c2 * y * h[w + 7 * CHUNK + k]
            h[SLOPE_X + k] += gx
            h[SLOPE_Y + k] += gy
            h[SLOPE_Z + k] += gz
    if degree >= 3:
        for k in range(count):
            x, y, z = h[X + k], h[Y + k], h[Z + k]
            gx, gy, gz = f32(0), f32(0), f32(0)
            xx, yy, zz, xy, yz, xz = x * x, y * y, z * z, x * y, y * z, x * z
            c0, c1, c2 = (
                f32(-0.5900435899266435),
                f32(2.890611442640554),
                f32(-0.4570457994644658),
            )
            c3, c4 = f32(0.3731763325901154), f32(1.445305721320277)
            gx += c0 * f32(6) * xy * h[w + 8 * CHUNK + k]
            gy += c0 * f32(3) * (xx - yy) * h[w + 8 * CHUNK + k]
            gx += c1 * yz * h[w + 9 * CHUNK + k]
            gy += c1 * xz * h[w + 9 * CHUNK + k]
            gz += c1 * xy * h[w + 9 * CHUNK + k]
            gx -= c2 * f32(2) * xy * h[w + 10 * CHUNK + k]
            gy += c2 * (f32(4) * zz - xx - f32(3) * yy) * h[w + 10 * CHUNK + k]
            gz += c2 * f32(8) * yz * h[w + 10 * CHUNK + k]
            gx -= c3 * f32(6) * xz * h[w + 11 * CHUNK + k]
            gy -= c3 * f32(6) * yz * h[w + 11 * CHUNK + k]
            gz += c3 * (f32(6) * zz - f32(3) * xx - f32(3) * yy) * h[w + 11 * CHUNK + k]
            gx += c2 * (f32(4) * zz - f32(3) * xx - yy) * h[w + 12 * CHUNK + k]
            gy -= c2 * f32(2) * xy * h[w + 12 * CHUNK + k]
            gz += c2 * f32(8) * xz * h[w + 12 * CHUNK + k]
            gx += c4 * f32(2) * xz * h[w + 13 * CHUNK + k]
            gy -= c4 * f32(2) * yz * h[w + 13 * CHUNK + k]
            gz += c4 * (xx - yy) * h[w + 13 * CHUNK + k]
            gx += c0 * f32(3) * (xx - yy) * h[w + 14 * CHUNK + k]
            gy -= c0 * f32(6) * xy * h[w + 14 * CHUNK + k]
            h[SLOPE_X + k] += gx
            h[SLOPE_Y + k] += gy
            h[SLOPE_Z + k] += gz


def coefficients(degree: int) -> int:
    """Number of harmonics above the constant, (degree + 1)^2 - 1."""
    return (degree + 1) ** 2 - 1
