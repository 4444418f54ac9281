"""Wings, and the feathers of wings and tails."""

from __future__ import annotations

import numpy as np

from lifting.rigs import SIDES, Chain, RigBuilder


def add_wings(build: RigBuilder, at: int, folded_share: float, feathers: bool) -> None:
    """A pair of one to four joints at `at`, spread, or folded in a share of animals; some rise from
    the shoulder and come down again."""
    count = build.count(1, 4)
    rise = build.uniform(-0.3, 0.9) * np.linspace(1.0, -0.5, count) - 0.1
    span, width = build.around(0.7, 0.35), build.around(0.08)
    sweep = np.resize([-0.4, 0.4, -0.3, -0.5], count) + build.rng.normal(0, 0.15, count)
    folded = build.chance(folded_share)
    steps = span * build.shares(count)
    wings = []
    for side, label in SIDES:
        out = np.resize([0.5, -0.2, 0.3, 0.1], count) if folded else np.ones(count)
        back = np.resize([-1.0, -0.6, -1.0, -1.0], count) if folded else sweep
        directions = np.stack([back, rise, side * out], 1)
        joints = build.chain(f"wing_{label}", at, directions, steps)
        build.offsets[joints[0]] = build.offsets[joints[0]] + [0.0, 0.02, side * width]
        build.chains.append(Chain("wing", joints, side))
        wings.append((joints, side, label))
    if feathers:
        _add_feathers(build, wings)


def _add_feathers(build: RigBuilder, wings: list[tuple[tuple[int, ...], float, str]]) -> None:
    """One that points backwards from each joint of a wing but the first, longer towards the tip."""
    count = len(wings[0][0])
    length, back = build.around(0.2, 0.4), build.rng.normal(-1.0, 0.2, count)
    out, grows = build.uniform(0.0, 0.7), build.uniform(0.0, 0.6)
    for joints, side, label in wings:
        for k in range(1, count):
            direction = np.array([back[k], -0.1, side * out * k / count])
            step = length * (1 + grows * k) * direction / np.linalg.norm(direction)
            build.add(f"feather{k}_{label}", joints[k], step)


def add_tail_fan(build: RigBuilder, end: int) -> None:
    """One to three pairs of feathers beside the end of a tail."""
    for pair in range(int(build.rng.integers(1, 4))):
        out, length = build.uniform(0.1, 0.8), build.around(0.18, 0.3)
        for side, label in SIDES:
            direction = np.array([-1.0, 0.0, side * out])
            step = length * direction / np.linalg.norm(direction)
            build.add(f"tail_feather{pair + 1}_{label}", end, step)
