"""Makes data/samples/motion/dog.npz: a dog that trots in a circle, as a lifter would hand it over.

python scripts/make_sample_motion.py data/samples/motion/dog.npz

The animal is our own: a hierarchy of constant bones, feet that stand still on the ground, legs by
the law of cosines. The 2D input is what one camera sees of it, with noise, hidden joints and one
swap of left and right, as detectors make them.
"""

from __future__ import annotations

import sys

import numpy as np

from data.motion import Motion
from data.motion_npz import save_npz
from data.skeleton import Skeleton

FPS, STRIDES, STRIDES_PER_S, RADIUS_M = 24.0, 9, 1.8, 0.95
STANCE = 0.55
"""Part of a stride for which a paw is on the ground."""
TRUNK_M = 0.09
"""Half the thickness of the trunk, which hides what is behind it."""
SIZE, FOCAL_PX = (640, 400), 900.0
EYE, TARGET = np.array([0.4, 0.95, 4.4]), np.array([0.0, 0.28, 0.0])

BONES = {  # joint: parent, length in metres
    "pelvis": ("", 0.0),
    "spine": ("pelvis", 0.22),
    "withers": ("spine", 0.22),
    "neck": ("withers", 0.12),
    "head": ("neck", 0.16),
    "nose": ("head", 0.15),
    "left_ear": ("head", 0.08),
    "right_ear": ("head", 0.08),
    "tail_1": ("pelvis", 0.10),
    "tail_2": ("tail_1", 0.11),
    "tail_3": ("tail_2", 0.11),
    "tail_4": ("tail_3", 0.10),
    **{
        f"{side}_{joint}": (parent if parent in ("withers", "pelvis") else f"{side}_{parent}", size)
        for side in ("left", "right")
        for joint, parent, size in (
            ("shoulder", "withers", 0.15),
            ("elbow", "shoulder", 0.17),
            ("wrist", "elbow", 0.18),
            ("front_paw", "wrist", 0.09),
            ("hip", "pelvis", 0.09),
            ("knee", "hip", 0.20),
            ("hock", "knee", 0.19),
            ("hind_paw", "hock", 0.13),
        )
    },
}


def dog() -> Motion:
    """The clip: as many frames as make the circle close."""
    count = round(FPS * STRIDES / STRIDES_PER_S)
    frames = [_pose(frame / count) for frame in range(count)]
    names = tuple(BONES)
    xyz = np.array([[pose[name] for name in names] for pose in frames])
    parents = [names.index(parent) if parent else -1 for parent, _ in BONES.values()]
    skeleton = Skeleton.from_parents(names, parents)
    pixels, hidden = _seen(xyz, names)
    rng = np.random.default_rng(7)
    xy = pixels + rng.normal(0, 1.6, pixels.shape) + _swap(pixels, names)
    confidence = np.where(hidden, 0.1, 0.9) + rng.uniform(-0.08, 0.08, hidden.shape)
    xy[hidden] = np.nan
    return Motion(
        xyz,
        skeleton,
        FPS,
        "trotting dog",
        confidence=confidence,
        observed=~hidden,
        xy=xy,
        xy_reprojected=pixels,
        image_size=SIZE,
        uncertainty=np.where(hidden, 0.035, 0.012) * np.ones(hidden.shape),
        units="m",
    )


def _pose(share: float) -> dict[str, np.ndarray]:
    """Places of the joints when `share` of the circle is done."""
    phase = 2 * np.pi * STRIDES * share
    heading = 2 * np.pi * share
    bounce = 0.018 * np.cos(2 * phase)
    pelvis = _track(heading, 0.0, 0.505 + bounce)
    ahead, right = _heading(heading)
    up = np.array([0.0, 1.0, 0.0])
    body = np.stack([ahead, up, right], axis=1) @ _about_ahead(0.05 * np.sin(phase))
    pose = {"pelvis": pelvis}

    def bone(joint: str, pitch: float, yaw: float = 0.0) -> None:
        """Hang a joint on, `pitch` above ahead and `yaw` to the right of it."""
        parent, length = BONES[joint]
        way = (np.cos(pitch) * np.cos(yaw), np.sin(pitch), np.cos(pitch) * np.sin(yaw))
        pose[joint] = pose[parent] + length * (body @ np.array(way))

    bend = 0.22 + 0.05 * np.sin(phase)  # into the circle, and a little with each step
    bone("spine", 0.06 + 0.04 * np.sin(2 * phase), -0.4 * bend)
    bone("withers", 0.02 - 0.04 * np.sin(2 * phase), -bend)
    bone("neck", 0.75 + 0.05 * np.cos(2 * phase), -1.2 * bend)
    bone("head", 0.85 + 0.06 * np.cos(2 * phase), -1.3 * bend)
    bone("nose", -0.22 + 0.05 * np.cos(2 * phase + 0.6), -1.3 * bend)
    bone("left_ear", 1.5, -2.4 - 0.3 * np.sin(phase))
    bone("right_ear", 1.5, 2.0 + 0.3 * np.sin(phase))
    for k in range(4):
        bone(f"tail_{k + 1}", 2.75 - 0.22 * k, 0.35 * np.sin(phase - 0.7 * k) * (k + 1) / 4)
    for side, sign in (("left", -1), ("right", 1)):
        beside = {"shoulder": (0.02, -0.085, 0.095), "hip": (-0.01, -0.03, 0.085)}
        for joint, parent in (("shoulder", "withers"), ("hip", "pelvis")):
            way = np.array(beside[joint]) * (1, 1, sign)
            length = BONES[f"{side}_{joint}"][1]
            pose[f"{side}_{joint}"] = pose[parent] + length * body @ (way / np.linalg.norm(way))
        # a trot: a front leg and the hind leg across from it swing together
        for joint, step in (
            ("shoulder", 0.0 if sign < 0 else 0.5),
            ("hip", 0.5 if sign < 0 else 0.0),
        ):
            _leg(pose, side, joint, (STRIDES * share + step), heading, body, sign)
    return pose


