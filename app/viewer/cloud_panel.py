"""How a cloud is shown: colours, size of points, how many, which way is up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.viewer.cloud_colours import can_be_lit, choices, legend
from app.viewer.cloud_view import MOST_POINTS, PAGE_POINTS, UPS

if TYPE_CHECKING:
    from viser import ViserServer

    from app.viewer.cloud_view import CloudView


class CloudPanel:
    """Widgets in the main panel; `changed` is called when other points are shown."""

    def __init__(self, server: ViserServer, view: CloudView, changed: Callable[[], None]) -> None:
        gui = server.gui
        self._view = view
        self._colour = gui.add_dropdown("colour", choices(view.cloud), initial_value=view.by)
        self._legend = gui.add_html(legend(view.cloud, view.by))
        self._light = gui.add_checkbox("light", view.light, hint="By the normals of the points")
        size = gui.add_slider("point size", 0.2, 5.0, 0.1, view.size)
        up = gui.add_dropdown("up", tuple(UPS), initial_value=view.up)
        self._count = gui.add_slider(
            "points, thousands", 1, 2, 1, 1, hint="More than a browser holds make it slow"
        )

        @self._colour.on_update
        def _(event) -> None:
            if event.client is not None:
                view.by = self._colour.value
                view.recolour()
            self._legend.content = legend(view.cloud, view.by)
            self._light.visible = can_be_lit(view.cloud, view.by)

        @self._light.on_update
        def _(_event: object) -> None:
            view.light = self._light.value
            view.recolour()

        @size.on_update
        def _(_event: object) -> None:
            view.size = size.value
            view.resize()

        @up.on_update
        def _(_event: object) -> None:
            view.up = up.value
            view.stand_up()

        @self._count.on_update
        def _(event) -> None:
            if event.client is not None:
                view.limit = min(1000 * int(self._count.value), len(view.cloud))
                view.draw()
                changed()

        self.renew()

    def renew(self) -> None:
        """Another cloud is shown."""
        view = self._view
        self._colour.options = choices(view.cloud)
        self._colour.value = view.by
        self._legend.content = legend(view.cloud, view.by)
        self._light.visible = can_be_lit(view.cloud, view.by)
        self._count.visible = len(view.cloud) > PAGE_POINTS
        self._count.max = max(2, -(-min(len(view.cloud), MOST_POINTS) // 1000))
        self._count.value = max(1, view.limit // 1000)
