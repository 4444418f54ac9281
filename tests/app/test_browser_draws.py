"""What a browser draws by itself, read back from its canvas and held against the rasteriser."""

from __future__ import annotations

import base64
import io
import time
from dataclasses import replace

import numpy as np
import pytest
from browsing import until

import splatting
from app.viewer import Viewer, client_build
from app.viewer.cameras import camera_from_pose, pose_around
from app.viewer.drawing_panel import BROWSER, SERVER
from splatting import kernels
from splatting.bake import bake_gaussian
from splatting.metrics import ssim
from splatting.splats import SH_C0, Splats, from_points

SIZE = {"width": 720, "height": 300}
"""Of the window; the panel takes 324 of its columns."""


def pattern(kernel: str, colour: float = 1.0, antialiased: bool = False) -> Splats:
    """Splats round, long, thin, tiny, faint, large, tilted, and one with its centre outside."""
    rows = [
        # x, y, z, three sigmas, angle about the view, opacity
        (-1.2, -0.8, 0.0, 0.15, 0.15, 0.15, 0.0, 0.95),
        (-0.4, -0.8, 0.0, 0.25, 0.05, 0.1, 0.6, 0.9),
        (0.4, -0.8, 0.0, 0.22, 0.002, 0.002, -0.4, 0.95),
        (1.2, -0.8, 0.5, 0.003, 0.003, 0.003, 0.0, 0.95),
        (-1.2, 0.1, 0.0, 0.15, 0.1, 0.3, 1.0, 0.04),
        (-0.4, 0.1, 0.4, 0.12, 0.2, 0.3, -1.1, 0.3),
        (0.5, 0.2, -0.3, 0.28, 0.2, 0.2, 0.3, 0.7),
        (1.5, 0.3, 0.0, 0.3, 0.15, 0.2, 0.0, 0.9),
        (-0.3, 0.9, 0.0, 0.2, 0.1, 0.1, 0.0, 0.99),
        (2.7, 0.9, 0.0, 0.5, 0.3, 0.5, 0.0, 0.9),
    ]
    table = np.array(rows)
    n = len(table)
    quats = np.zeros((n, 4))
    quats[:, 0], quats[:, 3] = np.cos(table[:, 6] / 2), np.sin(table[:, 6] / 2)
    opacity = table[:, 7]
    of = kernels.get(kernel)
    return Splats(
        means=table[:, :3].astype(np.float32),
        log_scales=np.log(table[:, 3:6] / np.sqrt(of.psi)).astype(np.float32),
        quats=quats.astype(np.float32),
        logit_opacities=np.log(opacity / (1 - opacity)).astype(np.float32),
        sh0=np.full((n, 3), (colour - 0.5) / SH_C0, np.float32),
        shN=np.zeros((n, 0, 3), np.float32),
        kernel=of,
        antialiased=antialiased,
    )


def canvas(page) -> np.ndarray:
    """The pixels of the page's canvas, float 0..1."""
    import PIL.Image

    url = page.evaluate("document.querySelector('canvas[data-engine]').toDataURL()")
    image = PIL.Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return np.asarray(image.convert("RGB"), np.float32) / 255


