"""What a browser draws by itself, read back from its canvas and held against the rasteriser."""

from __future__ import annotations

import time

import numpy as np
import pytest

import splatting
from app.viewer import Viewer
from app.viewer.cameras import camera_from_pose
from splatting import kernels
from splatting.splats import SH_C0, Splats
from tests.app.test_browser import browser, seen  # noqa: F401  (a fixture)

SIZE = {"width": 960, "height": 480}


def pattern(kernel: str, colour: float = 1.0, antialiased: bool = False) -> Splats:
    """Splats apart from each other: round, long, thin, tiny, faint, large, tilted, at the rim."""
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


class Opened:
    """A page in the browser that draws by itself."""

    def __init__(self, browser, splats: Splats, in_browser: bool = True) -> None:  # noqa: F811
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

    def truth(self, splats: Splats) -> np.ndarray:
        """The picture of our own rasteriser from where the page's camera stands."""
        (client,) = self.viewer.clients().values()
        view = client.camera
        height, width = seen(self.page).shape[:2]
        camera = camera_from_pose(view.wxyz, view.position, view.fov, width, height)
        return np.clip(splatting.render(splats, camera).rgb, 0, 1)

    def settled(self, splats: Splats, measure, below: float) -> float:
        """Wait until `measure(picture, truth)` is below a limit; the last value."""
        value = np.inf
        for _ in range(60):
            if self.viewer.clients():
                value = measure(seen(self.page), self.truth(splats))
                if value < below:
                    break
            time.sleep(0.25)
        return value


@pytest.fixture
def opened(browser):  # noqa: F811
    pages = []

    def open_page(splats: Splats, **how) -> Opened:
        pages.append(Opened(browser, splats, **how))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


def largest(picture: np.ndarray, truth: np.ndarray) -> float:
    return float(np.max(np.abs(picture - truth)))


@pytest.mark.parametrize("kernel", ["raised-cosine", "gaussian", "modular-sinc", "triangle"])
def test_alpha_is_that_of_the_rasteriser(opened, kernel):
    splats = pattern(kernel)  # white on black: what is read back is alpha
    page = opened(splats)
    assert page.settled(splats, largest, 0.01) < 0.01
    truth = page.truth(splats)
    assert truth.max() > 0.9 and np.mean(truth > 0.02) > 0.05, "nothing to see"
