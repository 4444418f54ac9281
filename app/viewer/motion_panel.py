"""How the skeleton is shown: which clip, colours, trails, what was hidden."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.viewer import trails
from app.viewer.limb_colours import choices
from app.viewer.playback import Playback

if TYPE_CHECKING:
    from viser import ViserServer

    from app.viewer.skeleton_view import SkeletonView


class MotionPanel:
    """Widgets in the main panel; `changed` is called after each change of looks."""

    def __init__(
        self,
        server: ViserServer,
        playback: Playback,
        view: SkeletonView,
        changed: Callable[[], None],
    ) -> None:
        gui = server.gui
        self._playback, self._view, self._changed = playback, view, changed
        self._clip = gui.add_dropdown("clip", self._clips())
        self._colour = gui.add_dropdown(
            "colour", choices(playback.motion), initial_value=view.look.by
        )
        ways = (trails.NONE, trails.ENDS, trails.PICKED, trails.ALL)
        self._trails = gui.add_dropdown("trails", ways, initial_value=view.trails.which)
        length = gui.add_slider("trail, s", 0.1, 5.0, 0.1, view.trails.seconds)
        thickness = gui.add_slider("thickness", 0.3, 3.0, 0.1, 1.0)
        hidden = gui.add_checkbox(
            "mark hidden joints", True, hint="Hollow, where a joint was not seen and filled in"
        )
        names = gui.add_checkbox("names", False, hint="Or click a joint for its name")
        self._in_place = gui.add_checkbox(
            "in place", view.in_place, hint="Without the way along the floor"
        )

        @self._clip.on_update
        def _(event) -> None:
            if event.client is not None:
                playback.choose(self._clip.options.index(self._clip.value))

        @self._colour.on_update
        def _(_event: object) -> None:
            view.look.by = self._colour.value
            self._redraw()

        @self._trails.on_update
        def _(_event: object) -> None:
            view.trails.which = self._trails.value
            self._retrail()

        @length.on_update
        def _(_event: object) -> None:
            view.trails.seconds = length.value
            self._retrail()

        @thickness.on_update
        def _(_event: object) -> None:
            view.look.thickness = thickness.value
            self._redraw()

        @hidden.on_update
        def _(_event: object) -> None:
            view.look.hidden_marked = hidden.value
            self._redraw()

        @names.on_update
        def _(_event: object) -> None:
            view.look.names = names.value
            self._redraw()

        @self._in_place.on_update
        def _(event) -> None:
            if event.client is not None:  # not what a clip asks for
                view.look.in_place = self._in_place.value
                view.rebuild()

        playback.on_clip.append(self._renew)
        self._renew()

    def _clips(self) -> tuple[str, ...]:
        """Names of the clips, each its own."""
        return tuple(
            f"{number}. {motion.name}" if motion.name else f"{number}."
            for number, motion in enumerate(self._playback.clips, 1)
        )

    def _renew(self) -> None:
        """The clip, or all clips, are others."""
        clips = self._clips()
        if self._clip.options != clips:
            self._clip.options = clips
        self._clip.value = clips[self._playback.clip]
        self._clip.visible = len(clips) > 1
        by = choices(self._playback.motion)
        if self._colour.options != by:
            self._colour.options = by
        self._colour.value = self._view.look.by
        self._in_place.value = self._view.in_place

    def _redraw(self) -> None:
        self._view.draw()
        self._changed()

    def _retrail(self) -> None:
        self._view.trails.rebuild(self._playback.motion, self._view.placement)
        self._view.draw()