class Opened:
    """A page that draws by itself, in the browser."""

    def __init__(self, browser, splats: Splats, in_browser: bool = True) -> None:
        self.viewer = Viewer(
            "pattern", port=0, kernel=splats.kernel, antialiased=splats.antialiased
        )
        self.viewer._stage.in_browser = in_browser
        self.viewer.show_finished(splats, None)
        self.page = browser.new_page(viewport=SIZE)
        self.page.goto(self.viewer.address)
        self.page.wait_for_selector("canvas", timeout=30_000)

    def close(self) -> None:
        self.page.close()
        self.viewer.close()

    def settled(self, splats: Splats, measure, below: float) -> float:
        """Wait until `measure(picture, truth)` is below a limit; the last value."""
        value = np.inf
        for _ in range(80):
            if self.viewer.clients():
                picture = canvas(self.page)
                value = measure(picture, self.truth(splats, picture))
                if value < below:
                    break
            time.sleep(0.25)
        return value

    def switch(self, to: str) -> None:
        """Choose in the Look tab who draws."""
        drawn_by = self.page.get_by_role("combobox")
        drawn_by.first.wait_for(state="attached", timeout=30_000)
        (found,) = [box for box in drawn_by.all() if box.input_value() in (SERVER, BROWSER)]
        found.click()
        self.page.get_by_role("option", name=to).click()

    def truth(self, splats: Splats, like: np.ndarray) -> np.ndarray:
        """The picture of our own rasteriser from where the page's camera stands."""
        (client,) = self.viewer.clients().values()
        view = client.camera
        height, width = like.shape[:2]
        position = view.position / self.viewer._stage.scale
        camera = camera_from_pose(view.wxyz, position, view.fov, width, height)
        return np.clip(splatting.render(splats, camera).rgb, 0, 1)

    @property
    def drawn_by_itself(self) -> bool:
        """Whether splats are in the browser."""
        (worker,) = self.viewer._workers.values()
        return worker._layer._node is not None


@pytest.fixture
def opened(browser):
    pages = []

    def open_page(splats: Splats, **how) -> Opened:
        pages.append(Opened(browser, splats, **how))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


def largest(picture: np.ndarray, truth: np.ndarray) -> float:
    return float(np.max(np.abs(picture - truth)))


def mean(picture: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean(np.abs(picture - truth)))


ONE_OF_EACH_PROGRAM = ["raised-cosine", "gaussian", "modular-sinc", "generalised-exponential"]


@pytest.mark.parametrize("kernel", ONE_OF_EACH_PROGRAM)
def test_alpha_is_that_of_the_rasteriser(opened, kernel):
    splats = pattern(kernel)  # white on black: what is read back is alpha
    page = opened(splats)
    assert page.settled(splats, largest, 0.01) < 0.01
    picture = canvas(page.page)
    assert picture.max() > 0.9 and np.mean(picture > 0.02) > 0.05, "nothing to see"


def test_small_splats_keep_their_paint_as_trained(opened):
    splats = pattern("raised-cosine", antialiased=True)
    splats = replace(splats, log_scales=splats.log_scales - 2.0)
    page = opened(splats)
    assert page.settled(splats, largest, 0.01) < 0.01
    assert canvas(page.page).max() > 0.3


def coloured(kernel: str) -> Splats:
    """A hundred splats whose red depends on the side from which they are seen."""
    rng = np.random.default_rng(0)
    n = 100
    plain = pattern(kernel)
    shN = np.zeros((n, 3, 3), np.float32)
    shN[:, 1, 0] = 0.8
    return Splats(
        means=rng.normal(size=(n, 3)).astype(np.float32),
        log_scales=rng.normal(-1.5, 0.3, (n, 3)).astype(np.float32),
        quats=rng.normal(size=(n, 4)).astype(np.float32),
        logit_opacities=rng.normal(2, 1, n).astype(np.float32),
        sh0=rng.normal(0, 0.7, (n, 3)).astype(np.float32),
        shN=shN,
        kernel=plain.kernel,
    )


def test_colours_follow_once_the_camera_rests(opened):
    splats = coloured("parabolic")
    page = opened(splats)
    assert page.settled(splats, mean, 0.004) < 0.004
    (client,) = page.viewer.clients().values()
    look_at = client.camera.look_at
    client.camera.position = 2 * look_at - client.camera.position
    client.camera.look_at = look_at
    before = replace(splats, shN=splats.shN * 0)
    assert page.settled(splats, mean, 0.004) < 0.004
    picture = canvas(page.page)
    assert mean(picture, page.truth(before, picture)) > 0.03, "no colour to follow"


