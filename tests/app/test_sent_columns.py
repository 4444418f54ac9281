"""What a browser is sent: shapes in 96 bits, covariances in half precision, when and how often."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from app.viewer import splat_layer
from app.viewer.client_page import ClientPage
from app.viewer.splat_columns import LOG_RANGE, columns, shape_bits
from app.viewer.splat_layer import SplatLayer, differ
from app.viewer.stage import Stage
from data.geometry import rotation_from_quat
from splatting import kernels
from splatting.splats import Splats


def some(n: int, log_scale: float = -3.0, kernel: str = "parabolic") -> Splats:
    rng = np.random.default_rng(n)
    return Splats(
        means=rng.normal(size=(n, 3)).astype(np.float32),
        log_scales=rng.normal(log_scale, 1.0, (n, 3)).astype(np.float32),
        quats=rng.normal(size=(n, 4)).astype(np.float32),
        logit_opacities=rng.normal(size=n).astype(np.float32),
        sh0=rng.normal(size=(n, 3)).astype(np.float32),
        shN=rng.normal(0, 0.2, (n, 3, 3)).astype(np.float32),
        kernel=kernels.get(kernel),
    )


def from_bits(bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log sigmas and quaternions as the shader reads them."""
    log_sigmas = bits[:, :3] * (LOG_RANGE / 32767.5) - LOG_RANGE
    small = ((bits[:, 3:] & 0x7FFF) / 16383.5 - 1.0) * np.sqrt(0.5)
    largest = (bits[:, 3] >> 15) | (bits[:, 4] >> 15) << 1
    large = np.sqrt(1.0 - np.sum(small**2, axis=1))
    wxyz = np.array([np.insert(s, k, v) for s, k, v in zip(small, largest, large, strict=True)])
    return log_sigmas, wxyz


def test_shapes_survive_their_96_bits():
    rng = np.random.default_rng(0)
    quats = np.concatenate([rng.normal(size=(2000, 4)), np.eye(4), -np.eye(4), np.ones((1, 4))])
    log_sigmas = rng.uniform(-12, 8, (len(quats), 3))
    found_log, found = from_bits(shape_bits(log_sigmas, quats))
    np.testing.assert_allclose(found_log, log_sigmas, atol=4e-4)
    turn = rotation_from_quat(quats) @ rotation_from_quat(found).transpose(0, 2, 1)
    angle = np.linalg.norm(turn - np.eye(3), axis=(1, 2)) / np.sqrt(2.0)
    assert angle.max() < 1.5e-4


def test_shapes_stand_in_the_places_that_are_sent():
    splats = some(200_000)  # more than one part
    held = columns(splats)
    sent = held.shapes.reshape(-1, 9)[:, [0, 1, 2, 4, 5, 8]].view(np.uint16)
    log_sigmas = splats.log_scales + 0.5 * np.log(splats.kernel.psi)
    np.testing.assert_array_equal(sent, shape_bits(log_sigmas, splats.quats))
    np.testing.assert_array_equal(held.centres, splats.means)
    opacity = 1 / (1 + np.exp(-splats.logit_opacities))
    np.testing.assert_allclose(held.opacities[:, 0] / 255, opacity, atol=0.51 / 255)


@pytest.mark.parametrize("log_scale", [-12.0, -3.0, 6.0])
def test_covariances_for_the_plain_client_fit_half_precision(log_scale):
    splats = some(5000, log_scale)
    splats.log_scales[0] = log_scale + 20  # a giant
    held = columns(splats, plain=True)
    assert np.isfinite(held.shapes).all() and held.shapes.dtype == np.float16
    turn = rotation_from_quat(splats.quats)
    sigmas = np.exp(splats.log_scales.astype(np.float64))
    half = np.sqrt(splats.kernel.psi) * turn * sigmas[:, None]
    truth = (half @ half.transpose(0, 2, 1))[1:]
    found = held.shapes[1:].astype(np.float64) / held.zoom**2
    size = np.trace(truth, axis1=1, axis2=2)[:, None, None]
    assert np.quantile(np.abs(found - truth) / size, 0.999) < 1e-3
    np.testing.assert_allclose(held.centres / held.zoom, splats.means, rtol=1e-5, atol=1e-6)


class FakeNode:
    """Splats in a browser: says what is done to them."""

    def __init__(self, say) -> None:
        self.__dict__.update(
            _say=say, set_gaussians=lambda *_: say("splats"), remove=lambda: say("removed")
        )

    def __setattr__(self, name: str, _value: object) -> None:
        if name != "scale":
            self._say(name)


class FakeClient:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        say = self.sent.append
        self.scene = SimpleNamespace(
            set_background_image=lambda *_, **__: say("background"),
            add_gaussian_splats=lambda *_, **__: say("added") or FakeNode(say),
        )

    def atomic(self):
        import contextlib

        return contextlib.nullcontext()

    def flush(self) -> None:
        pass

    def news(self) -> list[str]:
        news = list(self.sent)
        self.sent.clear()
        return news


@pytest.fixture
def layer(tmp_path):
    stage = Stage(lambda *_: None)
    stage.browser = ClientPage(tmp_path, changes={})
    stage.put(some(1000))
    client = FakeClient()
    return SplatLayer(client, stage), client, stage


def test_nothing_is_sent_twice(layer):
    shown, client, stage = layer
    here, there = np.zeros(3), np.array([0.0, 8.0, 0.0])
    shown.refresh(here, resting=False)
    assert client.news() == ["added", "background"]
    time.sleep(0.01)  # 1000 splats take 1.6 ms of the line
    shown.refresh(here, resting=True)
    shown.refresh(there, resting=False)
    assert client.news() == []
    shown.refresh(there, resting=True)
    assert client.news() == ["rgbs"]
    time.sleep(0.01)
    shown.refresh(there, resting=True)
    shown.refresh(there + 1e-6, resting=True)  # nobody would see it
    assert client.news() == []
    stage.put(some(1100))
    shown.refresh(there, resting=False)
    assert client.news() == ["splats", "background"]
    shown.hide()
    shown.hide()
    assert client.news() == ["removed"]


def test_training_and_many_splats_wait_their_time(layer, monkeypatch):
    shown, client, stage = layer
    stage.put(some(1000), live=True)
    shown.refresh(np.zeros(3), resting=True)
    assert client.news()
    time.sleep(0.01)
    stage.put(some(1000), live=True)
    shown.refresh(np.zeros(3), resting=True)
    assert client.news() == [], "before its time"
    monkeypatch.setattr(splat_layer, "LIVE_EVERY_S", 0.0)
    stage.put(some(1000))
    shown._next_at = 0.0
    shown.refresh(np.zeros(3), resting=True)
    assert client.news()
    monkeypatch.setattr(splat_layer, "BYTES_PER_S", 1e3)  # 32 kB take half a minute
    shown._sent()
    stage.put(some(1000))
    shown.refresh(np.zeros(3), resting=True)
    assert client.news() == []


def test_no_splats_are_no_node(layer):
    shown, client, stage = layer
    shown.refresh(np.zeros(3), resting=True)
    client.news()
    stage.put(some(1000).take(np.zeros(1000, bool)))
    time.sleep(0.01)
    shown.refresh(np.zeros(3), resting=True)
    assert client.news() == ["removed", "background"]


def test_differences_that_nobody_sees():
    grey = np.full((10_000, 3), 100, np.uint8)
    assert not differ(grey, grey + np.uint8(2))
    few = grey.copy()
    few[:5] += 50
    assert not differ(grey, few)
    few[:50] += 50
    assert differ(grey, few) and differ(few, grey)
