"""How large a picture may be to be drawn in time, learnt from the pictures before it.

A picture of n pixels takes a + b n seconds: a for the splats, whatever its size. Were all of it put
down to pixels, a scene of many splats would be drawn smaller and smaller without ever being faster.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

KEEP = 0.8
"""Weight of a picture beside that of the one drawn after it."""
GUESS, TRUST = (1e5, 0.05), 0.3
"""Pixels and seconds taken for granted before there is a picture, and the weight of that."""
MORE = 0.5
"""Where the splats alone take longer than there is time, pixels may take this share of that."""
LEAST = 0.1
"""Of a picture's time, what is put down to its pixels at least."""


class Speed:
    """A line through pixels and seconds, by least squares that forget."""

    def __init__(self) -> None:
        self._sums = TRUST * (_sums(0.0, 0.0) + _sums(*GUESS))
        self._drawn = 0

    def add(self, pixels: float, seconds: float) -> None:
        """Learn from a picture; not from the first, which waits for compiled code."""
        self._drawn += 1
        if self._drawn > 1:
            self._sums = KEEP * self._sums + _sums(pixels, seconds)

    def pixels_in(self, seconds: float) -> float:
        """The largest picture that takes so long."""
        n, x, y, xx, xy = self._sums
        spread = n * xx - x * x
        of_one_size = spread < 1e-3 * n * xx
        slope = 0.5 * y / x if of_one_size else (n * xy - x * y) / spread
        each = float(np.clip(slope, LEAST * y / x, y / x))
        fixed = float(y - each * x) / n
        return max(seconds - fixed, MORE * fixed) / each


def _sums(pixels: float, seconds: float) -> Float64[np.ndarray, "5"]:
    return np.array([1.0, pixels, seconds, pixels * pixels, pixels * seconds])