def test_the_switch_filters_modes_and_training(opened):
    splats = coloured("half-cosine")
    page = opened(splats, in_browser=False)
    assert page.settled(splats, mean, 0.02) < 0.02 and not page.drawn_by_itself

    page.switch(BROWSER)
    assert page.settled(splats, mean, 0.004) < 0.004 and page.drawn_by_itself

    stage = page.viewer._stage
    few = np.arange(len(splats)) < 30
    stage.set_filter("few", lambda _: few)
    page.viewer._wake_all()
    assert page.settled(splats.take(few), mean, 0.004) < 0.004 and page.drawn_by_itself
    stage.set_filter("few", lambda _: few & False)
    page.viewer._wake_all()
    assert page.settled(splats.take(few & False), largest, 0.01) < 0.01
    stage.set_filter("few", None)

    stage.mode = lambda render, shown, camera: render(shown.take(few), camera)
    page.viewer._wake_all()
    assert page.settled(splats.take(few), mean, 0.02) < 0.02 and not page.drawn_by_itself
    stage.mode = None

    page.viewer.begin_training()
    moved = replace(splats, means=splats.means + np.float32(0.3))
    stage.put(moved, live=True)
    assert page.settled(moved, mean, 0.004) < 0.004 and page.drawn_by_itself

    page.switch(SERVER)
    assert until(lambda: not page.drawn_by_itself), "the browser kept its splats"
    assert page.settled(moved, mean, 0.02) < 0.02


def real_splats(banana) -> Splats:
    from data import load_scene

    return from_points(load_scene(banana, 4).points, kernels.get("raised-cosine"), opacity=0.7)


def unlike(picture: np.ndarray, truth: np.ndarray) -> float:
    """1 - SSIM."""
    return 1.0 - ssim(picture, truth)


def test_a_real_scene_looks_as_the_server_draws_it(opened, banana):
    splats = real_splats(banana)
    page = opened(splats)
    assert page.settled(splats, unlike, 0.02) < 0.1
    assert canvas(page.page).std() > 0.05


def test_a_client_of_another_kind_draws_gaussians_and_says_so(opened, monkeypatch, tmp_path):
    path = tmp_path / "index.html"
    build = client_build.opened(client_build.path().read_text())
    program = build.program.replace("if (A < -4.0) discard;", "if (A <= -4.0) discard;")
    path.write_text(client_build.closed(replace(build, program=program)))
    monkeypatch.setattr(client_build, "path", lambda: path)
    splats = coloured("triangle")
    page = opened(splats, in_browser=False)
    assert "Gaussians that come closest" in page.viewer.note
    page.switch(BROWSER)
    page.page.get_by_text("Gaussians that come closest").wait_for(timeout=10_000)
    # viser's own shader ends at 2.83 sigma and alpha 0.01
    assert page.settled(bake_gaussian(splats), mean, 0.01) < 0.01 and page.drawn_by_itself


def test_one_file_shows_a_scene_without_a_server(browser, tmp_path):
    splats = coloured("raised-cosine")
    viewer = Viewer("a <b>cup</b>", port=0, kernel=splats.kernel)
    try:
        viewer.show_finished(splats, None)
        start = viewer._server.initial_camera
        pose = start.position, start.fov
        file = tmp_path / "page.html"
        file.write_text(viewer.shared_page(splats), encoding="utf-8")
    finally:
        viewer.close()
    page = browser.new_page(viewport={"width": 400, "height": 300})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto(file.as_uri())
        page.wait_for_selector("canvas", timeout=30_000)
        page.get_by_text("a <b>cup</b> · raised-cosine · 100 splats").wait_for()
        position, fov = pose
        camera = camera_from_pose(pose_around(splats.means).wxyz, position, fov, 400, 300)
        truth = np.clip(splatting.render(splats, camera).rgb, 0, 1)
        for _ in range(80):
            difference = mean(canvas(page), truth)
            if difference < 0.004:
                break
            time.sleep(0.25)
        assert difference < 0.004
        assert page.title() == "a <b>cup</b> · raised-cosine · 100 splats"
        assert {url.partition(":")[0] for url in asked} <= {"file", "blob", "data"}, asked
    finally:
        page.close()
