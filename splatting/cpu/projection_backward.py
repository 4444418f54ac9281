"""The backward of projection: from gradients of screen records down to the stored parameters."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from simd.lane_memory import load, prefetch, prefetch_run, scratch, scratch64, store
from simd.lanes import spread
from simd.threads import guarded
from splatting.cpu import harmonic_rows as hr
from splatting.cpu import screen as s
from splatting.cpu import screen_planes as sp
from splatting.cpu import spherical_harmonics as sh
from splatting.cpu.compositing_backward import moments_to_gradients
from splatting.cpu.screen_planes import CHUNK, LOW_PASS_PX2
from splatting.splats import SH_C0

f32 = np.float32

A, B, C, OPACITY, BY_X, BY_Y, BY_A, BY_B, BY_C, BY_OPACITY, BY_DEPTH = (
    sp.INPUTS + CHUNK * k for k in range(11)
)
"""Conic and opacity before anti-aliasing of each splat, and the gradients of its record."""
G_MX, G_MY, G_MZ, G_SX, G_SY, G_SZ, G_QW, G_QX, G_QY, G_QZ, G_LOGIT = (
    sp.INPUTS + CHUNK * k for k in range(11, 22)
)
DX, DY, DZ, INVERSE = (sp.INPUTS + CHUNK * k for k in range(22, 26))
"""Direction from the camera, and one over the distance."""
PLANES = sp.INPUTS + 26 * CHUNK


@njit(inline="always")
def _axis(psi, d_xx, d_xy, d_yy, u0, u1, scale):
    """One of the splat's three axes, U = J W R e and V = scale U: dL/dU and dL/d(log scale)."""
    d_v0 = 2.0 * psi * scale * (d_xx * u0 + d_xy * u1)
    d_v1 = 2.0 * psi * scale * (d_xy * u0 + d_yy * u1)
    g_scale = (d_v0 * u0 + d_v1 * u1) * scale
    return d_v0 * scale, d_v1 * scale, g_scale


