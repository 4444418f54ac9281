"""What happens to clouds outside a data set: points missing, noise, turns, a half unseen, other
numbers of points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Cloud = Float[np.ndarray, "n 3"]
Change = Callable[[Cloud, np.random.Generator], Cloud]
RESAMPLED_NOISE = 0.005
"""Of points that are drawn again to have more of them, in radii: a surface, not copies."""


def changes() -> dict[str, Change]:
    """Every change by its name, from none on; clouds are in the unit sphere, z up."""
    found: dict[str, Change] = {"as it is": lambda xyz, rng: xyz}
    for share in (0.25, 0.5, 0.75):
        found[f"{share:.0%} of points dropped"] = _dropped(share)
    for noise in (0.01, 0.02, 0.05):
        found[f"noise of {noise:g} radii"] = _noisy(noise)
    for degrees in (15, 45, 180):
        found[f"turned about z by up to {degrees} degrees"] = _turned(degrees)
    found["half unseen"] = half_unseen
    for count in (128, 256, 512, 2048, 10_000, 100_000):
        found[f"{count:,} points"] = _counted(count)
    return found


def changed(xyz: Cloud, row: int, change: Change) -> Cloud:
    """The cloud of that row changed, by a generator of its own: the same for every model."""
    return change(xyz, np.random.default_rng([7, row]))


def half_unseen(xyz: Cloud, rng: np.random.Generator) -> Cloud:
    """The half of the points nearest to a viewer at a random place around."""
    towards = rng.normal(size=3)
    order = np.argsort(xyz @ towards, kind="stable")
    return xyz[np.sort(order[len(xyz) // 2 :])]


def _dropped(share: float) -> Change:
    def change(xyz: Cloud, rng: np.random.Generator) -> Cloud:
        kept = max(1, round(len(xyz) * (1.0 - share)))
        return xyz[rng.permutation(len(xyz))[:kept]]

    return change


def _noisy(sigma: float) -> Change:
    return lambda xyz, rng: xyz + rng.normal(0.0, sigma, xyz.shape).astype(xyz.dtype)


def _turned(most_degrees: float) -> Change:
    def change(xyz: Cloud, rng: np.random.Generator) -> Cloud:
        angle = np.deg2rad(rng.uniform(-most_degrees, most_degrees))
        c, s = np.cos(angle), np.sin(angle)
        return xyz @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], xyz.dtype)

    return change


def _counted(count: int) -> Change:
    def change(xyz: Cloud, rng: np.random.Generator) -> Cloud:
        if count <= len(xyz):
            return xyz[rng.permutation(len(xyz))[:count]]
        more = xyz[rng.integers(len(xyz), size=count - len(xyz))]
        return np.concatenate([xyz, _noisy(RESAMPLED_NOISE)(more, rng)])

    return change
