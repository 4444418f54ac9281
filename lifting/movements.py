"""What the joints of a rig do over time: gaits, waves, flight, sway, changes of pose, jumps.

Each movement adds its angles to those that are there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lifting.rigs import Chain, Rig

_WALKS = {
    "walk": {(0.0, -1.0): 0.0, (1.0, -1.0): 0.25, (0.0, 1.0): 0.5, (1.0, 1.0): 0.75},
    "trot": {(0.0, -1.0): 0.0, (1.0, 1.0): 0.0, (0.0, 1.0): 0.5, (1.0, -1.0): 0.5},
    "pace": {(0.0, -1.0): 0.0, (1.0, -1.0): 0.05, (0.0, 1.0): 0.5, (1.0, 1.0): 0.55},
    "gallop": {(0.0, -1.0): 0.0, (0.0, 1.0): 0.1, (1.0, -1.0): 0.45, (1.0, 1.0): 0.58},
    "bound": {(0.0, -1.0): 0.0, (0.0, 1.0): 0.02, (1.0, -1.0): 0.5, (1.0, 1.0): 0.52},
}
"""Phases of hind (0) and front (1), left (-1) and right (1) legs."""


@dataclass(eq=False)
class Angles:
    """Rotations of every joint over time, about its own axes: nose up, left, roll right."""

    pitch: Float64[np.ndarray, "t j"]
    yaw: Float64[np.ndarray, "t j"]
    roll: Float64[np.ndarray, "t j"]


def chains_of(rig: Rig, *kinds: str) -> list[Chain]:
    """The chains of these kinds, in the rig's order."""
    return [chain for chain in rig.chains if chain.kind in kinds]


