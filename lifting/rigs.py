"""What a rig is: joints at rest, and the chains of them that move together.

A rig stands with x forward, y up and z to its right; its body is about one long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from data.skeleton import Skeleton

SIDES = ((-1.0, "L"), (1.0, "R"))
Plan = Literal["quadruped", "rodent", "bird", "biped", "insect", "fish", "crawler"]


_COARSE_EXTRAS = 0.2


@dataclass(frozen=True)
class Chain:
    """Joints that move together: a limb, a tail, a neck."""

    kind: Literal["spine", "neck", "tail", "leg", "wing", "fin", "ear", "trunk", "antenna", "jaw"]
    joints: tuple[int, ...]
    """From the body outwards."""
    side: float = 0.0
    """-1 left, 1 right, 0 in the middle."""
    along: float = 0.0
    """Where it starts on the body: 0 at the hips, 1 at the chest."""
    bends: tuple[float, ...] = ()
    """Of a leg: the sign in which each joint folds."""


@dataclass(frozen=True, eq=False)
class Rig:
    """An animal at rest."""

    plan: Plan
    names: tuple[str, ...]
    parents: Int64[np.ndarray, "j"]
    """Parents come before their children; -1 for the root."""
    offsets: Float64[np.ndarray, "j 3"]
    """From the parent, at rest."""
    chains: tuple[Chain, ...]
    crouch: float = 0.0
    """How far the legs are folded when it stands, 0 to 1."""

    @cached_property
    def skeleton(self) -> Skeleton:
        return Skeleton.from_parents(self.names, self.parents.tolist())

    @property
    def rest(self) -> Float64[np.ndarray, "j 3"]:
        """Places of the joints at rest."""
        places = self.offsets.copy()
        for joint, parent in enumerate(self.parents.tolist()):
            if parent >= 0:
                places[joint] += places[parent]
        return places


@dataclass(eq=False)
class RigBuilder:
    """A rig while it grows."""

    rng: np.random.Generator
    coarse: bool = False
    """Whether it has few joints, as the animals of games do."""
    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[np.ndarray] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)

    def add(self, name: str, parent: int, offset: np.ndarray | list[float]) -> int:
        self.names.append(name)
        self.parents.append(parent)
        self.offsets.append(np.asarray(offset, np.float64))
        return len(self.names) - 1

    def chain(
        self, name: str, parent: int, directions: np.ndarray, lengths: np.ndarray
    ) -> tuple[int, ...]:
        """Joints one after the other; a direction and a length for each."""
        joints = []
        for k, (direction, length) in enumerate(zip(directions, lengths, strict=True)):
            unit = direction / np.linalg.norm(direction)
            parent = self.add(f"{name}{k + 1}", parent, unit * length)
            joints.append(parent)
        return tuple(joints)

    def around(self, middle: float, spread: float = 0.25) -> float:
        """A length around `middle`, within a factor."""
        return float(middle * np.exp(spread * self.rng.standard_normal()))

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def extra(self, share: float) -> bool:
        """A chance of what an animal can do without: coarse ones mostly do."""
        return self.chance(share * (_COARSE_EXTRAS if self.coarse else 1.0))

    def count(self, least: int, most: int) -> int:
        """A number of joints; of a coarse animal one of the two least."""
        return int(self.rng.integers(least, (min(most, least + 1) if self.coarse else most) + 1))

    def shares(self, count: int) -> np.ndarray:
        """`count` parts of one, unequal."""
        parts = np.exp(0.25 * self.rng.standard_normal(count))
        return parts / parts.sum()
