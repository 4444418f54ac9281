"""Solid ellipsoids by exact intersection with the ray of each pixel: nothing is linearised.

With U = S^-1 R^T in camera axes, so that the ellipsoid is |U (p - m)| <= 1, a ray z d with d = (x,
y, 1) enters it at z = (b - sqrt(e)) / a, where a = |U d|^2, b = U d . U m and e = a - |U d x U
m|^2: three quadratic or linear forms of the pixel, found once a band of rows.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from simd.threads import guarded
from splatting.cpu import screen_planes as sp
from splatting.cpu.projection import NEAR

ROWS = 16
"""Rows of a band: each thread asks every ellipsoid whether it reaches its band."""
NOTHING = -1
NEAREST = 12
"""Of a record: U by rows (0 to 8), U m (9 to 11), the nearest z."""


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def place(means, quats, radii, cam, records, boxes):
    """Fill `records (n, 13)` and `boxes (n, 4)`: first and one-past-last column and row.

    `radii (n, 3)` are half axes in scene units. A box is empty where an ellipsoid is outside the
    picture, around the camera, or not entirely ahead of it.
    """
    width, height = int(cam[16]), int(cam[17])
    fx, fy, cx, cy = cam[12], cam[13], cam[14], cam[15]
    for i in prange(len(means)):
        boxes[i, :] = 0
        x, y, z = sp.to_camera(cam, means[i, 0], means[i, 1], means[i, 2])
        r = sp.rotation(quats[i, 0], quats[i, 1], quats[i, 2], quats[i, 3])
        xx = yy = zz = xz = yz = 0.0
        for k in range(3):
            # axis k of the ellipsoid in camera coordinates
            ax = cam[0] * r[k] + cam[1] * r[3 + k] + cam[2] * r[6 + k]
            ay = cam[3] * r[k] + cam[4] * r[3 + k] + cam[5] * r[6 + k]
            az = cam[6] * r[k] + cam[7] * r[3 + k] + cam[8] * r[6 + k]
            radius = np.float64(radii[i, k])
            square = radius * radius
            xx += square * ax * ax
            yy += square * ay * ay
            zz += square * az * az
            xz += square * ax * az
            yz += square * ay * az
            records[i, 3 * k] = ax / radius
            records[i, 3 * k + 1] = ay / radius
            records[i, 3 * k + 2] = az / radius
            records[i, 9 + k] = (ax * x + ay * y + az * z) / radius
        nearest = z - math.sqrt(zz)
        records[i, NEAREST] = nearest
        # written so that NaN falls through to the culled side
        if not nearest > NEAR:
            continue
        # the outline's extremes are those of its dual conic, Sigma - m m^T
        ahead = z * z - zz
        middle, room = x * z - xz, math.sqrt(max((x * z - xz) ** 2 - ahead * (x * x - xx), 0.0))
        left, right = fx * (middle - room) / ahead + cx, fx * (middle + room) / ahead + cx
        middle, room = y * z - yz, math.sqrt(max((y * z - yz) ** 2 - ahead * (y * y - yy), 0.0))
        top, bottom = fy * (middle - room) / ahead + cy, fy * (middle + room) / ahead + cy
        if not (right > 0 and left < width and bottom > 0 and top < height):
            continue
        # only the rows and columns whose pixel centres lie between
        boxes[i, 0] = max(0, math.ceil(max(left, -1.0) - 0.5))
        boxes[i, 1] = min(width, math.floor(min(right, width + 1.0) + 0.5))
        boxes[i, 2] = max(0, math.ceil(max(top, -1.0) - 0.5))
        boxes[i, 3] = min(height, math.floor(min(bottom, height + 1.0) + 0.5))


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def intersect(records, boxes, cam, owner, depth):
    """`owner (h, w)` int32: the ellipsoid that each pixel's ray enters first, or NOTHING; `depth
    (h, w)` float32: where."""
    height = len(owner)
    fx, fy, cx, cy = cam[12], cam[13], cam[14], cam[15]
    for band in prange((height + ROWS - 1) // ROWS):
        begin, end = band * ROWS, min(height, band * ROWS + ROWS)
        owner[begin:end] = NOTHING
        depth[begin:end] = np.inf
        for i in range(len(boxes)):
            first_row, last_row = max(begin, boxes[i, 2]), min(end, boxes[i, 3])
            if first_row >= last_row or boxes[i, 0] >= boxes[i, 1]:
                continue
            # columns of U, and their products with U m: U d x U m is linear in the pixel as well
            a_xx = a_xy = a_yy = a_x = a_y = a_1 = b_x = b_y = b_1 = 0.0
            for k in range(3):
                ux, uy = np.float64(records[i, 3 * k]), np.float64(records[i, 3 * k + 1])
                u1, c = np.float64(records[i, 3 * k + 2]), np.float64(records[i, 9 + k])
                a_xx += ux * ux
                a_xy += ux * uy
                a_yy += uy * uy
                a_x += ux * u1
                a_y += uy * u1
                a_1 += u1 * u1
                b_x += ux * c
                b_y += uy * c
                b_1 += u1 * c
            e_xx = e_xy = e_yy = e_x = e_y = e_1 = 0.0
            for k in range(3):
                m, n = (k + 1) % 3, (k + 2) % 3
                cm, cn = np.float64(records[i, 9 + m]), np.float64(records[i, 9 + n])
                px = records[i, 3 * m] * cn - records[i, 3 * n] * cm
                py = records[i, 3 * m + 1] * cn - records[i, 3 * n + 1] * cm
                p1 = records[i, 3 * m + 2] * cn - records[i, 3 * n + 2] * cm
                e_xx -= px * px
                e_xy -= px * py
                e_yy -= py * py
                e_x -= px * p1
                e_y -= py * p1
                e_1 -= p1 * p1
            e_xx, e_xy, e_yy = e_xx + a_xx, e_xy + a_xy, e_yy + a_yy
            e_x, e_y, e_1 = e_x + a_x, e_y + a_y, e_1 + a_1
            nearest = records[i, NEAREST]
            for row in range(first_row, last_row):
                y = (row + 0.5 - cy) / fy
                e_line, e_rest = e_xy * y + e_x, e_yy * y * y + 2 * e_y * y + e_1
                a_line, a_rest = a_xy * y + a_x, a_yy * y * y + 2 * a_y * y + a_1
                b_rest = b_y * y + b_1
                for column in range(boxes[i, 0], boxes[i, 1]):
                    if depth[row, column] <= nearest:
                        continue
                    x = (column + 0.5 - cx) / fx
                    e = (e_xx * x + 2 * e_line) * x + e_rest
                    if e < 0:
                        continue
                    z = (b_x * x + b_rest - math.sqrt(e)) / ((a_xx * x + 2 * a_line) * x + a_rest)
                    if z < depth[row, column]:
                        depth[row, column] = z
                        owner[row, column] = i


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def shade(records, colours, cam, light, ambient, owner, depth, rgb):
    """`rgb (h, w, 3)`: the owner's colour under a `light` (3,) from the camera's side, black where
    there is none."""
    height, width = owner.shape
    fx, fy, cx, cy = cam[12], cam[13], cam[14], cam[15]
    for row in prange(height):
        for column in range(width):
            i = owner[row, column]
            if i == NOTHING:
                rgb[row, column, :] = 0.0
                continue
            z = np.float64(depth[row, column])
            x, y = z * (column + 0.5 - cx) / fx, z * (row + 0.5 - cy) / fy
            nx = ny = nz = 0.0
            for k in range(3):
                ux, uy = np.float64(records[i, 3 * k]), np.float64(records[i, 3 * k + 1])
                uz = np.float64(records[i, 3 * k + 2])
                off = ux * x + uy * y + uz * z - records[i, 9 + k]
                nx += ux * off
                ny += uy * off
                nz += uz * off
            length = math.sqrt(nx * nx + ny * ny + nz * nz)
            lit = (nx * light[0] + ny * light[1] + nz * light[2]) / length
            brightness = ambient + (1.0 - ambient) * max(lit, 0.0)
            for channel in range(3):
                rgb[row, column, channel] = colours[i, channel] * brightness
