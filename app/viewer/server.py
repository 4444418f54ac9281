"""Viewer: one page, on 127.0.0.1 unless told otherwise, that shows splats, live while they train.

Callbacks only set state and wake the render threads; nothing here computes what a command cannot.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from app.viewer import address
from app.viewer.cameras import (
    Pose,
    orbit_distance,
    pose_around,
    pose_from_camera,
    reach,
    up_direction,
)
from app.viewer.client_page import client_page
from app.viewer.controls import add_scene_controls
from app.viewer.page import Page, page_scale
from app.viewer.scene_view import RenderWorker
from app.viewer.served_page import ServedPage
from app.viewer.shared_page import shared_page
from app.viewer.stage import Stage

if TYPE_CHECKING:
    from viser import ClientHandle

    from app.viewer.versus import Contestant
    from data.camera import Camera
    from data.scene import Scene
    from splatting.kernels import Kernel
    from splatting.splats import Splats


class Viewer(ServedPage):
    """A page of splats and its state."""

    def __init__(
        self,
        title: str,
        subtitle: str = "",
        port: int | None = None,
        host: str = address.LOOPBACK,
        render: Callable[[Any, Camera], Any] | None = None,
        source: str = "",
        kernel: Kernel | None = None,
        antialiased: bool = False,
        scene_option: str = "",
    ) -> None:
        if render is None:
            import splatting

            render = splatting.render
        self.title = title
        browser = client_page(kernel, antialiased) if kernel else None
        super().__init__(title, subtitle, port, host, browser)
        self._stage = Stage(render)
        self._stage.browser = self._browser
        self._workers: dict[int, RenderWorker] = {}
        self._page = Page(
            self._server, self._stage, self._wake_all, source, scene_option=scene_option
        )
        # a tab may close while its picture is drawn
        warnings.filterwarnings("ignore", "Queued a .* on a closed connection", UserWarning)
        self._server.on_client_connect(self._join)
        self._server.on_client_disconnect(self._leave)

    def show_scene(self, scene: Scene) -> None:
        """Start at the first training view, with the scene upright; offer the cameras."""
        views = [*scene.train, *scene.test]
        cameras = [view.camera for view in views]
        distances = [orbit_distance(camera, scene.points.xyz) for camera in cameras]
        page = self._page
        page.scene, page.views = scene, views
        page.poses = [pose_from_camera(*pair) for pair in zip(cameras, distances, strict=True)]
        distance = float(np.median(distances))
        page.frustum_size = 0.12 * distance
        page.up = up_direction(cameras)
        self._stage.scale = page_scale(distance, reach(cameras, scene.points.xyz))
        self._start_at(page.poses[0], page.up)
        add_scene_controls(page)

    def show_cloud(self, xyz_world: np.ndarray) -> None:
        """Start in front of splats that came without cameras."""
        pose = pose_around(xyz_world)
        distance = float(np.linalg.norm(pose.look_at - pose.position))
        self._page.up = np.array([0.0, -1.0, 0.0])
        self._stage.scale = page_scale(distance, 3.0 * distance)
        self._start_at(pose, self._page.up)
        add_scene_controls(self._page)

    def begin_training(self) -> None:
        """From here on `update` follows; pages leave most of the time to training."""
        self.panel.begin_training()
        self._stage.pace.share = self.panel.share

    def update(self, step: int, values: dict, stop: Callable[[], object] = bool) -> bool:
        """Take the report of a step; False when someone pressed the stop button.

        Returns late while the pause button is down, unless `stop()` turns true.
        """
        self._stage.put(values["live"], live=True)
        self.panel.update(step, values)
        if self.panel.paused:
            self._stage.pace.share = 1.0
            while self.panel.paused and not self.panel.stop_asked and not stop():
                time.sleep(0.05)
        self._stage.pace.share = self.panel.share
        return not self.panel.stop_asked

    def end_training(self, result: Any) -> None:
        """Training is over: its last splats, and all the time there is for looking."""
        self._stage.pace.share = 1.0
        self.panel.end_training(result.steps)
        self.show_splats(result.splats)

    def show_finished(
        self, splats: Any, scene: Scene | None, metrics: Sequence[dict[str, Any]] = ()
    ) -> None:
        """Splats that no longer change, with their scene's cameras and what training reported."""
        if scene is None:
            self.show_cloud(splats.means)
        else:
            self.show_scene(scene)
        self.panel.show_finished(len(splats), splats.sh_degree, metrics)
        self.show_splats(splats)

    def compare(self, first: Contestant, second: Contestant, scene: Scene | None) -> None:
        """Two runs with one camera, `first` as the one that panels speak of."""
        self._page.contestants = first, second
        self.show_finished(first.splats, scene)
        self.panel.show({})  # the numbers of both stand beside each other in the panel

    def show_splats(self, splats: Any) -> None:
        """Put splats on stage that no longer change."""
        self._stage.put(splats)
        self._wake_all()

    def shared_page(self, splats: Splats) -> str:
        """One HTML file that shows `splats` from the start of this page, without a server."""
        browser = self._stage.browser
        if browser is None:
            raise ValueError("expected a viewer that was opened with a kernel")
        scale = self._stage.scale
        position = self._server.initial_camera.position / scale
        caption = f"{self.title} · {splats.kernel.name} · {len(splats):,} splats"
        return shared_page(self._server, browser, splats, position, scale, caption)

    def close(self) -> None:
        """End the page and its threads."""
        if hasattr(self, "_page"):
            self._page.closed = True
        for worker in list(getattr(self, "_workers", {}).values()):
            worker.end()
        super().close()

    def _start_at(self, pose: Pose, up: np.ndarray) -> None:
        scaled = replace(
            pose,
            position=self._stage.scale * pose.position,
            look_at=self._stage.scale * pose.look_at,
        )
        super()._start_at(scaled, up)

    # Coroutines run on viser's own thread, in order: a page cannot leave before it has joined.
    async def _join(self, client: ClientHandle) -> None:
        worker = RenderWorker(client, self._stage, self.panel.show_error)
        self._workers[client.client_id] = worker

        @client.camera.on_update
        async def _(_camera: object) -> None:
            worker.wake()

        worker.start()
        worker.wake()

    async def _leave(self, client: ClientHandle) -> None:
        worker = self._workers.pop(client.client_id, None)
        if worker is not None:
            worker.end()

    def _wake_all(self) -> None:
        for worker in list(self._workers.values()):
            worker.wake()
