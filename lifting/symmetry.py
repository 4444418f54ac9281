"""What the names of joints say of left and right: on which side each lies, and which joint lies
across from it.

Sides say which way an animal looks and which leg is the near one, which a single picture often
leaves open. They are no identities: a joint is told its side, not what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int64

from data.skeleton import mirrored, side


@dataclass(frozen=True, eq=False)
class Symmetry:
    """Sides of joints, and pairs of them."""

    sides: Int64[np.ndarray, "j"]
    """-1 left, 1 right, 0 in the middle or unknown."""
    across: Bool[np.ndarray, "j j"]
    """Whether two joints are each other's counterparts."""

    def of(self, kept: Int64[np.ndarray, "k"]) -> Symmetry:
        """That of some of the joints; what has lost its counterpart keeps its side."""
        return Symmetry(self.sides[kept], self.across[np.ix_(kept, kept)])

    @property
    def turned(self) -> Symmetry:
        """That of the mirror image."""
        return replace(self, sides=-self.sides)


def symmetry_of(names: Sequence[str]) -> Symmetry:
    """What names say. A side without a counterpart is none: `SpineL` is a lumbar spine.

    >>> symmetry_of(("nose", "left_paw", "right_paw", "SpineL")).sides.tolist()
    [0, -1, 1, 0]
    """
    joints, counterparts = np.arange(len(names)), mirrored(names)
    paired = counterparts != joints
    across = np.zeros((len(names), len(names)), bool)
    across[joints[paired], counterparts[paired]] = True
    sides = np.array([side(name) for name in names], np.int64).reshape(-1)
    return Symmetry(np.where(paired, sides, 0), across)


def unknown(joints: int) -> Symmetry:
    """That of joints whose names say nothing, or that have none."""
    return Symmetry(np.zeros(joints, np.int64), np.zeros((joints, joints), bool))