@njit(fastmath=sp.SIMD, error_model="numpy", nogil=True, cache=True)
def _to_parameters(v, cam, psi, antialiased, count):
    """Gradients of position, log scales, quaternion and logit of the opacity, as planes."""
    low_x, high_x = sp.ray_limits(cam, 0)
    low_y, high_y = sp.ray_limits(cam, 1)
    for k in range(count):
        x, y, z = sp.to_camera(cam, v[sp.MX + k], v[sp.MY + k], v[sp.MZ + k])
        j00, j01, j02, j10, j11, j12 = sp.jacobian(cam, x, y, z)
        qw, qx, qy, qz = v[sp.QW + k], v[sp.QX + k], v[sp.QY + k], v[sp.QZ + k]
        r00, r01, r02, r10, r11, r12, r20, r21, r22 = sp.rotation(qw, qx, qy, qz)
        u00, u01 = j00 * r00 + j01 * r10 + j02 * r20, j00 * r01 + j01 * r11 + j02 * r21
        u02, u10 = j00 * r02 + j01 * r12 + j02 * r22, j10 * r00 + j11 * r10 + j12 * r20
        u11, u12 = j10 * r01 + j11 * r11 + j12 * r21, j10 * r02 + j11 * r12 + j12 * r22
        sx, sy, sz = v[sp.SX + k], v[sp.SY + k], v[sp.SZ + k]

        # dL/dSigma2 = -conic G conic with G the symmetric gradient of the conic
        a, b, c = v[A + k], v[B + k], v[C + k]
        g_a, g_b, g_c = v[BY_A + k], 0.5 * v[BY_B + k], v[BY_C + k]
        p_aa, p_ab = a * g_a + b * g_b, a * g_b + b * g_c
        p_ba, p_bb = b * g_a + c * g_b, b * g_b + c * g_c
        d_xx = -(p_aa * a + p_ab * b)
        d_xy = -(p_aa * b + p_ab * c)
        d_yy = -(p_ba * b + p_bb * c)
        opacity, by_opacity = v[OPACITY + k], v[BY_OPACITY + k]
        g_logit = by_opacity * opacity * (1.0 - opacity)

        # the root of the ratio of areas, by which anti-aliasing multiplies the opacity
        xx = psi * (u00 * u00 * sx * sx + u01 * u01 * sy * sy + u02 * u02 * sz * sz)
        yy = psi * (u10 * u10 * sx * sx + u11 * u11 * sy * sy + u12 * u12 * sz * sz)
        xy = psi * (u00 * u10 * sx * sx + u01 * u11 * sy * sy + u02 * u12 * sz * sz)
        bare = max(xx * yy - xy * xy, 1e-30)
        wide_xx, wide_yy = xx + LOW_PASS_PX2, yy + LOW_PASS_PX2
        whole = wide_xx * wide_yy - xy * xy
        share = math.sqrt(bare / whole) if antialiased else 1.0
        d_share = 0.5 * by_opacity * opacity * share if antialiased else 0.0
        d_bare, d_whole = d_share / bare, -d_share / whole
        d_xx += d_bare * yy + d_whole * wide_yy
        d_yy += d_bare * xx + d_whole * wide_xx
        d_xy -= (d_bare + d_whole) * xy
        v[G_LOGIT + k] = g_logit * share

        d_u00, d_u10, g_sx = _axis(psi, d_xx, d_xy, d_yy, u00, u10, sx)
        d_u01, d_u11, g_sy = _axis(psi, d_xx, d_xy, d_yy, u01, u11, sy)
        d_u02, d_u12, g_sz = _axis(psi, d_xx, d_xy, d_yy, u02, u12, sz)
        v[G_SX + k], v[G_SY + k], v[G_SZ + k] = g_sx, g_sy, g_sz

        # U = (J W) R
        d_j00 = d_u00 * r00 + d_u01 * r01 + d_u02 * r02
        d_j01 = d_u00 * r10 + d_u01 * r11 + d_u02 * r12
        d_j02 = d_u00 * r20 + d_u01 * r21 + d_u02 * r22
        d_j10 = d_u10 * r00 + d_u11 * r01 + d_u12 * r02
        d_j11 = d_u10 * r10 + d_u11 * r11 + d_u12 * r12
        d_j12 = d_u10 * r20 + d_u11 * r21 + d_u12 * r22
        d_r00, d_r01, d_r02 = (
            j00 * d_u00 + j10 * d_u10,
            j00 * d_u01 + j10 * d_u11,
            j00 * d_u02 + j10 * d_u12,
        )
        d_r10, d_r11, d_r12 = (
            j01 * d_u00 + j11 * d_u10,
            j01 * d_u01 + j11 * d_u11,
            j01 * d_u02 + j11 * d_u12,
        )
        d_r20, d_r21, d_r22 = (
            j02 * d_u00 + j12 * d_u10,
            j02 * d_u01 + j12 * d_u11,
            j02 * d_u02 + j12 * d_u12,
        )

        # J W = f/z (W0 - tx W2), f/z (W1 - ty W2)
        fx, fy = cam[12] / z, cam[13] / z
        d_tx = -fx * (d_j00 * cam[6] + d_j01 * cam[7] + d_j02 * cam[8])
        d_ty = -fy * (d_j10 * cam[6] + d_j11 * cam[7] + d_j12 * cam[8])
        d_x, d_y = v[BY_X + k] * fx, v[BY_Y + k] * fy
        d_z = v[BY_DEPTH + k]
        d_z -= (v[BY_X + k] * fx * x + v[BY_Y + k] * fy * y) / z
        d_z -= (d_j00 * j00 + d_j01 * j01 + d_j02 * j02) / z
        d_z -= (d_j10 * j10 + d_j11 * j11 + d_j12 * j12) / z
        d_tx = d_tx if low_x <= x / z <= high_x else 0.0
        d_ty = d_ty if low_y <= y / z <= high_y else 0.0
        d_x += d_tx / z
        d_y += d_ty / z
        d_z -= (d_tx * x + d_ty * y) / (z * z)
        v[G_MX + k] = cam[0] * d_x + cam[3] * d_y + cam[6] * d_z
        v[G_MY + k] = cam[1] * d_x + cam[4] * d_y + cam[7] * d_z
        v[G_MZ + k] = cam[2] * d_x + cam[5] * d_y + cam[8] * d_z

        # R = 1 + s (...) with s = 2 / |q|^2: by its entries, then only the part across q counts
        inverse = 2.0 / (qw * qw + qx * qx + qy * qy + qz * qz)
        d_w = qx * (d_r21 - d_r12) + qy * (d_r02 - d_r20) + qz * (d_r10 - d_r01)
        d_i = qy * (d_r01 + d_r10) + qz * (d_r02 + d_r20) + qw * (d_r21 - d_r12)
        d_i -= 2.0 * qx * (d_r11 + d_r22)
        d_j = qx * (d_r01 + d_r10) + qz * (d_r12 + d_r21) + qw * (d_r02 - d_r20)
        d_j -= 2.0 * qy * (d_r00 + d_r22)
        d_k = qx * (d_r02 + d_r20) + qy * (d_r12 + d_r21) + qw * (d_r10 - d_r01)
        d_k -= 2.0 * qz * (d_r00 + d_r11)
        along = 0.5 * inverse * (qw * d_w + qx * d_i + qy * d_j + qz * d_k)
        v[G_QW + k] = inverse * (d_w - along * qw)
        v[G_QX + k] = inverse * (d_i - along * qx)
        v[G_QY + k] = inverse * (d_j - along * qy)
        v[G_QZ + k] = inverse * (d_k - along * qz)
        dx, dy, dz, distance = sp.direction(cam, v[sp.MX + k], v[sp.MY + k], v[sp.MZ + k])
        v[DX + k], v[DY + k], v[DZ + k], v[INVERSE + k] = dx, dy, dz, distance


