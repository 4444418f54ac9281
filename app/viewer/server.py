"""Viewer: one page on 127.0.0.1 that shows splats, live while they train.

Callbacks only set state and wake the render threads; nothing here computes what a command cannot.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from app.viewer.cameras import (
    Pose,
    orbit_distance,
    pose_around,
    pose_from_camera,
    reach,
    up_direction,
)
from app.viewer.controls import add_scene_controls
from app.viewer.page import Page, page_scale
from app.viewer.scene_view import RenderWorker
from app.viewer.stage import Stage
from app.viewer.training_panel import Panel
from data.errors import UserError

if TYPE_CHECKING:
    from viser import ClientHandle

    from app.viewer.versus import Contestant
    from data.camera import Camera
    from data.scene import Scene

DEFAULT_PORT = 8080
TRAINING_SHARE = 0.25
"""Pages take at most this share of the time while training runs."""


def free_port(host: str, port: int | None) -> int:
    """`port` itself, or the next free one from 8080 when none was asked for.

    Raises UserError when the port asked for is out of range or taken.
    """
    if port is not None:
        if not 0 <= port <= 65535:
            raise UserError(f"--port: expected 0 to 65535, found {port}; choose a free port")
        problem = _port_problem(host, port)
        if problem:
            raise UserError(
                f"--port: expected a free port, but {port} on {host} cannot be used ({problem}); "
                "choose another, or leave --port out to take the next free one"
            )
        return port
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + 100):
        if not _port_problem(host, candidate):
            return candidate
    raise UserError(
        f"expected a free port from {DEFAULT_PORT} to {DEFAULT_PORT + 99} on {host}, found none; "
        "name one with --port or use --no-viewer"
    )


def _port_problem(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the server itself binds: a port in TIME_WAIT is free, one being listened on is not.
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return ""


def _quiet() -> contextlib.AbstractContextManager:
    """viser greets and says goodbye on stdout, which belongs to the commands."""
    return contextlib.redirect_stdout(io.StringIO())


class Viewer:
    """The page and its state; `close()` ends it. All methods may be called from any thread."""

    def __init__(
        self,
        title: str,
        subtitle: str = "",
        port: int | None = None,
        host: str = "127.0.0.1",
        render: Callable[[Any, Camera], Any] | None = None,
        source: str = "",
    ) -> None:
        try:
            import viser
        except ImportError as error:
            raise UserError(
                f"the page needs the package viser, found: {error}; "
                "pip install viser, or train with --no-viewer"
            ) from error
        if render is None:
            import splatting

            render = splatting.render
        wanted = free_port(host, port)
        self.host = host
        with _quiet():
            self._server = viser.ViserServer(host=host, port=wanted, label="Darb3D", verbose=False)
        self.port = self._server.get_port()
        if port not in (None, 0) and self.port != port:
            self.close()
            raise UserError(f"--port: {port} on {host} was taken a moment ago; choose another")
        self._stage = Stage(render)
        self._workers: dict[int, RenderWorker] = {}
        self._page = Page(self._server, self._stage, self._wake_all, source)
        self._server.gui.configure_theme(
            dark_mode=True, show_logo=False, show_share_button=False, brand_color=(88, 166, 255)
        )
        self._server.gui.main_panel.dock_right()
        self.panel = Panel(self._server, title, subtitle)
        self._server.on_client_connect(self._join)
        self._server.on_client_disconnect(self._leave)

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{self.host}:{self.port}"

    @property
    def hint(self) -> str:
        """How to reach the page from another machine; empty when nobody came through ssh."""
        if not os.environ.get("SSH_CONNECTION"):
            return ""
        return f"from your own machine: ssh -L {self.port}:127.0.0.1:{self.port} <this machine>"

    def clients(self) -> dict[int, ClientHandle]:
        """The open pages."""
        return self._server.get_clients()

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
        self._stage.pace.share = TRAINING_SHARE
        self.panel.begin_training()

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
            self._stage.pace.share = TRAINING_SHARE
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

    def close(self) -> None:
        """End the page and its threads."""
        if hasattr(self, "_page"):
            self._page.closed = True
        for worker in list(getattr(self, "_workers", {}).values()):
            worker.end()
        with _quiet():
            self._server.stop()

    def _start_at(self, pose: Pose, up: np.ndarray) -> None:
        self._server.scene.set_up_direction(tuple(up))
        start = self._server.initial_camera
        scale = self._stage.scale
        start.position, start.look_at = scale * pose.position, scale * pose.look_at
        start.up = pose.up
        start.fov = pose.fov_y_rad

    def _join(self, client: ClientHandle) -> None:
        worker = RenderWorker(client, self._stage, self.panel.show_error)
        self._workers[client.client_id] = worker
        client.camera.on_update(lambda _: worker.wake())
        worker.start()
        worker.wake()

    def _leave(self, client: ClientHandle) -> None:
        worker = self._workers.pop(client.client_id, None)
        if worker is not None:
            worker.end()

    def _wake_all(self) -> None:
        for worker in list(self._workers.values()):
            worker.wake()
