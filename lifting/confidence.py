"""Which points of a tracker to believe: a cut chosen from the data, because tools' scores mean
different things (0.35 on average in one file of good points, 0.99 in another)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_BINS = 20
_WORSE = 3.0
"""Points are doubted where they jump this much more than those that the tool is sure of."""
_MOST = 0.4
"""Share of points that are left out at most."""


def choose_cut(xy: Float[np.ndarray, "t j 2"], confidence: Float[np.ndarray, "t j"]) -> float:
    """The confidence below which points jump: 0 where none do, or where nothing can be told.

    A point's jump is its distance from the median of its neighbours in time. Twentieths of all
    points, the least sure first, are left out while they jump more than the surer half does.
    """
    seen = np.isfinite(xy).all(axis=2)
    if len(xy) < 5 or not seen.any() or np.ptp(confidence[seen]) == 0:
        return 0.0
    jump, known = _jumps(xy)
    known &= seen
    if known.sum() < 5 * _BINS:
        return 0.0
    scores, jumps = confidence[known], jump[known]
    usual = np.median(jumps[scores >= np.median(scores)])
    floor = 1e-3 * float(np.nanstd(xy))
    cut = 0.0
    for upper in np.quantile(scores, np.arange(1, round(_BINS * _MOST) + 1) / _BINS):
        part = jumps[(scores >= cut) & (scores <= upper)]
        if not len(part) or np.median(part) <= _WORSE * max(usual, floor):
            break
        cut = float(np.nextafter(upper, np.inf))
    return cut


def _jumps(xy: np.ndarray) -> tuple[Float[np.ndarray, "t j"], np.ndarray]:
    """Distances from the median of two frames to either side, and where there are two or more."""
    padded = np.pad(xy, ((2, 2), (0, 0), (0, 0)), constant_values=np.nan)
    near = np.stack([padded[k : k + len(xy)] for k in (0, 1, 3, 4)])
    known = np.isfinite(near).all(axis=3).sum(axis=0) >= 2
    filled = np.where(known[None, :, :, None], near, 0.0)
    return np.linalg.norm(xy - np.nanmedian(filled, axis=0), axis=2), known
