"""The page: where it listens, what it does under trouble, how much time it takes."""

from __future__ import annotations

import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from app.viewer import Viewer, waiting
from app.viewer.address import free_port
from app.viewer.page import FARTHEST, NEAREST, page_scale
from app.viewer.scene_view import MAX_DEPTH, MIN_DEPTH, RenderWorker, page_depth
from app.viewer.stage import Pace, Stage
from app.viewer.training_panel import Curve, summary_html
from data.errors import UserError


def listener(host: str = "127.0.0.1") -> socket.socket:
    taken = socket.socket()
    taken.bind((host, 0))
    taken.listen()
    return taken


def test_binds_to_this_machine_only():
    viewer = Viewer("cup", port=0, render=lambda *_: None)
    try:
        assert viewer.address.startswith(f"http://127.0.0.1:{viewer.port}/?token=")
        with socket.create_connection(("127.0.0.1", viewer.port), timeout=2):
            pass
        sockets = _listening_addresses(viewer.port)
        assert sockets in (None, {"127.0.0.1"})
    finally:
        viewer.close()


def _listening_addresses(port: int) -> set[str] | None:
    """Addresses on which `port` listens, from the kernel's table; None where there is none."""
    found = set()
    for table, any_address in (("tcp", "00000000"), ("tcp6", "0" * 32)):
        try:
            with open(f"/proc/net/{table}") as lines:
                rows = [line.split() for line in lines][1:]
        except OSError:
            return None
        for row in rows:
            address, row_port = row[1].split(":")
            if int(row_port, 16) == port and row[3] == "0A":
                local = "127.0.0.1" if address == "0100007F" else address
                found.add("any" if address == any_address else local)
    return found


def test_says_nothing_on_stdout(capfd):
    Viewer("cup", port=0, render=lambda *_: None).close()
    assert capfd.readouterr().out == ""


def test_a_port_that_was_asked_for_and_is_taken_is_an_error():
    with listener() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"{port} on 127.0.0.1 cannot be used"):
            free_port("127.0.0.1", port)
    with pytest.raises(UserError, match="0 to 65535"):
        free_port("127.0.0.1", 70000)


def test_the_default_port_gives_way(monkeypatch):
    with listener() as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr("app.viewer.address.DEFAULT_PORT", port)
        assert port < free_port("127.0.0.1", None) < port + 100


def test_ssh_hint_only_when_someone_came_through_ssh(monkeypatch):
    viewer = Viewer("cup", port=0, render=lambda *_: None)
    try:
        monkeypatch.delenv("SSH_CONNECTION", raising=False)
        assert viewer.hint == ""
        monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
        assert f"ssh -L {viewer.port}:127.0.0.1:{viewer.port}" in viewer.hint
    finally:
        viewer.close()


class FakeClient:
    """A browser that stands still and keeps the pictures it is sent."""

    def __init__(self) -> None:
        self.client_id = 0
        self.pictures: list[np.ndarray] = []
        self.camera = SimpleNamespace(
            wxyz=np.array([1.0, 0, 0, 0]),
            position=np.zeros(3),
            fov=1.0,
            image_width=64,
            image_height=48,
        )
        self.scene = SimpleNamespace(set_background_image=self._take)

    def _take(self, image, **_) -> None:
        self.pictures.append(image)

    def flush(self) -> None:
        pass


def picture(camera) -> SimpleNamespace:
    shape = (camera.height, camera.width)
    return SimpleNamespace(
        rgb=np.ones((*shape, 3), np.float32), alpha=np.ones(shape), depth=np.ones(shape)
    )


