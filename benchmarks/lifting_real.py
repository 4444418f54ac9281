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

RAT, MOUSE = "rat_23kp_1000f.npz", "mouse_dannce_label3d_1_6cam.npz"
ADAPTED_FRAMES = 200
_ELEVATION_RAD = (0.0, 0.52)
_Z_UP = (0.0, 0.0, 1.0)
_FEWEST = 12
"""Joints of a frame of the mouse: people could not label all of them everywhere."""
Score = Callable[[Lift, list[TestClip]], dict[str, Any]]


def rat_clips(folder: Path, seed: int, after: int = 0) -> list[TestClip]:
    """A rat of 23 points in windows of 48 frames, from frame `after` on; its file does not say that
    z is up."""
    (rig,) = load_rigs(folder / RAT)
    clips = tuple(replace(clip, xyz=clip.xyz[after:], up=_Z_UP) for clip in rig.clips)
    return still_camera_clips([RigClips("rat", rig.skeleton, clips)], seed, 1, _ELEVATION_RAD)


def mouse_clips(folder: Path, seed: int) -> list[TestClip]:
    """A mouse of 22 points through the six cameras that filmed it, without their distortion. Its
    frames lie seconds apart, so each is a clip of its own; edges are found from all frames of a
    camera, as for tracks that come without."""
    arrays = read_arrays(folder / MOUSE)
    world, rng = arrays["positions"], np.random.default_rng(seed)
    found = []
    for camera, (turn, place) in enumerate(zip(arrays["R"], arrays["t"], strict=True)):
        xyz_cam = world @ turn.T + place
        xy = xyz_cam[..., :2] / xyz_cam[..., 2:]
        edges = infer_edges(xy)
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
                    np.zeros(len(kept), np.int64),
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
