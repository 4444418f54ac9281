"""Sequences in windows, and frame by frame."""

from __future__ import annotations

import numpy as np

from backbones.config import BackboneConfig
from lifting.config import LifterConfig
from lifting.model import new_lifter
from lifting.prediction import FRAME_BY_FRAME, predict

SMALL = LifterConfig(BackboneConfig(width=16, depth=2, heads=2, head_dim=8), fourier=4)


def test_frame_by_frame_no_picture_knows_of_another() -> None:
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(6, 9, 2)) + np.arange(6)[:, None, None]
    edges = np.array([(k, k + 1) for k in range(8)])
    model = new_lifter(SMALL, 0).eval()
    found = predict(model, xy, None, edges, FRAME_BY_FRAME)
    for k in range(6):
        alone = predict(model, xy[k : k + 1], None, edges, FRAME_BY_FRAME)
        shift = found.xyz[k, :, 2] - alone.xyz[0, :, 2]
        np.testing.assert_allclose(shift - shift[0], 0, atol=1e-5)
        np.testing.assert_allclose(found.xy[k], alone.xy[0], atol=1e-5)  # they share the camera
    together = found.xyz
    windows = predict(model, xy, None, edges).xyz[0]
    assert np.abs((windows - windows[0]) - (together[0] - together[0, 0])).max() > 1e-3
