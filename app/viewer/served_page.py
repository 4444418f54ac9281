"""ServedPage: a page with nothing on it yet: where it is served, who may come in, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
from typing import TYPE_CHECKING

import numpy as np

from app.viewer import address, gate, inbound
from app.viewer.client_page import ClientPage, open_with
from app.viewer.training_panel import Panel
from data.errors import UserError

if TYPE_CHECKING:
    from viser import ClientHandle

    from app.viewer.cameras import Pose

COLLECT_AFTER_S = 0.5
"""From the goodbye of a page until nothing refers to it any more but itself."""


class ServedPage:
    """What all pages share; `close()` ends it. All methods may be called from any thread."""

    def __init__(
        self,
        title: str,
        subtitle: str = "",
        port: int | None = None,
        host: str = address.LOOPBACK,
        browser: ClientPage | None = None,
    ) -> None:
        bound = address.resolve(host)
        wanted = address.free_port(bound, port)
        self.host = host
        self._gate = gate.Gate(host)
        with _quiet():
            self._server, self._browser = open_with(
                browser, lambda: gate.open_server(self._gate, bound, wanted)
            )
        inbound.bound(self._server)
        self.port = self._server.get_port()
        if port not in (None, 0) and self.port != port:
            self.close()
            raise UserError(f"--port: {port} on {host} was taken a moment ago; choose another")
        self._server.gui.configure_theme(
            dark_mode=True, show_logo=False, show_share_button=False, brand_color=(88, 166, 255)
        )
        self._server.gui.main_panel.dock_right()
        self.panel = Panel(self._server, title, subtitle)
        self._server.on_client_disconnect(self._collect)

    @property
    def address(self) -> str:
        """What to open in a browser, with its token."""
        return address.url(self.host, self.port, self._gate.token)

    @property
    def hint(self) -> str:
        """What `--host` means, how to come from another machine; empty when there is neither."""
        return address.hint(self.host, self.port)

    @property
    def note(self) -> str:
        """What browsers cannot draw as it is; empty where they can."""
        return self._browser.note if self._browser else ""

    def clients(self) -> dict[int, ClientHandle]:
        """The open pages."""
        return self._server.get_clients()

    def close(self) -> None:
        """End the page."""
        with _quiet():
            self._server.stop()

    def _start_at(self, pose: Pose, up: np.ndarray) -> None:
        self._server.scene.set_up_direction(tuple(up))
        start = self._server.initial_camera
        start.position, start.look_at, start.up = pose.position, pose.look_at, pose.up
        start.fov = pose.fov_y_rad

    async def _collect(self, _client: ClientHandle) -> None:
        """A page that left is a cycle of viser's objects. Left to Python, hundreds of them wait for
        the next full collection, 30 kB each, and what lives on lies scattered between them."""
        asyncio.get_running_loop().call_later(COLLECT_AFTER_S, gc.collect)


def _quiet() -> contextlib.AbstractContextManager:
    """viser greets and says goodbye on stdout, which belongs to the commands."""
    return contextlib.redirect_stdout(io.StringIO())
