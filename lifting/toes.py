"""Toes: animators give birds, rodents and lizards many points, close to one another."""

from __future__ import annotations

import numpy as np

from lifting.rigs import RigBuilder

Ends = list[tuple[int, float, str]]
"""The last joint of a limb, its side, and that side's letter."""


def add_toes(build: RigBuilder, name: str, ends: Ends, hallux: float) -> None:
    """One to five of one or two joints each, spread like a fan on the ground; one that points back
    with the chance `hallux`."""
    count = int(build.rng.integers(1, 6))
    fan = build.uniform(0.2, 0.9)
    angles = fan * np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
    angles = angles + build.rng.normal(0, 0.05, count)
    if build.chance(hallux):
        angles = np.append(angles, np.pi + build.uniform(-0.3, 0.3))
    joints, length, drop = 1 + build.chance(0.4), build.around(0.08, 0.3), build.uniform(-0.5, 0.0)
    steps = [length * build.shares(joints) for _ in angles]
    for end, side, label in ends:
        for k, angle in enumerate(angles):
            direction = [np.cos(angle), drop, side * np.sin(angle)]
            build.chain(f"{name}{k + 1}_{label}", end, np.tile(direction, (joints, 1)), steps[k])
