"""A cloud of any size and scale as what a predictor looks at: a few draws of its points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from data.cloud_span import around_zero, span
from data.errors import UserError

_SEED = 0


def draws_of(
    xyz: Float[np.ndarray, "n 3"], seen: int, draws: int, path: Path
) -> list[Float32[np.ndarray, "_ 3"]]:
    """Up to `draws` random parts of `seen` points, apart as far as there are enough; one of all
    points where a predictor sees them all. Around 0, in the units of `xyz`.

    UserError for points that span nothing.
    """
    middle, half = span(xyz)
    if not half > 0:
        found = "one point" if len(xyz) == 1 else f"{len(xyz):,} points in one place"
        raise UserError(f"{path}: expected points that span a shape, found {found}")
    parts = [np.arange(len(xyz))]
    if len(xyz) > seen:
        count = min(draws, -(-len(xyz) // seen))
        generator = np.random.default_rng(_SEED)
        order = generator.choice(len(xyz), min(len(xyz), count * seen), replace=False)
        starts = np.arange(count) * (len(order) // count)
        parts = [np.take(order, np.arange(k, k + seen), mode="wrap") for k in starts]
    return [around_zero(xyz[rows], middle, half) for rows in parts]
