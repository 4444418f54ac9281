"""A chunk of splats as planes of float64: what projection and its backward share.

One splat's projection is a long chain of dependent operations that a machine cannot hurry. With 64
splats side by side, each number in a plane of its own within one buffer, the chain becomes a loop
without branches that LLVM turns into SIMD; the planes' fixed distances show it that they do not
overlap.
"""

from __future__ import annotations

import math

from numba import njit

CHUNK = 64
MX, MY, MZ, QW, QX, QY, QZ, SX, SY, SZ = (CHUNK * k for k in range(10))
"""Position, quaternion and scales."""
INPUTS = 10 * CHUNK


LOW_PASS_PX2 = 0.3
"""Added to the diagonal of the screen covariance, as in 3DGS: no splat is thinner than a pixel."""
JACOBIAN_MARGIN = 0.3
"""x/z and y/z are clamped this many half fields of view outside the image when linearising."""

SIMD = {"contract", "nsz", "arcp"}


@njit(error_model="numpy", nogil=True, cache=True)
def fill(v, k, means, quats, scales, i):
    """Splat `i` into place `k` of the planes `v`."""
    v[MX + k], v[MY + k], v[MZ + k] = means[i, 0], means[i, 1], means[i, 2]
    v[QW + k], v[QX + k], v[QY + k], v[QZ + k] = (
        quats[i, 0],
        quats[i, 1],
        quats[i, 2],
        quats[i, 3],
    )
    v[SX + k], v[SY + k], v[SZ + k] = scales[i, 0], scales[i, 1], scales[i, 2]


@njit(inline="always")
def to_camera(cam, x, y, z):
    """A world position in camera coordinates."""
    return (
        cam[0] * x + cam[1] * y + cam[2] * z + cam[9],
        cam[3] * x + cam[4] * y + cam[5] * z + cam[10],
        cam[6] * x + cam[7] * y + cam[8] * z + cam[11],
    )


@njit(inline="always")
def ray_limits(cam, axis):
    """Smallest and largest x/z (axis 0) or y/z (axis 1) at which the projection is linearised."""
    focal, centre, size = cam[12 + axis], cam[14 + axis], cam[16 + axis]
    margin = JACOBIAN_MARGIN * 0.5 * size / focal
    return -centre / focal - margin, (size - centre) / focal + margin


@njit(inline="always")
def jacobian(cam, x, y, z):
    """Rows of J W (2, 3): how far on the screen a small step in the world leads.

    J = (fx/z, 0, -fx tx/z; 0, fy/z, -fy ty/z) with the clamped tx, ty.
    """
    low_x, high_x = ray_limits(cam, 0)
    low_y, high_y = ray_limits(cam, 1)
    tx = min(max(x / z, low_x), high_x)
    ty = min(max(y / z, low_y), high_y)
    fx, fy = cam[12] / z, cam[13] / z
    return (
        fx * (cam[0] - tx * cam[6]),
        fx * (cam[1] - tx * cam[7]),
        fx * (cam[2] - tx * cam[8]),
        fy * (cam[3] - ty * cam[6]),
        fy * (cam[4] - ty * cam[7]),
        fy * (cam[5] - ty * cam[8]),
    )


@njit(inline="always")
def rotation(w, x, y, z):
    """Rotation matrix, by rows, of a wxyz quaternion of any length."""
    s = 2.0 / (w * w + x * x + y * y + z * z)
    return (
        1.0 - s * (y * y + z * z),
        s * (x * y - w * z),
        s * (x * z + w * y),
        s * (x * y + w * z),
        1.0 - s * (x * x + z * z),
        s * (y * z - w * x),
        s * (x * z - w * y),
        s * (y * z + w * x),
        1.0 - s * (x * x + y * y),
    )


@njit(inline="always")
def direction(cam, x, y, z):
    """Unit vector from the camera to a world position, and one over the distance."""
    dx, dy, dz = x - cam[18], y - cam[19], z - cam[20]
    inverse = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
    return dx * inverse, dy * inverse, dz * inverse, inverse
