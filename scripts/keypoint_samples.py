"""Makes data/samples/keypoints: one generated clip in the layout of each tool (CC0).

python -m scripts.keypoint_samples
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.keypoints import Keypoints2D
from lifting.cameras import look_from, view_of
from lifting.motions import random_motion
from lifting.random_rigs import random_rig
from tests.data import keypoint_files as files

FOLDER = Path(__file__).parents[1] / "data" / "samples" / "keypoints"
FRAMES, SEED = 48, 5


def clip() -> Keypoints2D:
    """A generated quadruped through a still camera, 640 x 480; some points are missing."""
    rng = np.random.default_rng(SEED)
    rig = random_rig(rng, "quadruped")
    motion = random_motion(rig, rng, frames=FRAMES)
    up = np.array([0.0, 1.0, 0.0])
    view = view_of(motion.xyz, look_from(0.9, 0.25, 0.0, up), up, 2.0)
    xy = (600.0 * view.xy + [320.0, 240.0]).round(2)
    confidence = rng.beta(9, 1, xy.shape[:2]).round(3)
    xy[rng.random(xy.shape[:2]) < 0.02] = np.nan
    return Keypoints2D(
        xy, confidence, rig.names, rig.skeleton.edges, fps=30.0, individual="animal1"
    )


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = clip()
    for name, (writer, _) in files.LAYOUTS.items():
        writer(FOLDER / name, [made])
    files.dlc_csv(FOLDER / "dlc_labels.csv", [made], "three")


if __name__ == "__main__":
    main()
