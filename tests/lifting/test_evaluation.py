"""What a lifter is given when tracks are spoilt on purpose."""

from __future__ import annotations

import numpy as np

from lifting.clips import RigClips
from lifting.evaluation import Lifted, evaluate
from lifting.motions import random_motion
from lifting.protocol import still_camera_clips
from lifting.random_rigs import random_rig


def test_jitter_has_the_size_that_was_asked_for_and_is_the_same_for_every_lifter() -> None:
    rng = np.random.default_rng(0)
    rig = random_rig(rng, "quadruped")
    rigs = [RigClips("heron", rig.skeleton, (random_motion(rig, rng, frames=48),))]
    clips = still_camera_clips(rigs, seed=1, views=2)
    given: list[np.ndarray] = []

    def flat(clip, xy):
        given.append(xy - clip.view.xy)
        return Lifted(np.dstack([xy, np.zeros(xy.shape[:2])]))

    for _ in range(2):
        evaluate(flat, clips, jitter=0.02)
    assert np.array_equal(given[0], given[2]) and not np.array_equal(given[0], given[1])
    for moved, clip in zip(given, clips, strict=False):
        middle = clip.view.xy.mean(axis=1, keepdims=True)
        size = np.sqrt(((clip.view.xy - middle) ** 2).sum(axis=2).mean())
        assert np.allclose(moved.std(axis=(0, 1)), 0.02 * size, rtol=0.1)
    evaluate(flat, clips)
    assert not given[-1].any()
