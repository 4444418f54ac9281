"""Rotations there and back, against scipy."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from data.geometry import quat_from_rotation, rotation_from_quat


def test_quaternions_and_matrices_agree_with_scipy_and_return():
    rotations = Rotation.random(50, rng=np.random.default_rng(0))
    halves = Rotation.from_euler("xyz", [[np.pi, 0, 0], [0, np.pi, 0], [0, 0, np.pi], [0, 0, 0]])
    for given in (rotations, halves):
        quat = given.as_quat(scalar_first=True)
        matrix = rotation_from_quat(quat * 3.0)  # the length does not matter
        np.testing.assert_allclose(matrix, given.as_matrix(), atol=1e-12)
        back = quat_from_rotation(matrix)
        assert (back[:, 0] >= 0).all()
        np.testing.assert_allclose(rotation_from_quat(back), matrix, atol=1e-12)
