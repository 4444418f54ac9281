"""The head of the panel: what is shown, how its training goes or went, pause and stop."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from app.durations import format_duration, seconds_left

if TYPE_CHECKING:
    from viser import ViserServer

TRAINING_SHARE = 0.25
"""Pages take at most this share of the time while training runs, until someone asks for another."""
CURVE_POINTS = 400
PANEL_EVERY_S = 0.5
_AXIS = {"stroke": "#8b949e", "grid": {"stroke": "#2d333b"}, "ticks": {"stroke": "#2d333b"}}
_STYLE = """
<style>
.d3 {font-family:inherit; padding:0 0.8em 0.2em}
.d3 .name {font-size:1.05em; font-weight:600}
.d3 .sub {opacity:0.6; font-size:0.85em; margin-bottom:0.5em}
.d3 .grid {display:grid; grid-template-columns:1fr 1fr 1fr; gap:0.35em}
.d3 .cell {background:rgba(128,128,128,0.12); border-radius:6px; padding:0.35em 0.55em}
.d3 .key {opacity:0.6; font-size:0.72em; text-transform:uppercase; letter-spacing:0.04em}
.d3 .val {font-size:1.0em; font-variant-numeric:tabular-nums; white-space:nowrap}
.d3 .bad {color:#ff7b72; font-size:0.85em; margin-top:0.5em}
</style>
"""


def summary_html(title: str, subtitle: str, cells: dict[str, str], error: str = "") -> str:
    """The block of numbers at the head of the panel; all text is escaped."""
    rows = "".join(
        f"<div class='cell'><div class='key'>{html.escape(key)}</div>"
        f"<div class='val'>{html.escape(value)}</div></div>"
        for key, value in cells.items()
    )
    bad = f"<div class='bad'>{html.escape(error)}</div>" if error else ""
    return (
        f"{_STYLE}<div class='d3'><div class='name'>{html.escape(title)}</div>"
        f"<div class='sub'>{html.escape(subtitle)}</div><div class='grid'>{rows}</div>{bad}</div>"
    )


def _running(mean: float, value: float, keep: float) -> float:
    return value if math.isnan(mean) else keep * mean + (1 - keep) * value


class Curve:
    """A line that thins itself: at most `CURVE_POINTS` points, the newest always among them."""

    def __init__(self) -> None:
        self._x: list[float] = []
        self._y: list[float] = []

    def add(self, x: float, y: float) -> None:
        """Append one point."""
        self._x.append(x)
        self._y.append(y)
        if len(self._x) > CURVE_POINTS:
            del self._x[1:-1:2], self._y[1:-1:2]

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y, as the chart wants them: at least two points."""
        pad = max(0, 2 - len(self._x))
        return np.array(self._x + [np.nan] * pad), np.array(self._y + [np.nan] * pad)


class Panel:
    """The widgets that all pages share."""

    def __init__(self, server: ViserServer, title: str, subtitle: str) -> None:
        self._server = server
        self._title, self._subtitle = title, subtitle
        self._cells: dict[str, str] = {}
        self._error = ""
        self._next_update = 0.0
        self._psnr, self._loss = Curve(), Curve()
        self._mean_loss = math.nan
        self._last: tuple[int, dict] | None = None
        self._charts: tuple | None = None
        self.stop_asked = False
        self.paused = False
        self.share = TRAINING_SHARE
        """How much of the time pages may take from training."""
        server.gui.set_panel_label("Darb3D")
        self._summary = server.gui.add_html(self._html(), order=0)

    def say(self, subtitle: str) -> None:
        """Replace the line under the title."""
        self._subtitle = subtitle
        self._summary.content = self._html()

    def rename(self, title: str) -> None:
        """Replace the title."""
        self._title = title
        self._summary.content = self._html()

    def show(self, cells: dict[str, str]) -> None:
        """Replace the numbers."""
        self._cells = cells
        self._summary.content = self._html()

    def show_error(self, message: str) -> None:
        """A render went wrong (or, with an empty message, works again)."""
        self._error = message
        self._summary.content = self._html()

    def begin_training(self) -> None:
        """Add progress, curves and the stop button."""
        from viser import Icon

        gui = self._server.gui
        self._bar = gui.add_progress_bar(0.0, animated=True, order=1)
        self._pause = gui.add_button("Pause", icon=Icon.PLAYER_PAUSE, color="gray", order=2)
        self._stop = gui.add_button("Stop and save", icon=Icon.PLAYER_STOP, color="gray", order=3)
        self._time = gui.add_slider(
            "time for the page, %",
            min=5,
            max=90,
            step=5,
            initial_value=round(100 * TRAINING_SHARE),
            hint="Percent of the time that pictures may take while training runs",
            order=3.5,
        )
        self._add_charts()

        @self._time.on_update
        def _(_event) -> None:
            self.share = self._time.value / 100

        @self._pause.on_click
        def _(_event) -> None:
            self.paused = not self.paused
            self._pause.label = "Resume" if self.paused else "Pause"
            self._pause.icon = Icon.PLAYER_PLAY if self.paused else Icon.PLAYER_PAUSE
            self.say("paused" if self.paused else "training")

        @self._stop.on_click
        def _(_event) -> None:
            self.stop_asked = True
            self._stop.disabled = self._pause.disabled = True
            self.say("stopping")

    def update(self, step: int, values: dict) -> None:
        """Take the numbers of a step; the page hears of them twice a second."""
        # the loss of a step is that of one photo: a running mean says more
        self._mean_loss = _running(self._mean_loss, values["loss"], 0.95)
        self._last = (step, values)
        now = time.monotonic()
        if now >= self._next_update:
            self._next_update = now + PANEL_EVERY_S
            self._publish(step, values)

    def end_training(self, steps: int) -> None:
        """Training is over: nothing left to wait for, nothing left to stop."""
        if self._last is not None:
            self._publish(*self._last)
        self._bar.visible = False
        self._stop.visible = self._pause.visible = self._time.visible = False
        self._cells.pop("time left", None)
        self.say(f"done after {steps:,} steps")

    def show_finished(
        self, splats: int, sh_degree: int, metrics: Sequence[dict[str, Any]] = ()
    ) -> None:
        """The numbers and curves of a training that ended earlier."""
        cells = {"splats": f"{splats:,}", "SH degree": str(sh_degree)}
        for line in metrics:
            self._mean_loss = _running(self._mean_loss, line["loss"], 0.5)
            self._psnr.add(line["step"], line["psnr"])
            self._loss.add(line["step"], self._mean_loss)
        if metrics:
            last = metrics[-1]
            cells |= {
                "steps": f"{last['step']:,}",
                "psnr": f"{last['psnr']:.2f} dB",
                "loss": f"{self._mean_loss:.4f}",
                "trained": format_duration(last["seconds"]),
            }
            # what has ended is not watched: the room is for looking
            with self._server.gui.add_folder("Curves", expand_by_default=False, order=4):
                self._add_charts()
        self.show(cells)

    def _publish(self, step: int, values: dict) -> None:
        left = seconds_left(values.get("progress", 0.0), values["seconds"])
        self._psnr.add(step, values["psnr"])
        self._loss.add(step, self._mean_loss)
        if not self.stop_asked and not self.paused:
            self._subtitle = "training"
        self.show(
            {
                "step": f"{step:,}",
                "splats": f"{values['splats']:,}",
                "psnr": f"{values['psnr']:.2f} dB",
                "loss": f"{self._mean_loss:.4f}",
                "steps / s": f"{values['steps_per_second']:.1f}",
                "time left": format_duration(left),
            }
        )
        self._bar.value = 100.0 * min(1.0, values["progress"])
        if self._charts:
            self._charts[0].data = self._psnr.data()
            self._charts[1].data = self._loss.data()

    def _add_charts(self) -> None:
        self._charts = (
            self._chart("PSNR on training views, dB", "#58a6ff", self._psnr, order=4),
            self._chart("loss", "#f0883e", self._loss, order=5),
        )

    def _chart(self, title: str, colour: str, curve: Curve, order: int):
        from viser.uplot import Axis

        return self._server.gui.add_uplot(
            data=curve.data(),
            series=({"label": "step"}, {"label": title, "stroke": colour, "width": 2}),
            title=title,
            axes=(Axis(size=28, **_AXIS), Axis(size=46, space=18, **_AXIS)),
            scales={"x": {"time": False}},
            legend={"show": False},
            padding=(8, 16, 0, 0),
            height=96,
            order=order,
        )

    def _html(self) -> str:
        return summary_html(self._title, self._subtitle, self._cells, self._error)