def noise(seconds: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """A slow, smooth function of time around zero."""
    rates = rng.uniform(0.1, 1.5, 3)
    phases = rng.uniform(0, 2 * np.pi, 3)
    weights = rng.standard_normal(3) / (1.0 + rates)
    waves = np.sin(2 * np.pi * rates * seconds[:, None] + phases)
    return size * waves @ weights


def stance(rig: Rig, angles: Angles, rng: np.random.Generator) -> None:
    """How this one stands: legs folded by the rig's crouch, a bend of spine, neck and tail."""
    for chain in chains_of(rig, "leg"):
        fold = rig.crouch * rng.uniform(0.8, 1.2) + 0.1 * rng.standard_normal()
        for k, joint in enumerate(chain.joints[-len(chain.bends) :]):
            angles.pitch[:, joint] += fold * chain.bends[k]
    for chain in chains_of(rig, "spine", "neck", "tail", "trunk", "ear"):
        bend = rng.normal(0, 0.4 / len(chain.joints) ** 0.5)
        side = rng.normal(0, 0.25 / len(chain.joints) ** 0.5)
        for joint in chain.joints:
            angles.pitch[:, joint] += bend / len(chain.joints) ** 0.5
            angles.yaw[:, joint] += side / len(chain.joints) ** 0.5


def gait(
    rig: Rig,
    angles: Angles,
    seconds: np.ndarray,
    speed: float,
    strength: float,
    rng: np.random.Generator,
) -> None:
    """Legs swing to and fro and fold while they come forward; the spine follows."""
    phases = _phases(rig, rng)
    swing, lift, lag = rng.uniform(0.25, 0.6), rng.uniform(0.3, 0.9), rng.normal(0.0, 0.3)
    sideways = rig.plan in ("insect", "crawler")
    for chain, phase in zip(chains_of(rig, "leg"), phases, strict=True):
        turn = 2 * np.pi * (speed * seconds + phase)
        raised = np.maximum(0.0, np.cos(turn + lag)) ** 1.5
        legs = chain.joints[-len(chain.bends) :] if chain.bends else chain.joints
        first = chain.joints[0]
        if sideways:
            angles.yaw[:, first] += -chain.side * strength * swing * np.sin(turn)
            angles.roll[:, first] += -chain.side * strength * lift * 0.5 * raised
        else:
            angles.pitch[:, first] += strength * swing * np.sin(turn)
            angles.roll[:, first] += chain.side * rng.normal(0, 0.06)
        for k, joint in enumerate(legs):
            gain = (0.25 if k == 0 else 0.8) * strength * lift * rng.uniform(0.7, 1.3)
            axis = angles.roll if sideways else angles.pitch
            sign = chain.bends[k] * (-chain.side if sideways else 1.0)
            axis[:, joint] += gain * sign * raised
            axis[:, joint] += 0.1 * strength * np.sin(turn + rng.uniform(0, 2 * np.pi))
    beat = 2 * np.pi * speed * seconds
    flex, bend = rng.uniform(0.0, 0.2) * strength, rng.uniform(0.0, 0.12) * strength
    for chain in chains_of(rig, "spine"):
        for k, joint in enumerate(chain.joints):
            angles.pitch[:, joint] += flex / len(chain.joints) * np.sin(beat - 0.5 * k)
            angles.yaw[:, joint] += bend * np.sin(beat - 0.5 * k)
    nod = rng.uniform(0.0, 0.15) * strength
    for chain in chains_of(rig, "neck"):
        for joint in chain.joints:
            angles.pitch[:, joint] += nod / len(chain.joints) * np.sin(2 * beat + rng.normal())
    if rig.plan == "crawler":
        wave(rig, angles, seconds, speed, 0.5 * strength, rng)


def _phases(rig: Rig, rng: np.random.Generator) -> list[float]:
    legs = chains_of(rig, "leg")
    if rig.plan == "insect":  # a wave along each side, the other half a step behind
        step = rng.choice([0.5, 1 / 3, 0.25])
        start = [chain.along * max(1, len(legs) // 2 - 1) * step for chain in legs]
        return [s + (0.5 if chain.side > 0 else 0.0) for s, chain in zip(start, legs, strict=True)]
    if rig.plan in ("bird", "biped"):
        hop = rng.random() < 0.25
        found = [0.0 if chain.side < 0 or hop else 0.5 for chain in legs]
        flip = [0.5 * (chain.along > 0.5) for chain in legs]  # arms against legs
        return [a + b for a, b in zip(found, flip, strict=True)]
    walk = _WALKS[str(rng.choice(list(_WALKS), p=[0.35, 0.2, 0.1, 0.25, 0.1]))]
    jitter = 0.03 * rng.standard_normal(len(legs))
    found = [walk[(round(chain.along), chain.side)] for chain in legs]
    return [a + b for a, b in zip(found, jitter.tolist(), strict=True)]


def wave(
    rig: Rig,
    angles: Angles,
    seconds: np.ndarray,
    speed: float,
    strength: float,
    rng: np.random.Generator,
) -> None:
    """A wave that runs from the chest to the end of the tail; sideways, or up and down as whales
    do."""
    body = [joint for chain in chains_of(rig, "spine") for joint in chain.joints[::-1]]
    tail = [joint for chain in chains_of(rig, "tail") for joint in chain.joints]
    row = [*body, 0, *tail]
    whale = rig.plan == "fish" and rng.random() < 0.3
    axis = angles.pitch if whale else angles.yaw
    per_joint = rng.uniform(0.2, 0.9)
    size = strength * rng.uniform(0.4, 1.6) / len(row) ** 0.7
    for k, joint in enumerate(row):
        growth = (k + 1) / len(row)
        axis[:, joint] += size * growth * np.sin(2 * np.pi * speed * seconds - per_joint * k)
    for chain in chains_of(rig, "fin"):
        phase = rng.uniform(0, 2 * np.pi)
        flap = 0.3 * strength * np.sin(2 * np.pi * speed * seconds + phase)
        angles.roll[:, chain.joints[0]] += chain.side * flap


def flap(
    rig: Rig,
    angles: Angles,
    seconds: np.ndarray,
    speed: float,
    flies: bool,
    rng: np.random.Generator,
) -> None:
    """Wings beat, from shoulder to tip one after the other; an animal that stands hardly moves
    them."""
    size = rng.uniform(0.3, 1.0) if flies else rng.uniform(0.0, 0.15)
    raise_by, lag, rate = rng.normal(0.1, 0.25), rng.uniform(0.2, 1.2), speed * rng.uniform(1, 3)
    glide = flies and rng.random() < 0.25
    turn = 2 * np.pi * rate * seconds
    for chain in chains_of(rig, "wing"):
        for k, joint in enumerate(chain.joints):
            beat = (0.1 if glide else 1.0) * size * np.sin(turn - lag * k) / (1 + 0.5 * k)
            angles.roll[:, joint] += -chain.side * (beat + (raise_by if k == 0 else 0.0))
            angles.yaw[:, joint] += chain.side * 0.25 * size * np.cos(turn - lag * k)


def tuck(rig: Rig, angles: Angles, rng: np.random.Generator) -> None:
    """An animal that flies: its body nearer to level, its legs back along it, folded or stretched,
    or hanging."""
    back, fold = rng.uniform(0.0, 1.5), rng.normal(0.3, 0.5)
    angles.pitch[:, 0] -= rng.uniform(0.0, 0.7)
    for chain in chains_of(rig, "leg"):
        angles.pitch[:, chain.joints[0]] -= back
        for k, joint in enumerate(chain.joints[-len(chain.bends) :]):
            angles.pitch[:, joint] += fold * chain.bends[k]


def sway(rig: Rig, angles: Angles, seconds: np.ndarray, rng: np.random.Generator) -> None:
    """Slow movements of everything: looking around, a wagging tail, turning ears."""
    sizes = {"spine": 0.08, "neck": 0.3, "tail": 0.4, "trunk": 0.5, "ear": 0.2, "antenna": 0.4}
    calm = rng.uniform(0.2, 1.2)
    for chain in rig.chains:
        size = calm * sizes.get(chain.kind, 0.08)
        share = len(chain.joints) ** -0.7
        bend, turn = noise(seconds, rng, size), noise(seconds, rng, size)
        late = rng.uniform(0, 4)
        for k, joint in enumerate(chain.joints):
            shift = int(late * k) if chain.kind in ("tail", "trunk") else 0
            angles.pitch[:, joint] += share * bend[_late(len(bend), shift)]
            angles.yaw[:, joint] += share * turn[_late(len(turn), shift)]
    for axis, size in ((angles.pitch, 0.08), (angles.roll, 0.08)):
        axis[:, 0] += noise(seconds, rng, size) + rng.normal(0, 0.06)
    for joint in range(1, len(rig.names)):
        if rng.random() < 0.15:
            angles.pitch[:, joint] += noise(seconds, rng, 0.1)


def _late(frames: int, shift: int) -> np.ndarray:
    return np.maximum(0, np.arange(frames) - shift)


def change_of_pose(
    rig: Rig, angles: Angles, seconds: np.ndarray, rng: np.random.Generator, falls: bool
) -> None:
    """From one pose to another within the clip: grazing, sitting, lying, rearing, falling."""
    begin, length = rng.uniform(-0.5, seconds[-1]), rng.uniform(0.2, 1.5)
    x = np.clip((seconds - begin) / length, 0.0, 1.0)
    change = x * x * (3 - 2 * x)
    if rng.random() < 0.5:
        change = change[::-1]
    for chain in rig.chains:
        size = {"leg": 0.6, "neck": 0.8, "tail": 0.5, "spine": 0.3, "wing": 0.6}.get(
            chain.kind, 0.2
        )
        by = rng.normal(0, size)
        folds = chain.bends or tuple(np.ones(len(chain.joints)) / len(chain.joints) ** 0.5)
        for fold, joint in zip(folds, chain.joints[-len(folds) :], strict=True):
            angles.pitch[:, joint] += by * fold * change
    if falls:
        angles.roll[:, 0] += rng.choice([0.0, rng.normal(0, 1.2)], p=[0.5, 0.5]) * change
        angles.pitch[:, 0] += rng.normal(0, 0.5) * change


def jump(
    rig: Rig,
    angles: Angles,
    place: np.ndarray,
    seconds: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """A crouch, a parabola with the nose up and then down, a landing."""
    begin, air = rng.uniform(0.0, max(0.1, seconds[-1] - 0.8)), rng.uniform(0.3, 0.9)
    x = (seconds - begin) / air
    flying = (x > 0) & (x < 1)
    place[:, 1] += np.where(flying, 4 * rng.uniform(0.3, 1.2) * x * (1 - x), 0.0)
    place[:, 0] += rng.uniform(0.0, 2.5) * np.clip(x, 0.0, 1.0)
    tilt = np.where(flying, rng.uniform(0.2, 0.6) * np.cos(np.pi * np.clip(x, 0, 1)), 0.0)
    kernel = np.hanning(9) / np.hanning(9).sum()
    angles.pitch[:, 0] += np.convolve(np.pad(tilt, 4, "edge"), kernel, "valid")
    crouch = np.exp(-(((x + 0.15) / 0.15) ** 2)) + np.exp(-(((x - 1.1) / 0.15) ** 2))
    for chain in chains_of(rig, "leg"):
        for k, joint in enumerate(chain.joints[-len(chain.bends) :]):
            angles.pitch[:, joint] += 0.5 * chain.bends[k] * crouch