def until(condition, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_a_failing_render_is_told_and_the_next_one_is_drawn():
    broken = [True]

    def render(_splats, camera):
        if broken[0]:
            raise ValueError("bad splat")
        return picture(camera)

    stage, client, errors = Stage(render), FakeClient(), []
    worker = RenderWorker(client, stage, errors.append)
    worker.start()
    stage.put("splats")
    worker.wake()
    assert until(lambda: "ValueError: bad splat" in errors)
    broken[0] = False
    worker.wake()
    assert until(lambda: client.pictures and errors[-1] == "")
    worker.end()
    worker.join(5)
    assert not worker.is_alive()


def test_a_page_that_waits_for_its_first_picture_says_so(monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.05)
    go_on, notices = threading.Event(), []

    def render(_splats, camera):
        go_on.wait(5)
        return picture(camera)

    stage, client = Stage(render), FakeClient()
    notice = SimpleNamespace(remove=lambda: notices.append("away"))
    client.add_notification = lambda title, _body, **_: notices.append(title) or notice
    worker = RenderWorker(client, stage, lambda _: None)
    worker.start()
    stage.put("splats")
    worker.wake()
    assert until(lambda: notices == ["Drawing the first picture"])
    go_on.set()
    assert until(lambda: client.pictures and notices[-1] == "away")
    for shown in range(2, 4):  # from now on it is quick, and says nothing
        worker.wake()
        assert until(lambda shown=shown: len(client.pictures) >= shown)
    worker.end()
    worker.join(5)
    assert len(notices) == 2


def test_latest_camera_wins_and_rest_brings_full_size():
    positions = []

    def render(_splats, camera):
        positions.append(float(camera.position_world[0]))
        time.sleep(0.05)
        return picture(camera)

    stage, client = Stage(render), FakeClient()
    worker = RenderWorker(client, stage, lambda _: None)
    for pixels in (100, 1000) * 20:
        worker._speed.add(pixels, 1e-4 * pixels)  # so slow that a moving picture must be small
    stage.put("splats")
    worker.start()
    for x in range(200):
        client.camera.position = np.array([float(x), 0, 0])
        worker.wake()
        time.sleep(0.002)
    assert until(lambda: positions[-1] == 199 and client.pictures[-1].shape == (48, 64, 3))
    worker.end()
    worker.join(5)
    assert len(positions) < 60
    assert client.pictures[0].shape[0] < 48


def test_pages_take_a_quarter_of_the_time_while_training():
    pace = Pace()
    pace.share = 0.25
    begin, busy = time.monotonic(), 0.0
    for _ in range(4):
        with pace.turn():
            time.sleep(0.03)
            busy += 0.03
    with pace.turn():
        assert busy / (time.monotonic() - begin) < 0.27


def test_depth_of_a_page_is_mean_depth_where_solid_and_far_elsewhere():
    output = SimpleNamespace(
        alpha=np.array([[0.8, 0.1, 0.0, 1.0]]), depth=np.array([[4.0, 0.3, 0.0, 0.0]]), rgb=None
    )
    np.testing.assert_allclose(
        page_depth(output, 1.0), [[5.0, MAX_DEPTH, MAX_DEPTH, MIN_DEPTH]], rtol=1e-6
    )
    output.depth = output.depth * 1000
    assert page_depth(output, 0.01)[0, 0] == pytest.approx(50.0)
    assert page_depth(output, 1.0)[0, 0] == MAX_DEPTH


def test_scenes_of_any_size_fit_the_depth_of_a_page():
    for size in 10.0 ** np.arange(-4, 6, 0.5):
        scale = page_scale(size, 12 * size)
        assert NEAREST <= scale * size <= FARTHEST / 12 or scale == 1.0
        assert scale * 12 * size <= FARTHEST
        assert np.log10(scale) == round(np.log10(scale))


def test_panel_text_is_escaped():
    text = summary_html("<script>", "a & b", {"<k>": "<v>"}, "<img>")
    assert "<script>" not in text and "<img>" not in text and "&lt;k&gt;" in text


def test_curve_stays_short_and_keeps_both_ends():
    curve = Curve()
    for x in range(5000):
        curve.add(x, -x)
    x, y = curve.data()
    assert len(x) <= 400 and x[0] == 0 and x[-1] == 4999
    np.testing.assert_array_equal(y, -x)
    assert np.all(np.diff(x) > 0)
