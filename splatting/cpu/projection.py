"""Projection of splats into screen records (EWA).

Sigma2 = psi J W R S S R^T W^T J^T + 0.3 I, in the form Sigma2 = psi V V^T + 0.3 I with the 2x3
matrix V = J W R S, whose backward needs no 3x3 products beyond those of the forward. The extent of
a splat follows its kernel and its opacity: the ellipse q = Q_CUT on which alpha falls to 1/255.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from simd.lane_functions import exponential, logarithm
from simd.lane_memory import load_part, prefetch, prefetch_run, scratch, scratch64, store_part
from simd.lanes import COUNT, where
from simd.threads import guarded
from splatting.cpu import harmonic_rows as hr
from splatting.cpu import screen as s
from splatting.cpu import screen_planes as sp
from splatting.cpu import spherical_harmonics as sh
from splatting.cpu.screen_planes import CHUNK, LOW_PASS_PX2
from splatting.cpu.tiles import tile_range
from splatting.splats import SH_C0

f32 = np.float32

NEAR = 0.01
"""Splats nearer than this depth are not drawn (scene units; gsplat's default)."""
LOG_255 = math.log(255.0)
_INFINITY, _NAN = f32(np.inf), f32(np.nan)

Z, U, W, XX, YY, A, B, C, SHARE, DX, DY, DZ = (sp.INPUTS + CHUNK * k for k in range(12))
"""Depth, place on the screen, diagonal of Sigma2, conic, what anti-aliasing leaves of the opacity,
direction from the camera."""
OPACITY, LOG_OPACITY, Q_CUT, HALF_U, HALF_W, WHOLE_U, WHOLE_W = (
    sp.INPUTS + CHUNK * k for k in range(12, 19)
)
"""Opacity with that share and ln(255 opacity), half extents of the ellipse, whole pixels."""
FIRST_COLUMN, END_COLUMN, FIRST_ROW, END_ROW, DRAWN = (sp.INPUTS + CHUNK * k for k in range(19, 24))
"""Ranges of tiles, and 1 where a splat is drawn."""
PLANES = sp.INPUTS + 24 * CHUNK


@njit(error_model="numpy", nogil=True, cache=True)
def cut_off(log_opacity, table):
    """q at which opacity * f(q) = 1/255, interpolated in ln(255 opacity) = `log_opacity`; below
    and beyond the table, and for what is no number, something that nobody draws by."""
    place = log_opacity / LOG_255 * (len(table) - 1)
    # not a number fails both comparisons; as an index it would lead anywhere
    k = int(min(place, len(table) - 2.0)) if place > 0.0 else 0
    return table[k] + (place - k) * (table[k + 1] - table[k])


@njit(error_model="numpy", nogil=True, cache=True)
def _activate(log_scales, logit_opacities, first, end, scales, opacities, log_opacities):
    """Scales, opacities and ln(255 opacity) of the splats `first` to `end`; the last from place 0
    on. What is no number stays none, so that nothing is drawn of it."""
    stored, made = log_scales.reshape(-1), scales.reshape(-1)
    for k in range(3 * first, 3 * end, COUNT):
        count = 3 * end - k
        log_scale = load_part(stored, k, count)
        scale = where(log_scale <= _INFINITY, exponential(log_scale), _NAN)
        store_part(made, k, count, scale)
    for i in range(first, end, COUNT):
        logit = load_part(logit_opacities, i, end - i)
        opacity = f32(1) / (exponential(logit * f32(-1)) + f32(1))
        opacity = where(logit <= _INFINITY, opacity, _NAN)
        store_part(opacities, i, end - i, opacity)
        store_part(log_opacities, i - first, end - i, logarithm(opacity * f32(255)))


@njit(fastmath=sp.SIMD, error_model="numpy", nogil=True, cache=True)
def _to_screen(v, cam, psi, antialiased, count):
    """Fill the planes from those of the inputs."""
    for k in range(count):
        x, y, z = sp.to_camera(cam, v[sp.MX + k], v[sp.MY + k], v[sp.MZ + k])
        j00, j01, j02, j10, j11, j12 = sp.jacobian(cam, x, y, z)
        r00, r01, r02, r10, r11, r12, r20, r21, r22 = sp.rotation(
            v[sp.QW + k], v[sp.QX + k], v[sp.QY + k], v[sp.QZ + k]
        )
        v00 = (j00 * r00 + j01 * r10 + j02 * r20) * v[sp.SX + k]
        v01 = (j00 * r01 + j01 * r11 + j02 * r21) * v[sp.SY + k]
        v02 = (j00 * r02 + j01 * r12 + j02 * r22) * v[sp.SZ + k]
        v10 = (j10 * r00 + j11 * r10 + j12 * r20) * v[sp.SX + k]
        v11 = (j10 * r01 + j11 * r11 + j12 * r21) * v[sp.SY + k]
        v12 = (j10 * r02 + j11 * r12 + j12 * r22) * v[sp.SZ + k]
        xx = psi * (v00 * v00 + v01 * v01 + v02 * v02)
        yy = psi * (v10 * v10 + v11 * v11 + v12 * v12)
        xy = psi * (v00 * v10 + v01 * v11 + v02 * v12)
        bare = xx * yy - xy * xy
        xx += LOW_PASS_PX2
        yy += LOW_PASS_PX2
        determinant = xx * yy - xy * xy
        share = math.sqrt(max(bare, 0.0) / determinant)
        v[SHARE + k] = share if antialiased else 1.0
        v[Z + k] = z
        v[U + k] = cam[12] * x / z + cam[14]
        v[W + k] = cam[13] * y / z + cam[15]
        v[XX + k], v[YY + k] = xx, yy
        v[A + k], v[B + k], v[C + k] = yy / determinant, -xy / determinant, xx / determinant
        dx, dy, dz, _ = sp.direction(cam, v[sp.MX + k], v[sp.MY + k], v[sp.MZ + k])
        v[DX + k], v[DY + k], v[DZ + k] = dx, dy, dz


@njit(error_model="numpy", nogil=True, cache=True)
def _cut_offs(v, opacities, log_opacities, antialiased, table, count):
    """Opacities and q at which they fall to 1/255."""
    for k in range(count):
        v[OPACITY + k] = opacities[k] * v[SHARE + k]
        v[LOG_OPACITY + k] = log_opacities[k]
    if antialiased:
        for k in range(count):
            v[LOG_OPACITY + k] += math.log(v[SHARE + k])
    for k in range(count):
        v[Q_CUT + k] = cut_off(v[LOG_OPACITY + k], table)


@njit(fastmath=sp.SIMD, error_model="numpy", nogil=True, cache=True)
def _extents(v, width, height, count):
    """Half extents, ranges of tiles, and who is drawn."""
    columns, rows = np.ceil(width / s.TILE), np.ceil(height / s.TILE)
    for k in range(count):
        q_cut, u, w = v[Q_CUT + k], v[U + k], v[W + k]
        half_u, half_w = math.sqrt(q_cut * v[XX + k]), math.sqrt(q_cut * v[YY + k])
        v[HALF_U + k], v[HALF_W + k] = half_u, half_w
        v[WHOLE_U + k], v[WHOLE_W + k] = np.floor(u), np.floor(w)
        v[FIRST_COLUMN + k], v[END_COLUMN + k] = tile_range(u, half_u, columns)
        v[FIRST_ROW + k], v[END_ROW + k] = tile_range(w, half_w, rows)
        # written so that NaN and infinity fall through to the culled side
        drawn = (v[Z + k] > NEAR) & (v[OPACITY + k] >= 1.0 / 255.0)
        drawn &= (v[A + k] > 0.0) & (v[C + k] > 0.0)
        drawn &= (u + half_u > 0.0) & (u - half_u < width)
        drawn &= (w + half_w > 0.0) & (w - half_w < height)
        drawn &= (half_u < 1e6) & (half_w < 1e6)
        v[DRAWN + k] = 1.0 if drawn else 0.0


@njit(error_model="numpy", nogil=True, cache=True)
def _colour(record, higher, colours, k, sh0, i):
    """Red, green and blue of splat `i`, to which its harmonics add those at place `k`."""
    for c in range(3):
        value = f32(0.5) + f32(SH_C0) * sh0[i, c]
        if higher > 0:
            value += colours[k * COUNT + c]
        record[s.RED + c] = max(value, f32(0))


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
    """Fill `scales (n, 3)` and `opacities (n,)`; also `records (n, 16)`, `boxes (n, 8)` (tile
    columns and rows, then room) and `depths (n,)` where `visible (n,)` comes out true.

    `antialiased` keeps a splat's paint when the low-pass widens it (Mip-Splatting): its opacity is
    multiplied by the root of the ratio of the areas.
    """
    n, higher = len(means), (degree + 1) ** 2 - 1
    harmonics, row = shN.reshape(shN.size), 3 * shN.shape[1]
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        v, h, log_opacities = scratch64(PLANES), scratch(sh.SIZE), scratch(CHUNK)
        basis, colours = scratch(hr.ROWS), scratch(hr.ROWS)
        first, end = chunk * CHUNK, min(n, (chunk + 1) * CHUNK)
        _activate(log_scales, logit_opacities, first, end, scales, opacities, log_opacities)
        for i in range(first, end):
            sp.fill(v, i - first, means, quats, scales, i)
        _to_screen(v, cam, psi, antialiased, end - first)
        for k in range(end - first):
            h[sh.X + k], h[sh.Y + k], h[sh.Z + k] = v[DX + k], v[DY + k], v[DZ + k]
        sh.basis(degree, h, end - first)
        if higher > 0:
            hr.turn_basis(h, higher, end - first, basis)
        _cut_offs(v, opacities[first:end], log_opacities, antialiased, table, end - first)
        _extents(v, cam[16], cam[17], end - first)
        for i in range(first, end):
            k = i - first
            drawn = v[DRAWN + k] > 0
            if i + s.AHEAD < end and v[DRAWN + k + s.AHEAD] > 0:
                prefetch_run(harmonics, (i + s.AHEAD) * row, 3 * higher)
                prefetch(records, (i + s.AHEAD) * s.WIDTH)
            visible[i] = drawn
            if not drawn:
                continue
            box = boxes[i]
            box[0], box[1] = np.int16(v[FIRST_COLUMN + k]), np.int16(v[END_COLUMN + k])
            box[2], box[3] = np.int16(v[FIRST_ROW + k]), np.int16(v[END_ROW + k])
            depths[i] = v[Z + k]
            record = records[i]
            record[s.X_WHOLE], record[s.Y_WHOLE] = v[WHOLE_U + k], v[WHOLE_W + k]
            record[s.X_PART] = v[U + k] - v[WHOLE_U + k]
            record[s.Y_PART] = v[W + k] - v[WHOLE_W + k]
            record[s.CONIC_A], record[s.CONIC_B] = v[A + k], v[B + k]
            record[s.CONIC_C] = v[C + k]
            record[s.OPACITY] = v[OPACITY + k]
            record[s.DEPTH] = v[Z + k]
            record[s.Q_CUT] = v[Q_CUT + k]
            record[s.HALF_WIDTH], record[s.HALF_HEIGHT] = v[HALF_U + k], v[HALF_W + k]
            if higher > 0:
                hr.add_colour(harmonics, i * row, higher, basis, k, colours)
            _colour(record, higher, colours, k, sh0, i)
