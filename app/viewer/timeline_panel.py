"""The time line: play, speed, loop, and scrubbing by frame or by seconds."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from app.viewer.playback import SPEEDS, Playback

if TYPE_CHECKING:
    from viser import ViserServer

FIRST, BACK, PLAY, PAUSE, ON, LAST = "|◀", "◀", "▶ play", "❚❚ pause", "▶", "▶|"
_STYLE = """<style>
.d3t {padding:0 0.8em; font-variant-numeric:tabular-nums; display:flex; align-items:baseline;
 gap:0.9em}
.d3t .s {font-size:1.35em; font-weight:600; min-width:4.2em}
.d3t .o {opacity:0.6; font-size:0.85em}
</style>"""


class TimelinePanel:
    """A panel of its own at the foot of the page."""

    def __init__(self, server: ViserServer, playback: Playback) -> None:
        self._server, self._playback = server, playback
        gui = server.gui
        panel = gui.add_panel()
        with panel.add_tab("Time"):
            self._readout = gui.add_html(self._words())
            self._frame = gui.add_slider("frame", 0, self._last, 1, 0)
            self._seconds = gui.add_number("second", 0.0, min=0.0, step=0.01)
            self._buttons = gui.add_button_group("", (FIRST, BACK, PLAY, ON, LAST))
            self._speed = gui.add_slider("speed", *SPEEDS, 0.1, 1.0, hint="Times that of the clip")
            self._loop = gui.add_checkbox("loop", playback.loop)
        panel.float(x=14, y=-14, width=430)
        self._frame.on_update(self._scrubbed)
        self._seconds.on_update(self._typed)
        self._buttons.on_click(lambda _: self._pressed(self._buttons.value))

        @self._speed.on_update
        def _(_event: object) -> None:
            playback.speed = self._speed.value

        @self._loop.on_update
        def _(_event: object) -> None:
            playback.loop = self._loop.value

        playback.on_frame.append(self._follow)
        playback.on_clip.append(self._renew)
        playback.on_play.append(self._show_state)

    @property
    def _last(self) -> int:
        return max(len(self._playback.motion) - 1, 1)

    def _scrubbed(self, event) -> None:
        if event.client is None:
            return  # moved by the clock
        self._playback.play(False)
        self._playback.go_to(int(self._frame.value))

    def _typed(self, event) -> None:
        if event.client is None:
            return
        self._playback.play(False)
        self._playback.go_to(round(self._seconds.value * self._playback.motion.fps))

    def _pressed(self, button: str) -> None:
        playback = self._playback
        if button in (PLAY, PAUSE):
            playback.play(not playback.playing)
            return
        playback.play(False)
        last = len(playback.motion) - 1
        steps = {FIRST: 0, LAST: last, BACK: playback.frame - 1, ON: playback.frame + 1}
        playback.go_to(steps[button])

    def _show_state(self) -> None:
        self._buttons.options = (
            FIRST,
            BACK,
            PAUSE if self._playback.playing else PLAY,
            ON,
            LAST,
        )

    def _renew(self) -> None:
        self._frame.max = self._last
        self._follow()

    def _follow(self) -> None:
        with self._server.atomic():
            self._frame.value = self._playback.frame
            if not self._playback.playing:
                self._seconds.value = round(self._playback.seconds, 3)
            self._readout.content = self._words()

    def _words(self) -> str:
        playback = self._playback
        motion, frame = playback.motion, playback.frame
        words = [f"frame {frame:,} of {len(motion) - 1:,}", f"{motion.fps:g} fps"]
        if motion.frames is not None:
            words.append(f"{motion.frames[frame]:,} in the video")
        if motion.observed is not None and (hidden := int((~motion.observed[frame]).sum())):
            words.append(f"{hidden} hidden")
        rest = html.escape(" · ".join(words))
        return (
            f"{_STYLE}<div class='d3t'><span class='s'>{playback.seconds:.2f} s</span>"
            f"<span class='o'>{rest}</span></div>"
        )
