"""CloudPage: a cloud of points in the browser, and what a classifier says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.viewer import address
from app.viewer.cameras import Pose
from app.viewer.captions import plain_number
from app.viewer.class_panel import ClassPanel
from app.viewer.cloud_panel import CloudPanel
from app.viewer.cloud_view import RADIUS, CloudView
from app.viewer.interfaces import Predictor
from app.viewer.lights import add_lights
from app.viewer.served_page import ServedPage
from app.viewer.upload import add_upload
from data.clouds import READ, PointCloud, read_cloud


class CloudPage(ServedPage):
    """A page of one cloud; others can be put in its place by upload. With `load`, which is called
    beside the page's own work, it says what the cloud is."""

    def __init__(
        self,
        cloud: PointCloud,
        title: str = "",
        port: int | None = None,
        host: str = address.LOOPBACK,
        load: Callable[[], Predictor] | None = None,
    ) -> None:
        super().__init__(title, "", port, host)
        add_lights(self._server.scene)
        self.view = CloudView(self._server, cloud)
        self._classes = None
        if load is not None:
            self._classes = ClassPanel(self._server, self.view, load, self.panel.show_error)
        self._looks = CloudPanel(self._server, self.view, self._describe)
        add_upload(self._server, "Open a cloud", READ, self._open, self.panel.show_error)
        self._start_at(_pose(), np.array([0.0, 1.0, 0.0]))
        self._describe()
        if self._classes is not None:
            self._classes.classify()

    def _open(self, path: Path, title: str) -> None:
        """Show an uploaded cloud in place of the one there was."""
        self.panel.say("reading…")
        try:
            cloud = read_cloud(path)
        finally:
            self.panel.say("")
        self.view.show(cloud)
        self._looks.renew()
        self.panel.rename(title)
        self._describe()
        if self._classes is not None:
            self._classes.classify()

    def _describe(self) -> None:
        view = self.view
        cells = {
            "points": f"{len(view.cloud):,}",
            "size": plain_number(2 * RADIUS / view.scale),
            "a square": f"{view.grid_step:g}",
        }
        shown = min(view.limit, len(view.cloud))
        if shown < len(view.cloud):
            cells["shown"] = f"{shown:,}"
            self.panel.say(
                f"{shown:,} of {len(view.cloud):,} points, picked at random: pages stay quick"
            )
        else:
            self.panel.say("")
        self.panel.show(cells)


def _pose() -> Pose:
    """From the side, a little above."""
    way = np.array([0.6, 0.45, 1.0])
    eye = 2.6 * RADIUS * way / np.linalg.norm(way)
    up = np.array([0.0, 1.0, 0.0])
    return Pose(np.array([1.0, 0, 0, 0]), eye, np.zeros(3), up, fov_y_rad=0.75)
