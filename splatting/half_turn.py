"""Half a turn about x: from COLMAP's axes (y down, z forward) to y up, z back, and back again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splatting.splats import Splats

_SH_SIGNS = np.array(
    [-1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1],
    np.float32,
)
"""Of the harmonics 1 to 15 when y and z change sign: that of y, z, x; xy, yz, 2zz-xx-yy, xz, xx-yy;
y, xyz, y, z, x, z, x times even polynomials."""


def half_turn(splats: Splats) -> Splats:
    """`splats` turned by 180 degrees about x; twice is where they were."""
    sign = np.array([1, -1, -1], np.float32)
    w, x, y, z = splats.quats.T
    # the quaternion of the turn is (0, 1, 0, 0), and stands to the left
    quats = np.stack([-x, w, -z, y], axis=1)
    return replace(
        splats,
        means=splats.means * sign,
        quats=quats,
        shN=splats.shN * _SH_SIGNS[: splats.shN.shape[1], None],
    )
