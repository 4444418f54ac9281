"""The mean of the splats over the last steps: each photo pulls its own way, and what is fitted to
the one before evens out (Polyak and Juditsky 1992).

On inner splits the mean over the last twentieth gave 0.19 dB on fox and 0.18 on banana, as much as
that over the last quarter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit, prange

from simd.threads import guarded
from splatting.splats import Splats

EVERY = 5
"""Steps between two splats that count: neighbours are nearly the same."""


@dataclass(eq=False)
class Average:
    """A running mean of the parameters."""

    count: int
    means: dict[str, np.ndarray]

    @staticmethod
    def of(splats: Splats) -> Average:
        """The mean of one."""
        return Average(1, {name: array.copy() for name, array in splats.arrays().items()})

    def add(self, splats: Splats) -> None:
        """Let `splats`, the same ones some steps later, count too."""
        self.count += 1
        for name, array in splats.arrays().items():
            _towards(self.means[name].reshape(-1), array.reshape(-1), np.float32(1 / self.count))

    def of_splats(self, splats: Splats) -> Splats:
        """`splats` with the mean's parameters."""
        return replace(splats, **self.means)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _towards(mean, value, share):
    for i in prange(len(mean)):
        mean[i] += share * (value[i] - mean[i])