def _leg(
    pose: dict[str, np.ndarray],
    side: str,
    top: str,
    stride: float,
    heading: float,
    body: np.ndarray,
    sign: int,
) -> None:
    """The three joints below a shoulder or hip, from where the paw is in its stride."""
    front = top == "shoulder"
    middle, low, paw = ("elbow", "wrist", "front_paw") if front else ("knee", "hock", "hind_paw")
    cycle, began = stride % 1.0, np.floor(stride)
    first = began - (stride - STRIDES * heading / (2 * np.pi))  # in strides of the body
    half = 0.5 * STANCE
    step = 2 * np.pi / STRIDES
    reach = 0.46 if front else 0.0
    if cycle < STANCE:
        at, lift = first + half, 0.0
    else:
        swing = (cycle - STANCE) / (1 - STANCE)
        ease = swing - np.sin(2 * np.pi * swing) / (2 * np.pi)
        at, lift = first + half + ease, np.sin(np.pi * swing) ** 1.5
    lateral = 0.085 if front else 0.08
    target = _track(at * step + reach / RADIUS_M, sign * lateral, 0.02 + 0.11 * lift)
    ahead, up = body[:, 0], np.array([0.0, 1.0, 0.0])
    forth = np.clip(np.dot(target - pose[f"{side}_{top}"], ahead) / 0.25, -1.2, 1.2)
    leans = (-0.25 * forth - 1.15 * lift, -0.55 - 0.35 * forth - 0.5 * lift)
    lean = leans[0 if front else 1]
    foot = BONES[f"{side}_{paw}"][1]
    wrist = target + foot * (np.cos(lean) * up + np.sin(lean) * ahead)
    thigh, shank = BONES[f"{side}_{middle}"][1], BONES[f"{side}_{low}"][1]
    across = wrist - pose[f"{side}_{top}"]
    span = float(np.clip(np.linalg.norm(across), 0.05, 0.997 * (thigh + shank)))
    along = across / np.linalg.norm(across)
    bend = (1 if not front else -1) * (ahead - np.dot(ahead, along) * along)
    bend /= np.linalg.norm(bend)
    share = (thigh**2 + span**2 - shank**2) / (2 * thigh * span)
    share = float(np.clip(share, -1, 1))
    pose[f"{side}_{middle}"] = pose[f"{side}_{top}"] + thigh * (
        share * along + np.sqrt(1 - share**2) * bend
    )
    pose[f"{side}_{low}"] = pose[f"{side}_{top}"] + span * along
    pose[f"{side}_{paw}"] = pose[f"{side}_{low}"] + target - wrist


def _track(angle: float, lateral: float, height: float) -> np.ndarray:
    """A place beside the circle; `lateral` is to the right, that is outward."""
    out = RADIUS_M + lateral
    return np.array([out * np.cos(angle), height, -out * np.sin(angle)])


def _heading(angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Ahead and right of one who goes round anticlockwise, seen from above."""
    ahead = np.array([-np.sin(angle), 0.0, -np.cos(angle)])
    return ahead, np.array([np.cos(angle), 0.0, -np.sin(angle)])


def _about_ahead(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


def _seen(xyz: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the joints, and which of them the trunk hides."""
    forward = (TARGET - EYE) / np.linalg.norm(TARGET - EYE)
    right = np.cross(forward, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    cam = (xyz - EYE) @ rotation.T
    pixels = FOCAL_PX * cam[..., :2] / cam[..., 2:] + np.array(SIZE) / 2
    start, end = (xyz[:, names.index(name)] for name in ("pelvis", "withers"))
    hidden = np.zeros(xyz.shape[:2], bool)
    for share in np.linspace(0, 1, 12):
        centre = (start + share * (end - start) - (0, 0.05, 0))[:, None]
        ray = xyz - EYE
        length = np.linalg.norm(ray, axis=2, keepdims=True)
        near = np.sum((centre - EYE) * ray / length, axis=2, keepdims=True)
        off = np.linalg.norm(EYE + near * ray / length - centre, axis=2)
        behind = length[..., 0] - near[..., 0] > 0.6 * TRUNK_M
        hidden |= (off < TRUNK_M) & behind
    return pixels, hidden


def _swap(pixels: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """What a swap of the hind paws over five frames adds to the pixels."""
    change = np.zeros_like(pixels)
    left, right = names.index("left_hind_paw"), names.index("right_hind_paw")
    span = slice(60, 65)
    change[span, left] = pixels[span, right] - pixels[span, left]
    change[span, right] = -change[span, left]
    return change


if __name__ == "__main__":
    save_npz(sys.argv[1], dog())
