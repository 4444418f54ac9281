"""The cameras of the photos in the scene, each with its photo in it; a click brings one there."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import UserError

if TYPE_CHECKING:
    from app.viewer.page import Page

TRAIN_COLOUR, TEST_COLOUR = (88, 166, 255), (240, 136, 62)
MOST_SHOWN = 300
"""More would hide the scene, and a browser draws each with a picture of its own."""
LONGEST = 160
"""Pixels along the longer side of a thumbnail."""


class Frustums:
    """Made when they are first shown; thumbnails come one after the other, off the page's way."""

    def __init__(self, page: Page, on_click: Callable[[int, Any], None]) -> None:
        self._page = page
        self._on_click = on_click
        self._handles: dict[int, Any] = {}

    @property
    def shown(self) -> list[int]:
        """The photos that have one: all, or as many evenly spread."""
        count = len(self._page.views)
        return sorted({int(i) for i in np.linspace(0, count - 1, min(count, MOST_SHOWN)).round()})

    @functools.cached_property
    def _size(self) -> float:
        """Units of the page: small enough that neighbours hardly hide one another."""
        from data.neighbours import nearest

        places = np.array([self._page.poses[index].position for index in self.shown])
        size = 0.5 * self._page.frustum_size
        if len(places) > 1:
            apart, _ = nearest(places, places, 2)
            size = min(size, max(0.6 * float(np.median(apart[:, 1])), 0.1 * size))
        return self._page.scale * size

    def show(self, visible: bool) -> None:
        """Show or hide them all."""
        if visible and not self._handles:
            with self._page.server.atomic():
                for index in self.shown:
                    self._handles[index] = self._frustum(index)
            threading.Thread(target=self._fill, name="thumbnails", daemon=True).start()
        for handle in list(self._handles.values()):
            handle.visible = visible
        self._page.stage.want_depth("frustums", visible)
        self._page.wake()

    def _frustum(self, index: int) -> Any:
        page = self._page
        view, pose = page.views[index], page.poses[index]
        frustum = page.server.scene.add_camera_frustum(
            f"/cameras/{index}",
            fov=pose.fov_y_rad,
            aspect=view.camera.width / view.camera.height,
            scale=self._size,
            thickness=1.5,
            thickness_units="screen",
            color=TEST_COLOUR if view.split == "test" else TRAIN_COLOUR,
            wxyz=pose.wxyz,
            position=page.scale * pose.position,
            cast_shadow=False,
            receive_shadow=False,
            jpeg_quality=80,
        )
        frustum.on_click(lambda event: self._on_click(index, event.client))
        return frustum

    def _fill(self) -> None:
        from data.thumbnails import thumbnail

        for index, handle in list(self._handles.items()):
            try:
                handle.image = thumbnail(self._page.views[index], LONGEST)
            except UserError:
                continue  # a broken photo keeps its wires
            except RuntimeError:
                return  # the page has closed
