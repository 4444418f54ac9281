"""Motions of a rig: gaits, flight, swimming, jumps, turns, lying down; bones rigid, angles smooth.

Angles of all joints are written down over time, turned into places by forward kinematics, and the
animal is then put on the ground and moved so that the foot that stands does not slide.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from data.motion import Motion
from lifting.movements import (
    Angles,
    chains_of,
    change_of_pose,
    flap,
    gait,
    jump,
    noise,
    stance,
    sway,
    tuck,
    wave,
)
from lifting.rigs import Rig


def random_motion(
    rig: Rig, rng: np.random.Generator, frames: int = 96, fps: float = 30.0, name: str = ""
) -> Motion:
    """A clip of `frames` frames of one or two things that the animal does."""
    seconds = np.arange(frames) / fps
    joints = len(rig.names)
    angles = Angles(*(np.zeros((frames, joints)) for _ in range(3)))
    place = np.zeros((frames, 3))
    doing = _what(rig, rng)
    speed = float(np.exp(rng.uniform(np.log(0.5), np.log(3.0))))
    strength = float(rng.uniform(0.3, 1.3)) if doing != "idle" else float(rng.uniform(0.0, 0.25))
    stance(rig, angles, rng)
    if doing == "swim":
        wave(rig, angles, seconds, speed, strength, rng)
    elif doing == "fly":
        gait(rig, angles, seconds, speed, 0.3 * strength * rng.random(), rng)
        tuck(rig, angles, rng)
    else:
        gait(rig, angles, seconds, speed, strength, rng)
    flap(rig, angles, seconds, speed, doing == "fly", rng)
    sway(rig, angles, seconds, rng)
    if doing == "pose" or rng.random() < 0.15:
        change_of_pose(rig, angles, seconds, rng, falls=doing == "pose")
    if doing == "jump":
        jump(rig, angles, place, seconds, rng)
    if rng.random() < 0.6:  # a turn: constant, or slowly changing
        turn = rng.normal(0, 0.6) * seconds + noise(seconds, rng, 0.3)
        angles.yaw[:, 0] += turn
    xyz = kinematics(rig, angles.pitch, angles.yaw, angles.roll)
    xyz += _travel(rig, xyz, place, doing, speed, rng)[:, None]
    label = name or f"{rig.plan} {doing}"
    return Motion(xyz, rig.skeleton, fps=fps, name=label, up=(0.0, 1.0, 0.0))


def kinematics(
    rig: Rig,
    pitch: Float64[np.ndarray, "t j"],
    yaw: Float64[np.ndarray, "t j"],
    roll: Float64[np.ndarray, "t j"],
) -> Float64[np.ndarray, "t j 3"]:
    """Places of joints whose frames turn by yaw (y), then pitch (z), then roll (x), each within its
    parent's; the root stays at zero."""
    turns = _turns(pitch, yaw, roll)
    frames = np.empty_like(turns)
    xyz = np.zeros((*pitch.shape, 3))
    for joint, parent in enumerate(rig.parents.tolist()):
        if parent < 0:
            frames[:, joint] = turns[:, joint]
            continue
        xyz[:, joint] = xyz[:, parent] + frames[:, parent] @ rig.offsets[joint]
        frames[:, joint] = frames[:, parent] @ turns[:, joint]
    return xyz


def _turns(pitch: np.ndarray, yaw: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """R_y(yaw) R_z(pitch) R_x(roll)."""
    cp, sp, cy, sy, cr, sr = (f(a) for a in (pitch, yaw, roll) for f in (np.cos, np.sin))
    rows = [
        [cy * cp, sy * sr - cy * sp * cr, cy * sp * sr + sy * cr],
        [sp, cp * cr, -cp * sr],
        [-sy * cp, sy * sp * cr + cy * sr, cy * cr - sy * sp * sr],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def _what(rig: Rig, rng: np.random.Generator) -> str:
    if rig.plan == "fish" or (rig.plan == "crawler" and not chains_of(rig, "leg")):
        return "swim" if rng.random() < 0.85 else "pose"
    if rig.plan == "bird" and rng.random() < 0.45:
        return "fly"
    shares = {"gait": 0.5, "idle": 0.2, "pose": 0.2, "jump": 0.1}
    return str(rng.choice(list(shares), p=list(shares.values())))


def _travel(
    rig: Rig,
    xyz: np.ndarray,
    place: np.ndarray,
    doing: str,
    speed: float,
    rng: np.random.Generator,
) -> Float64[np.ndarray, "t 3"]:
    """Where the root goes: the lowest foot stands on the ground and does not slide."""
    frames = len(xyz)
    feet = [chain.joints[-1] for chain in chains_of(rig, "leg")]
    if doing in ("swim", "fly") or not feet:
        first = rig.chains[0].joints[-1]
        heading = xyz[:, first] / np.linalg.norm(xyz[:, first], axis=1, keepdims=True)
        step = heading * speed * rng.uniform(0.0, 1.2) / 30.0
        path = np.cumsum(step, axis=0)
        bob = 0.05 * np.sin(2 * np.pi * speed * np.arange(frames) / 30.0 + rng.uniform(0, 6))
        path[:, 1] += bob * (doing == "fly") + noise(np.arange(frames) / 30.0, rng, 0.15)
        return path + place
    down = xyz[:, feet]
    weights = np.exp(-(down[..., 1] - down[..., 1].min(axis=1, keepdims=True)) / 0.03)
    weights /= weights.sum(axis=1, keepdims=True)
    slide = np.zeros((frames, 3))
    slide[1:] = -(np.diff(down, axis=0) * weights[1:, :, None]).sum(axis=1)
    slide[:, 1] = 0.0
    path = np.cumsum(slide, axis=0) if rng.random() < 0.8 else np.zeros((frames, 3))
    kernel = np.hanning(7) / np.hanning(7).sum()
    path = np.stack([np.convolve(np.pad(p, 3, "edge"), kernel, "valid") for p in path.T], 1)
    lowest = xyz[..., 1].min(axis=1)
    path[:, 1] -= np.convolve(np.pad(lowest, 3, "edge"), kernel, "valid")
    return path + place