@njit(fastmath=sp.SIMD, error_model="numpy", nogil=True, cache=True)
def _along_direction(v, h, count):
    """What the harmonics' slopes by the direction add to dL/d(position)."""
    for k in range(count):
        sx, sy, sz = h[sh.SLOPE_X + k], h[sh.SLOPE_Y + k], h[sh.SLOPE_Z + k]
        along = sx * v[DX + k] + sy * v[DY + k] + sz * v[DZ + k]
        v[G_MX + k] += (sx - along * v[DX + k]) * v[INVERSE + k]
        v[G_MY + k] += (sy - along * v[DY + k]) * v[INVERSE + k]
        v[G_MZ + k] += (sz - along * v[DZ + k]) * v[INVERSE + k]


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
    second_moments,
    rate,
    root,
):
    """Gradients of the stored parameters of the `visible` splats (row j belongs to splat
    visible[j]); `g_shN (v, 0, 3)` asks for none of the higher harmonics.

    Where there are `second_moments (n, 3)` of `sh0`, the higher harmonics take their step (see
    `harmonic_rows`): their gradients are not written out.

    Sums each splat's rows of `pair_gradients (p, 16)` in tile order, which is the same for any
    number of threads. `g_screen (v, 4)` receives dL/d(x, y) and the absolute sums, in pixels.
    """
    count = len(visible)
    rows = pair_gradients.reshape(pair_gradients.size)
    moved, higher = len(second_moments) > 0, (degree + 1) ** 2 - 1
    harmonics, row = shN.reshape(shN.size), 3 * shN.shape[1]
    slopes, asked = g_shN.reshape(g_shN.size), g_shN.shape[1]
    for chunk in prange((count + CHUNK - 1) // CHUNK):
        v, h = scratch64(PLANES), scratch(sh.SIZE)
        sums = scratch(CHUNK * s.GRAD_WIDTH)
        basis, worth = scratch(hr.ROWS), scratch(hr.ROWS)
        g = sums.reshape((CHUNK, s.GRAD_WIDTH))
        first, end = chunk * CHUNK, min(count, (chunk + 1) * CHUNK)
        for j in range(first, end):
            i, k = visible[j], j - first
            if j + s.AHEAD < count:
                prefetch(records, visible[j + s.AHEAD] * s.WIDTH)
                prefetch_run(rows, pair_start[j + s.AHEAD] * s.GRAD_WIDTH, 2 * s.GRAD_WIDTH)
            prefetch_run(harmonics, i * row, 3 * higher)  # below, from an array of any size
            g_record = spread(f32(0))
            for pair in range(pair_start[j], pair_start[j + 1]):
                g_record = g_record + load(rows, pair * s.GRAD_WIDTH)
            store(sums, k * s.GRAD_WIDTH, g_record)
            moments_to_gradients(g[k], records[i])
            sp.fill(v, k, means, quats, scales, i)
            v[A + k], v[B + k] = records[i, s.CONIC_A], records[i, s.CONIC_B]
            v[C + k], v[OPACITY + k] = records[i, s.CONIC_C], opacities[i]
            v[BY_X + k], v[BY_Y + k] = g[k, s.GRAD_X], g[k, s.GRAD_Y]
            v[BY_A + k], v[BY_B + k] = g[k, s.GRAD_A], g[k, s.GRAD_B]
            v[BY_C + k], v[BY_OPACITY + k] = g[k, s.GRAD_C], g[k, s.GRAD_OPACITY]
            v[BY_DEPTH + k] = g[k, s.GRAD_DEPTH]
        _to_parameters(v, cam, psi, antialiased, end - first)
        if degree > 0:
            for k in range(end - first):
                h[sh.X + k], h[sh.Y + k], h[sh.Z + k] = v[DX + k], v[DY + k], v[DZ + k]
            sh.basis(degree, h, end - first)
            hr.turn_basis(h, higher, end - first, basis)
        for j in range(first, end):
            i, k = visible[j], j - first
            record = records[i]
            # a colour that was cut at black has no slope
            d_colour = (
                f32(g[k, s.GRAD_RED]) if record[s.RED] > 0 else f32(0),
                f32(g[k, s.GRAD_GREEN]) if record[s.GREEN] > 0 else f32(0),
                f32(g[k, s.GRAD_BLUE]) if record[s.BLUE] > 0 else f32(0),
            )
            for m in range(3):
                g_sh0[j, m] = f32(SH_C0) * d_colour[m]
            if degree > 0:
                hr.add_worth(harmonics, i * row, higher, d_colour, k, worth)
            if degree > 0 and moved:
                paces = (
                    hr.pace_of(g_sh0[j, 0], second_moments[i, 0], rate, root),
                    hr.pace_of(g_sh0[j, 1], second_moments[i, 1], rate, root),
                    hr.pace_of(g_sh0[j, 2], second_moments[i, 2], rate, root),
                )
                hr.move(harmonics, i * row, higher, basis, k, paces)
            elif asked > 0:
                hr.write_gradients(asked, basis, k, d_colour, slopes, j * 3 * asked)
        if degree > 0:
            hr.turn_worth(worth, higher, end - first, h)
            sh.basis_slope(degree, h, end - first)
            _along_direction(v, h, end - first)
        for j in range(first, end):
            k = j - first
            g_means[j, 0], g_means[j, 1], g_means[j, 2] = v[G_MX + k], v[G_MY + k], v[G_MZ + k]
            g_log_scales[j, 0], g_log_scales[j, 1] = v[G_SX + k], v[G_SY + k]
            g_log_scales[j, 2] = v[G_SZ + k]
            g_quats[j, 0], g_quats[j, 1] = v[G_QW + k], v[G_QX + k]
            g_quats[j, 2], g_quats[j, 3] = v[G_QY + k], v[G_QZ + k]
            g_logit[j] = v[G_LOGIT + k]
            g_screen[j, 0], g_screen[j, 1] = g[k, s.GRAD_X], g[k, s.GRAD_Y]
            g_screen[j, 2], g_screen[j, 3] = g[k, s.GRAD_ABS_X], g[k, s.GRAD_ABS_Y]
