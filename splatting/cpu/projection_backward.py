"""The backward of projection: from gradients of screen records down to the stored parameters."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from splatting.cpu import screen as s
from splatting.cpu.compositing_backward import moments_to_gradients
from splatting.cpu.projection import (
    CHUNK,
    LOW_PASS_PX2,
    clamped_ray,
    rotation,
    screen_covariance,
)
from splatting.cpu.spherical_harmonics import basis, basis_slope
from splatting.cpu.threads import guarded
from splatting.splats import SH_C0

f32 = np.float32


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def project_backward(
    means,
    scales,
    quats,
    opacities,
    shN,
    degree,
    cam,
    psi,
    antialiased,
    records,
    visible,
    pair_start,
    pair_gradients,
    g_means,
    g_log_scales,
    g_quats,
    g_logit,
    g_sh0,
    g_shN,
    g_screen,
):
    """Gradients of the stored parameters of the `visible` splats (row j belongs to splat
    visible[j]).

    Sums each splat's rows of `pair_gradients (p, 12)` in tile order, which is the same for any
    number of threads. `g_screen (v, 4)` receives dL/d(x, y) and the absolute sums, in pixels.
    """
    count = len(visible)
    for chunk in prange((count + CHUNK - 1) // CHUNK):
        r = np.empty((3, 3))
        v = np.empty((4, 3))
        d_rotation = np.empty((3, 3))
        d_axes = np.empty((3, 3))
        harmonics = np.empty(15, np.float32)
        weights = np.empty(15, np.float32)
        g = np.empty(s.GRAD_WIDTH)
        for j in range(chunk * CHUNK, min(count, (chunk + 1) * CHUNK)):
            i = visible[j]
            g[:] = 0.0
            for pair in range(pair_start[j], pair_start[j + 1]):
                for k in range(s.GRAD_WIDTH):
                    g[k] += pair_gradients[pair, k]
            record = records[i]
            moments_to_gradients(g, record)
            g_screen[j, 0], g_screen[j, 1] = g[s.GRAD_X], g[s.GRAD_Y]
            g_screen[j, 2], g_screen[j, 3] = g[s.GRAD_ABS_X], g[s.GRAD_ABS_Y]

            mx, my, mz = means[i, 0], means[i, 1], means[i, 2]
            x = cam[0] * mx + cam[1] * my + cam[2] * mz + cam[9]
            y = cam[3] * mx + cam[4] * my + cam[5] * mz + cam[10]
            z = cam[6] * mx + cam[7] * my + cam[8] * mz + cam[11]
            fx, fy = cam[12], cam[13]
            d_x = g[s.GRAD_X] * fx / z
            d_y = g[s.GRAD_Y] * fy / z
            d_z = g[s.GRAD_DEPTH]
            d_z -= (g[s.GRAD_X] * fx * x + g[s.GRAD_Y] * fy * y) / (z * z)

            # dL/dSigma2 = -conic G conic with G the symmetric gradient of the conic
            a, b, c = (
                np.float64(record[s.CONIC_A]),
                np.float64(record[s.CONIC_B]),
                np.float64(record[s.CONIC_C]),
            )
            g_a, g_b, g_c = g[s.GRAD_A], 0.5 * g[s.GRAD_B], g[s.GRAD_C]
            p_aa, p_ab = a * g_a + b * g_b, a * g_b + b * g_c
            p_ba, p_bb = b * g_a + c * g_b, b * g_b + c * g_c
            d_xx = -(p_aa * a + p_ab * b)
            d_xy = -(p_aa * b + p_ab * c)
            d_yy = -(p_ba * b + p_bb * c)

            length = rotation(quats, i, r)
            screen_covariance((x, y, z), cam, r, scales[i], v)
            opacity = np.float64(opacities[i])
            g_logit[j] = g[s.GRAD_OPACITY] * opacity * (1.0 - opacity)
            if antialiased:
                xx = psi * (v[0, 0] ** 2 + v[0, 1] ** 2 + v[0, 2] ** 2)
                yy = psi * (v[1, 0] ** 2 + v[1, 1] ** 2 + v[1, 2] ** 2)
                xy = psi * (v[0, 0] * v[1, 0] + v[0, 1] * v[1, 1] + v[0, 2] * v[1, 2])
                bare = xx * yy - xy * xy
                wide_xx, wide_yy = xx + LOW_PASS_PX2, yy + LOW_PASS_PX2
                whole = wide_xx * wide_yy - xy * xy
                share = math.sqrt(bare / whole)
                g_logit[j] *= share
                d_bare = 0.5 * g[s.GRAD_OPACITY] * opacity * share / bare
                d_whole = -0.5 * g[s.GRAD_OPACITY] * opacity * share / whole
                d_xx += d_bare * yy + d_whole * wide_yy
                d_yy += d_bare * xx + d_whole * wide_xx
                d_xy -= (d_bare + d_whole) * xy
            tx, x_free = clamped_ray(x / z, fx, cam[14], cam[16])
            ty, y_free = clamped_ray(y / z, fy, cam[15], cam[17])
            d_tx = d_ty = 0.0
            for k in range(3):
                d_v0 = 2.0 * psi * (d_xx * v[0, k] + d_xy * v[1, k])
                d_v1 = 2.0 * psi * (d_xy * v[0, k] + d_yy * v[1, k])
                g_log_scales[j, k] = (d_v0 * v[2, k] + d_v1 * v[3, k]) * scales[i, k]
                d_u0, d_u1 = d_v0 * scales[i, k], d_v1 * scales[i, k]
                az = cam[6] * r[0, k] + cam[7] * r[1, k] + cam[8] * r[2, k]
                # U0 = fx/z (ax - tx az), U1 = fy/z (ay - ty az)
                d_axes[0, k] = d_u0 * fx / z
                d_axes[1, k] = d_u1 * fy / z
                d_axes[2, k] = -d_axes[0, k] * tx - d_axes[1, k] * ty
                d_tx -= d_axes[0, k] * az
                d_ty -= d_axes[1, k] * az
                d_z -= (d_u0 * v[2, k] + d_u1 * v[3, k]) / z
            if x_free:
                d_x += d_tx / z
                d_z -= d_tx * x / (z * z)
            if y_free:
                d_y += d_ty / z
                d_z -= d_ty * y / (z * z)

            d_mx = cam[0] * d_x + cam[3] * d_y + cam[6] * d_z
            d_my = cam[1] * d_x + cam[4] * d_y + cam[7] * d_z
            d_mz = cam[2] * d_x + cam[5] * d_y + cam[8] * d_z
            for row in range(3):
                for k in range(3):
                    d_rotation[row, k] = (
                        cam[row] * d_axes[0, k]
                        + cam[3 + row] * d_axes[1, k]
                        + cam[6 + row] * d_axes[2, k]
                    )
            _rotation_backward(quats, i, length, d_rotation, g_quats, j)

            d_red = g[s.GRAD_RED] if record[s.RED] > 0 else 0.0
            d_green = g[s.GRAD_GREEN] if record[s.GREEN] > 0 else 0.0
            d_blue = g[s.GRAD_BLUE] if record[s.BLUE] > 0 else 0.0
            g_sh0[j, 0], g_sh0[j, 1], g_sh0[j, 2] = (
                SH_C0 * d_red,
                SH_C0 * d_green,
                SH_C0 * d_blue,
            )
            if degree > 0:
                dx, dy, dz = mx - cam[18], my - cam[19], mz - cam[20]
                inverse = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
                dx, dy, dz = dx * inverse, dy * inverse, dz * inverse
                basis(degree, f32(dx), f32(dy), f32(dz), harmonics)
                for k in range((degree + 1) ** 2 - 1):
                    g_shN[j, k, 0] = harmonics[k] * d_red
                    g_shN[j, k, 1] = harmonics[k] * d_green
                    g_shN[j, k, 2] = harmonics[k] * d_blue
                    weights[k] = (
                        shN[i, k, 0] * d_red + shN[i, k, 1] * d_green + shN[i, k, 2] * d_blue
                    )
                sx, sy, sz = basis_slope(degree, f32(dx), f32(dy), f32(dz), weights)
                along = sx * dx + sy * dy + sz * dz
                d_mx += (sx - along * dx) * inverse
                d_my += (sy - along * dy) * inverse
                d_mz += (sz - along * dz) * inverse
            g_means[j, 0], g_means[j, 1], g_means[j, 2] = d_mx, d_my, d_mz


@njit(error_model="numpy", nogil=True, cache=True)
def _rotation_backward(quats, i, length, d, g_quats, j):
    """Gradient of the raw quaternion `i` into row `j`, from `d (3, 3)` = dL/dR."""
    w, x, y, z = (
        quats[i, 0] / length,
        quats[i, 1] / length,
        quats[i, 2] / length,
        quats[i, 3] / length,
    )
    d_w = 2 * (x * (d[2, 1] - d[1, 2]) + y * (d[0, 2] - d[2, 0]) + z * (d[1, 0] - d[0, 1]))
    d_x = 2 * (y * (d[0, 1] + d[1, 0]) + z * (d[0, 2] + d[2, 0]) + w * (d[2, 1] - d[1, 2]))
    d_x -= 4 * x * (d[1, 1] + d[2, 2])
    d_y = 2 * (x * (d[0, 1] + d[1, 0]) + z * (d[1, 2] + d[2, 1]) + w * (d[0, 2] - d[2, 0]))
    d_y -= 4 * y * (d[0, 0] + d[2, 2])
    d_z = 2 * (x * (d[0, 2] + d[2, 0]) + y * (d[1, 2] + d[2, 1]) + w * (d[1, 0] - d[0, 1]))
    d_z -= 4 * z * (d[0, 0] + d[1, 1])
    # only the part across the quaternion counts: its length is normalised away
    along = w * d_w + x * d_x + y * d_y + z * d_z
    g_quats[j, 0] = (d_w - along * w) / length
    g_quats[j, 1] = (d_x - along * x) / length
    g_quats[j, 2] = (d_y - along * y) / length
    g_quats[j, 3] = (d_z - along * z) / length
