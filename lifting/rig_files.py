"""A rig in motion as one .npz, which `lifting.clips.load_rigs` and other programs read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lifting.clips import RigClips


def save_rig(path: Path, rig: RigClips, category: str = "", source: str = "") -> None:
    """Write positions (frames, joints, 3), joint_names, parents (-1 for the root), clip_names,
    clip_lengths, fps, up, licence, what animal it is and where it comes from."""
    np.savez_compressed(
        path,
        positions=np.concatenate([clip.xyz for clip in rig.clips]).astype(np.float32),
        joint_names=np.array(rig.skeleton.names),
        parents=rig.skeleton.parents,
        clip_names=np.array([clip.name.rpartition("/")[2] for clip in rig.clips]),
        clip_lengths=np.array([len(clip) for clip in rig.clips]),
        fps=np.array([clip.fps for clip in rig.clips], np.float64),
        up=np.array(rig.clips[0].up),
        licence=np.array(rig.licence),
        category=np.array(category),
        source=np.array(source),
    )
