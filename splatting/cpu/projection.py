"""Projection of splats into screen records (EWA).

Sigma2 = psi J W R S S R^T W^T J^T + 0.3 I, in the form Sigma2 = psi V V^T + 0.3 I with the 2x3
matrix V = J W R S, whose backward needs no 3x3 products beyond those of the forward. The extent of
a splat follows its kernel and its opacity: the ellipse q = Q_CUT on which alpha falls to 1/255.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from splatting.cpu import screen as s
from splatting.cpu.lane_functions import exponential, logarithm
from splatting.cpu.lane_memory import load_part, store_part
from splatting.cpu.lanes import COUNT
from splatting.cpu.spherical_harmonics import basis
from splatting.cpu.threads import guarded
from splatting.cpu.tiles import tile_range
from splatting.splats import SH_C0

f32 = np.float32

LOW_PASS_PX2 = 0.3
"""Added to the diagonal of the screen covariance, as in 3DGS: no splat is thinner than a pixel."""
NEAR = 0.01
"""Splats nearer than this depth are not drawn (scene units; gsplat's default)."""
JACOBIAN_MARGIN = 0.3
"""x/z and y/z are clamped this many half fields of view outside the image when linearising."""
LOG_255 = math.log(255.0)
CHUNK = 256
"""Splats that share one scratch buffer."""


@njit(error_model="numpy", nogil=True, cache=True)
def rotation(quats, i, r):
    """Rotation matrix of the normalised wxyz quaternion `i` into `r (3, 3)`; returns its length."""
    w, x, y, z = (
        np.float64(quats[i, 0]),
        np.float64(quats[i, 1]),
        np.float64(quats[i, 2]),
        np.float64(quats[i, 3]),
    )
    length = math.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w / length, x / length, y / length, z / length
    r[0, 0] = 1 - 2 * (y * y + z * z)
    r[0, 1] = 2 * (x * y - w * z)
    r[0, 2] = 2 * (x * z + w * y)
    r[1, 0] = 2 * (x * y + w * z)
    r[1, 1] = 1 - 2 * (x * x + z * z)
    r[1, 2] = 2 * (y * z - w * x)
    r[2, 0] = 2 * (x * z - w * y)
    r[2, 1] = 2 * (y * z + w * x)
    r[2, 2] = 1 - 2 * (x * x + y * y)
    return length


@njit(error_model="numpy", nogil=True, cache=True)
def clamped_ray(ratio, focal, centre, size):
    """x/z held within the image plus a margin, and whether it was inside."""
    margin = JACOBIAN_MARGIN * 0.5 * size / focal
    low, high = -centre / focal - margin, (size - centre) / focal + margin
    return min(max(ratio, low), high), low <= ratio <= high


@njit(error_model="numpy", nogil=True, cache=True)
def cut_off(log_opacity, table):
    """q at which opacity * f(q) = 1/255, interpolated in ln(255 opacity) = `log_opacity`."""
    place = log_opacity / LOG_255 * (len(table) - 1)
    k = min(max(int(place), 0), len(table) - 2)
    return table[k] + (place - k) * (table[k + 1] - table[k])


@njit(error_model="numpy", nogil=True, cache=True)
def screen_covariance(m, cam, r, scales, v):
    """V = J W R S into `v (2, 3)` with U = J W R in rows 2 to 3; `cam` as `pipeline.pack_camera`
    lays it out."""
    x, y, z = m
    fx, fy = cam[12], cam[13]
    tx, _ = clamped_ray(x / z, fx, cam[14], cam[16])
    ty, _ = clamped_ray(y / z, fy, cam[15], cam[17])
    for k in range(3):
        # column k of W R: the splat's axis k in camera coordinates
        ax = cam[0] * r[0, k] + cam[1] * r[1, k] + cam[2] * r[2, k]
        ay = cam[3] * r[0, k] + cam[4] * r[1, k] + cam[5] * r[2, k]
        az = cam[6] * r[0, k] + cam[7] * r[1, k] + cam[8] * r[2, k]
        v[2, k] = fx / z * (ax - tx * az)
        v[3, k] = fy / z * (ay - ty * az)
        v[0, k] = v[2, k] * scales[k]
        v[1, k] = v[3, k] * scales[k]


@njit(error_model="numpy", nogil=True, cache=True)
def _activate(log_scales, logit_opacities, first, end, scales, opacities, log_opacities):
    """Scales, opacities and ln(255 opacity) of the splats `first` to `end`; the last from place 0
    on."""
    stored, made = log_scales.reshape(-1), scales.reshape(-1)
    for k in range(3 * first, 3 * end, COUNT):
        count = 3 * end - k
        store_part(made, k, count, exponential(load_part(stored, k, count)))
    for i in range(first, end, COUNT):
        logit = load_part(logit_opacities, i, end - i)
        opacity = f32(1) / (exponential(logit * f32(-1)) + f32(1))
        store_part(opacities, i, end - i, opacity)
        store_part(log_opacities, i - first, end - i, logarithm(opacity * f32(255)))


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def project(
    means,
    log_scales,
    quats,
    logit_opacities,
    sh0,
    shN,
    degree,
    cam,
    table,
    psi,
    antialiased,
    scales,
    opacities,
    records,
    boxes,
    depths,
    visible,
):
    """Fill `scales (n, 3)` and `opacities (n,)`; also `records (n, 16)`, `boxes (n, 4)` (tile
    columns and rows) and `depths (n,)` where `visible (n,)` comes out true.

    `antialiased` keeps a splat's paint when the low-pass widens it (Mip-Splatting): its opacity is
    multiplied by the root of the ratio of the areas.
    """
    n = len(means)
    width, height = int(cam[16]), int(cam[17])
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        r = np.empty((3, 3))
        v = np.empty((4, 3))
        harmonics = np.empty(15, np.float32)
        log_opacities = np.empty(CHUNK, np.float32)
        first, end = chunk * CHUNK, min(n, (chunk + 1) * CHUNK)
        _activate(log_scales, logit_opacities, first, end, scales, opacities, log_opacities)
        for i in range(first, end):
            visible[i] = False
            mx, my, mz = means[i, 0], means[i, 1], means[i, 2]
            x = cam[0] * mx + cam[1] * my + cam[2] * mz + cam[9]
            y = cam[3] * mx + cam[4] * my + cam[5] * mz + cam[10]
            z = cam[6] * mx + cam[7] * my + cam[8] * mz + cam[11]
            opacity = np.float64(opacities[i])
            log_opacity = np.float64(log_opacities[i - first])
            if not (z > NEAR and opacity >= 1.0 / 255.0):
                continue
            rotation(quats, i, r)
            screen_covariance((x, y, z), cam, r, scales[i], v)
            xx = psi * (v[0, 0] ** 2 + v[0, 1] ** 2 + v[0, 2] ** 2)
            yy = psi * (v[1, 0] ** 2 + v[1, 1] ** 2 + v[1, 2] ** 2)
            xy = psi * (v[0, 0] * v[1, 0] + v[0, 1] * v[1, 1] + v[0, 2] * v[1, 2])
            bare = xx * yy - xy * xy
            xx += LOW_PASS_PX2
            yy += LOW_PASS_PX2
            determinant = xx * yy - xy * xy
            if antialiased:
                opacity *= math.sqrt(max(bare, 0.0) / determinant)
                if not opacity >= 1.0 / 255.0:
                    continue
                log_opacity = math.log(255.0 * opacity)
            q_cut = cut_off(log_opacity, table)
            half_width, half_height = math.sqrt(q_cut * xx), math.sqrt(q_cut * yy)
            u = cam[12] * x / z + cam[14]
            w = cam[13] * y / z + cam[15]
            # written so that NaN and infinity fall through to the culled side
            if not (
                determinant > 0
                and u + half_width > 0
                and u - half_width < width
                and w + half_height > 0
                and w - half_height < height
                and half_width < 1e6
                and half_height < 1e6
            ):
                continue
            a, b, c = yy / determinant, -xy / determinant, xx / determinant
            box = boxes[i]
            box[0], box[1] = tile_range(u, half_width, (width + s.TILE - 1) // s.TILE)
            box[2], box[3] = tile_range(w, half_height, (height + s.TILE - 1) // s.TILE)
            visible[i] = True
            depths[i] = z
            record = records[i]
            record[s.X_WHOLE], record[s.Y_WHOLE] = math.floor(u), math.floor(w)
            record[s.X_PART], record[s.Y_PART] = u - math.floor(u), w - math.floor(w)
            record[s.CONIC_A], record[s.CONIC_B], record[s.CONIC_C] = a, b, c
            record[s.OPACITY] = opacity
            record[s.DEPTH] = z
            record[s.Q_CUT] = q_cut
            record[s.HALF_WIDTH], record[s.HALF_HEIGHT] = half_width, half_height
            red = 0.5 + SH_C0 * sh0[i, 0]
            green = 0.5 + SH_C0 * sh0[i, 1]
            blue = 0.5 + SH_C0 * sh0[i, 2]
            if degree > 0:
                dx, dy, dz = mx - cam[18], my - cam[19], mz - cam[20]
                inverse = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
                basis(
                    degree,
                    f32(dx * inverse),
                    f32(dy * inverse),
                    f32(dz * inverse),
                    harmonics,
                )
                for k in range((degree + 1) ** 2 - 1):
                    red += harmonics[k] * shN[i, k, 0]
                    green += harmonics[k] * shN[i, k, 1]
                    blue += harmonics[k] * shN[i, k, 2]
            record[s.RED] = max(red, 0.0)
            record[s.GREEN] = max(green, 0.0)
            record[s.BLUE] = max(blue, 0.0)
