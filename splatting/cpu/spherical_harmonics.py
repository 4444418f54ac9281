"""Colour from spherical harmonics of degree 0 to 3 (basis order and signs of 3DGS), and its
backward."""

from __future__ import annotations

import numpy as np
from numba import njit

f32 = np.float32


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def basis(degree, x, y, z, b):
    """Fill `b (15,)` with the harmonics of degrees 1 to `degree` of the unit direction (x, y,
    z)."""
    if degree < 1:
        return
    b[0] = f32(-0.4886025119029199) * y
    b[1] = f32(0.4886025119029199) * z
    b[2] = f32(-0.4886025119029199) * x
    if degree < 2:
        return
    xx, yy, zz = x * x, y * y, z * z
    b[3] = f32(1.0925484305920792) * x * y
    b[4] = f32(-1.0925484305920792) * y * z
    b[5] = f32(0.31539156525252005) * (f32(2) * zz - xx - yy)
    b[6] = f32(-1.0925484305920792) * x * z
    b[7] = f32(0.5462742152960396) * (xx - yy)
    if degree < 3:
        return
    b[8] = f32(-0.5900435899266435) * y * (f32(3) * xx - yy)
    b[9] = f32(2.890611442640554) * x * y * z
    b[10] = f32(-0.4570457994644658) * y * (f32(4) * zz - xx - yy)
    b[11] = f32(0.3731763325901154) * z * (f32(2) * zz - f32(3) * xx - f32(3) * yy)
    b[12] = f32(-0.4570457994644658) * x * (f32(4) * zz - xx - yy)
    b[13] = f32(1.445305721320277) * z * (xx - yy)
    b[14] = f32(-0.5900435899266435) * x * (xx - f32(3) * yy)


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def basis_slope(degree, x, y, z, w):
    """(dS/dx, dS/dy, dS/dz) of S = sum_k w_k b_k(x, y, z), for weights `w (15,)`."""
    gx = gy = gz = f32(0)
    if degree >= 1:
        gx += f32(-0.4886025119029199) * w[2]
        gy += f32(-0.4886025119029199) * w[0]
        gz += f32(0.4886025119029199) * w[1]
    if degree >= 2:
        c0, c1, c2 = (
            f32(1.0925484305920792),
            f32(0.31539156525252005),
            f32(0.5462742152960396),
        )
        gx += c0 * y * w[3]
        gy += c0 * x * w[3]
        gy -= c0 * z * w[4]
        gz -= c0 * y * w[4]
        gx -= f32(2) * c1 * x * w[5]
        gy -= f32(2) * c1 * y * w[5]
        gz += f32(4) * c1 * z * w[5]
        gx -= c0 * z * w[6]
        gz -= c0 * x * w[6]
        gx += f32(2) * c2 * x * w[7]
        gy -= f32(2) * c2 * y * w[7]
    if degree >= 3:
        xx, yy, zz, xy, yz, xz = x * x, y * y, z * z, x * y, y * z, x * z
        c0, c1, c2 = (
            f32(-0.5900435899266435),
            f32(2.890611442640554),
            f32(-0.4570457994644658),
        )
        c3, c4 = f32(0.3731763325901154), f32(1.445305721320277)
        gx += c0 * f32(6) * xy * w[8]
        gy += c0 * f32(3) * (xx - yy) * w[8]
        gx += c1 * yz * w[9]
        gy += c1 * xz * w[9]
        gz += c1 * xy * w[9]
        gx -= c2 * f32(2) * xy * w[10]
        gy += c2 * (f32(4) * zz - xx - f32(3) * yy) * w[10]
        gz += c2 * f32(8) * yz * w[10]
        gx -= c3 * f32(6) * xz * w[11]
        gy -= c3 * f32(6) * yz * w[11]
        gz += c3 * (f32(6) * zz - f32(3) * xx - f32(3) * yy) * w[11]
        gx += c2 * (f32(4) * zz - f32(3) * xx - yy) * w[12]
        gy -= c2 * f32(2) * xy * w[12]
        gz += c2 * f32(8) * xz * w[12]
        gx += c4 * f32(2) * xz * w[13]
        gy -= c4 * f32(2) * yz * w[13]
        gz += c4 * (xx - yy) * w[13]
        gx += c0 * f32(3) * (xx - yy) * w[14]
        gy -= c0 * f32(6) * xy * w[14]
    return gx, gy, gz


def coefficients(degree: int) -> int:
    """Number of harmonics above the constant, (degree + 1)^2 - 1."""
    return (degree + 1) ** 2 - 1
