"""The colours of splats as one camera sees them: the harmonics in the directions from it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float32

from splatting.splats import SH_C0, Splats

_CHUNK = 16_384


def colours_from(
    splats: Splats, position_world: Float[np.ndarray, "3"]
) -> Float32[np.ndarray, "n 3"]:
    """max(0, 0.5 + sum of harmonics) of each splat for a camera at `position_world`; may pass 1."""
    colours = 0.5 + np.float32(SH_C0) * splats.sh0
    if splats.sh_degree > 0:
        eye = np.asarray(position_world, np.float32)
        for first in range(0, len(splats), _CHUNK):  # small enough for the cache
            part = slice(first, first + _CHUNK)
            away = splats.means[part] - eye
            away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), np.float32(1e-12))
            for k, harmonic in enumerate(_harmonics(splats.sh_degree, away.T)):
                colours[part] += harmonic[:, None] * splats.shN[part, k]
    return np.maximum(colours, 0.0, out=colours)


def _harmonics(
    degree: int, directions: Float32[np.ndarray, "3 n"]
) -> Iterator[Float32[np.ndarray, "n"]]:
    """Those of degree 1 to `degree` at unit vectors, in the order and signs of 3DGS."""
    x, y, z = directions
    yield from (-0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x)
    if degree < 2:
        return
    xx, yy, zz = x * x, y * y, z * z
    yield 1.0925484305920792 * x * y
    yield -1.0925484305920792 * y * z
    yield 0.31539156525252005 * (2 * zz - xx - yy)
    yield -1.0925484305920792 * x * z
    yield 0.5462742152960396 * (xx - yy)
    if degree < 3:
        return
    yield -0.5900435899266435 * y * (3 * xx - yy)
    yield 2.890611442640554 * x * y * z
    yield -0.4570457994644658 * y * (4 * zz - xx - yy)
    yield 0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy)
    yield -0.4570457994644658 * x * (4 * zz - xx - yy)
    yield 1.445305721320277 * z * (xx - yy)
    yield -0.5900435899266435 * x * (xx - 3 * yy)
