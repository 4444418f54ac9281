"""Rotations: quaternions (wxyz) to matrices and back, batched."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64


def rotation_from_quat(quat: Float64[np.ndarray, "*n 4"]) -> Float64[np.ndarray, "*n 3 3"]:
    """Rotation matrices of quaternions (w, x, y, z), which are normalised first.

    >>> rotation_from_quat(np.array([0.0, 0.0, 0.0, 2.0])).round(6) + 0.0
    array([[-1.,  0.,  0.],
           [ 0., -1.,  0.],
           [ 0.,  0.,  1.]])
    """
    quat = np.asarray(quat, np.float64)
    w, x, y, z = np.moveaxis(quat / np.linalg.norm(quat, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def quat_from_rotation(rotation: Float64[np.ndarray, "*n 3 3"]) -> Float64[np.ndarray, "*n 4"]:
    """Unit quaternions (w, x, y, z), w >= 0, of rotation matrices.

    The quaternion is the eigenvector of the largest eigenvalue of Bar-Itzhack's symmetric matrix
    (2000), which needs no case distinction and also gives the nearest rotation to a noisy matrix.
    """
    m = np.asarray(rotation, np.float64)
    k = np.zeros((*m.shape[:-2], 4, 4))
    k[..., 0, 0] = np.trace(m, axis1=-2, axis2=-1)
    for i, j, sign in ((2, 1, 1), (0, 2, 2), (1, 0, 3)):
        k[..., 0, sign] = k[..., sign, 0] = m[..., i, j] - m[..., j, i]
    symmetric = m + np.swapaxes(m, -1, -2)
    k[..., 1:, 1:] = symmetric - k[..., :1, :1] * np.eye(3)
    quat = np.linalg.eigh(k)[1][..., -1]
    return np.where(quat[..., :1] < 0, -quat, quat)
