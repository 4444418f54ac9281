"""A real `darb3d train` and its open pages: pause, resume, stop, the time it gives to pictures;
pages that come, go and die, and a render that fails, never end it."""

from __future__ import annotations

import gc
import json
import re
import threading
import time
import weakref
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from app.viewer import Viewer
from app.viewer.training_panel import TRAINING_SHARE
from benchmarks.page_client import PageClient


def steps(run) -> int:
    """The last step that was reported."""
    try:
        lines = (run / "metrics.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return -1
    return json.loads(lines[-1])["step"] if lines else -1


def until(condition, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def goes_on(run) -> bool:
    before = steps(run)
    return until(lambda: steps(run) > before + 20)


@pytest.fixture
def training(darb3d, mini_scene, tmp_path):
    """A training without end: its process, its page's address, its run folder."""
    words = ("--steps", 10_000_000, "--max-splats", 2000, "--out", "run", "--exit")
    process = darb3d.start("train", mini_scene, *words, cwd=tmp_path)
    assert process.stdout is not None
    address = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)))[0]
    threading.Thread(target=process.stdout.read, daemon=True).start()
    run = tmp_path / "run"
    assert until(lambda: steps(run) > 0, 200), process.stderr.read()
    yield process, address, run
    process.kill()
    process.communicate()


def test_pages_come_go_and_die_and_training_goes_on(training):
    process, address, run = training
    pages = [PageClient(address) for _ in range(5)]
    assert all(page.picture() for page in pages)
    for page in pages[:2]:
        page.close()
    pages[2].kill()  # as a browser that is killed: no goodbye
    assert goes_on(run)
    for _ in range(3):  # reloaded in the middle
        pages[3].close()
        pages[3] = PageClient(address)
        pages[3].picture()
    assert goes_on(run) and pages[4].picture()
    pages[3].close()
    pages[4].kill()
    viewers = psutil.Process(process.pid)
    assert until(lambda: not connected(viewers)), "sockets of closed pages stay open"
    assert goes_on(run)


def test_a_page_that_left_is_forgotten():
    viewer = Viewer("cup", port=0, render=lambda *_: None)
    gc.disable()  # Python's own collections come when hundreds have left
    try:
        with PageClient(viewer.address):
            assert until(lambda: viewer.clients())
            handle = weakref.ref(next(iter(viewer.clients().values())))
        assert until(lambda: handle() is None, 10)
    finally:
        gc.enable()
        viewer.close()


def connected(process: psutil.Process) -> list:
    return [c for c in process.net_connections("inet") if c.status == psutil.CONN_ESTABLISHED]


def test_pause_resume_and_stop(training):
    process, address, run = training
    with PageClient(address) as page:
        page.set("Pause")
        assert until(lambda: _still(run)), "does not pause"
        page.move(page.seat.turned(0.3))
        assert page.picture(), "a paused training can be looked at"
        page.set("Resume")
        assert goes_on(run)
        page.set("time for the page, %", 50)
        page.set("Stop and save")
        assert process.wait(timeout=120) == 0
    assert (run / "splats.safetensors").exists() and (run / "eval.json").exists()
    assert not (run / "finished").exists(), "it can be resumed"


def _still(run) -> bool:
    before = steps(run)
    time.sleep(1.5)
    return steps(run) == before


def test_no_viewer_opens_no_port(darb3d, mini_scene, tmp_path):
    words = ("--steps", 10_000_000, "--max-splats", 2000, "--out", "run", "--no-viewer")
    process = darb3d.start("train", mini_scene, *words, cwd=tmp_path)
    assert until(lambda: steps(tmp_path / "run") > 0, 200)
    found = psutil.Process(process.pid)
    assert not found.net_connections("inet")
    assert not any("viser" in file.path for file in found.memory_maps())
    process.kill()


def draw(splats, camera):
    """Grey, or whatever goes wrong with these splats."""
    if isinstance(splats, Exception):
        raise splats
    shape = (camera.height, camera.width)
    return SimpleNamespace(
        rgb=np.full((*shape, 3), 0.5), alpha=np.ones(shape), depth=np.ones(shape)
    )


def values(live) -> dict:
    numbers = {"psnr": 1.0, "loss": 1.0, "splats": 1, "steps_per_second": 1.0}
    return {"live": live, "progress": 0.5, "seconds": 1.0, **numbers}


@pytest.fixture
def viewer():
    shown = Viewer("cup", port=0, render=draw)
    yield shown
    shown.close()


def test_the_slider_sets_the_share_of_the_pages(viewer):
    viewer.begin_training()
    pace = viewer._stage.pace
    assert pace.share == TRAINING_SHARE
    with PageClient(viewer.address) as page:
        page.set("time for the page, %", 60)
        assert until(lambda: viewer.panel.share == 0.6)
        viewer.update(1, values(None))
        assert pace.share == 0.6
        page.set("Pause")
        assert until(lambda: viewer.panel.paused)
        seen = []
        viewer.update(2, values(None), lambda: seen.append(pace.share) or True)
        assert seen == [1.0] and pace.share == 0.6


def test_a_render_that_fails_is_said_and_training_goes_on(viewer):
    viewer.begin_training()
    with PageClient(viewer.address) as page:
        assert viewer.update(1, values(ValueError("no such splat")))
        assert any("ValueError: no such splat" in str(message) for message in page.messages(10))
        assert viewer.update(2, values("splats"))
        assert page.picture(10)


def test_pages_leave_nothing_behind(viewer):
    viewer.show_splats("splats")
    threads = threading.active_count()
    for _ in range(3):
        pages = [PageClient(viewer.address) for _ in range(5)]
        assert all(page.picture(20) for page in pages)
        assert len(viewer._workers) == 5
        for page in pages[:3]:
            page.close()
        for page in pages[3:]:
            page.kill()
        assert until(lambda: not viewer._workers and not viewer.clients(), 20)
    drawing = [thread for thread in threading.enumerate() if thread.name.startswith("viewer-")]
    assert until(lambda: not any(thread.is_alive() for thread in drawing), 5)
    # viser keeps up to 32 threads for callbacks
    assert threading.active_count() <= threads + 32
    server = viewer._server._websock_server
    assert not server._client_state_from_id and not server._live_connections
