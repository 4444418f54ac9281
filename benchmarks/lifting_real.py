"""Real animals that no lifter has learnt from: a rat and a mouse of motion capture, and the lifter
adapted to the rat's first frames."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.npz import read_arrays
from lifting.augment import contracted
from lifting.cameras import View
from lifting.clips import RigClips, load_rigs
from lifting.evaluation import Lift, lifter_as_lift
from lifting.lifter_files import load_lifter
from lifting.protocol import TestClip, still_camera_clips
from lifting.rigidity import infer_edges
from lifting.symmetry import symmetry_of

RAT, MOUSE = "rat_23kp_1000f.npz", "mouse_dannce_label3d_1_6cam.npz"
ADAPTED_FRAMES = 200
_ELEVATION_RAD = (0.0, 0.52)
_Z_UP = (0.0, 0.0, 1.0)
_FEWEST = 12
"""Joints of a frame of the mouse: people could not label all of them everywhere."""
_HEAD = ((0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (2, 3))
_SPINE = ((3, 4), (4, 5), (5, 6), (6, 7))
_FRONT = ((8, 9), (9, 10), (10, 11), (11, 3), (12, 13), (13, 14), (14, 15), (15, 3))
_HIND = ((16, 17), (17, 18), (18, 4), (19, 20), (20, 21), (21, 4))
MOUSE_EDGES = np.array([*_HEAD, *_SPINE, *_FRONT, *_HIND])
"""Between the points of the file, which does not hold them: the skeleton mouse22 of DANNCE, which
labelled it (ears, snout, spine, tail; paw, wrist, elbow, shoulder; paw, ankle, knee)."""
MOUSE_NAMES = (
    *("ear L", "ear R", "snout", "spine front", "spine middle"),
    *("tail base", "tail middle", "tail end"),
    *(f"{part} {side}" for side in "LR" for part in ("forepaw", "wrist", "elbow", "shoulder")),
    *(f"{part} {side}" for side in "LR" for part in ("hindpaw", "ankle", "knee")),
)
"""Of those points, as there."""
Score = Callable[[Lift, list[TestClip]], dict[str, Any]]


def rat_clips(folder: Path, seed: int, after: int = 0, inferred: bool = False) -> list[TestClip]:
    """A rat of 23 points in windows of 48 frames, from frame `after` on; its file does not say that
    z is up. Where `inferred`, edges are found from tracks and names, not those of the file."""
    (rig,) = load_rigs(folder / RAT)
    clips = tuple(replace(clip, xyz=clip.xyz[after:], up=_Z_UP) for clip in rig.clips)
    found = still_camera_clips([RigClips("rat", rig.skeleton, clips)], seed, 1, _ELEVATION_RAD)
    if not inferred:
        return found
    return [replace(c, edges=infer_edges(c.view.xy, rig.skeleton.names)) for c in found]


def mouse_clips(folder: Path, seed: int, inferred: bool = False) -> list[TestClip]:
    """A mouse of 22 points through the six cameras that filmed it, without their distortion. Its
    frames lie seconds apart, so each is a clip of its own; where `inferred`, edges are found from
    all frames of a camera and the names, as for tracks that come without."""
    arrays, symmetry = read_arrays(folder / MOUSE), symmetry_of(MOUSE_NAMES)
    world, rng = arrays["positions"], np.random.default_rng(seed)
    found = []
    for camera, (turn, place) in enumerate(zip(arrays["R"], arrays["t"], strict=True)):
        xyz_cam = world @ turn.T + place
        xy = xyz_cam[..., :2] / xyz_cam[..., 2:]
        edges = infer_edges(xy, MOUSE_NAMES) if inferred else MOUSE_EDGES
        for frame in range(len(world)):
            kept = np.flatnonzero(np.isfinite(world[frame]).all(axis=1))
            if len(kept) < _FEWEST:
                continue
            found.append(
                TestClip(
                    "mouse",
                    "mouse",
                    f"camera {camera}, frame {frame}",
                    View(xy[None, frame, kept], xyz_cam[None, frame, kept], turn[:, 2], 0.0),
                    world[None, frame, kept],
                    contracted(edges, world.shape[1], kept, rng),
                    symmetry.of(kept),
                )
            )
    return found


def adapted_to_the_rat(folder: Path, weights: Path, seed: int, score: Score) -> dict[str, Any]:
    """Of a lifter before and after `darb3d adapt lifter` on the rat's first frames, on the rest."""
    from lifting.adapting import load_adapted

    rest = rat_clips(folder, seed, after=ADAPTED_FRAMES)
    arrays = read_arrays(folder / RAT)
    with tempfile.TemporaryDirectory() as work:
        first, adapter = Path(work) / "rat.npz", Path(work) / "rat.adapter.safetensors"
        np.savez(
            first,
            positions=arrays["positions"][:ADAPTED_FRAMES],
            joint_names=arrays["joint_names"],
            edges=arrays["edges"],
            up=np.array("z"),
        )
        words = ["adapt", "lifter", str(first), "-o", str(adapter), "--weights", str(weights)]
        subprocess.run([sys.executable, "-m", "app", *words], check=True)
        adapted = load_adapted(load_lifter(weights), adapter)
        size = adapter.stat().st_size
    before = score(lifter_as_lift(load_lifter(weights).model), rest)["fa_mpjpe"]
    after = score(lifter_as_lift(adapted.model), rest)["fa_mpjpe"]
    return {"before": before, "after": after, "adapter_bytes": size, "clips": len(rest)}
