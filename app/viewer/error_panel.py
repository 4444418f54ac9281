"""Reprojection error: a curve over time with the frame on it, and the joints that are worst."""

from __future__ import annotations

import html
import warnings
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from app.viewer.captions import plain_number
from app.viewer.colour_maps import css, scaled
from app.viewer.limb_colours import WORST_PX
from app.viewer.playback import Playback

if TYPE_CHECKING:
    from viser import ViserServer

BINS = 300
"""Points of the curve: what is longer is drawn by the largest error of each part."""
_WORST = 6
_AXIS = {"stroke": "#8b949e", "grid": {"stroke": "#2d333b"}, "ticks": {"stroke": "#2d333b"}}
_STYLE = """<style>
.d3e {padding:0.2em 0.8em 0.6em; font-size:0.82em; font-variant-numeric:tabular-nums}
.d3e div {display:grid; grid-template-columns:8.5em 1fr 4.2em; gap:0.6em; align-items:center}
.d3e i {display:block; height:0.5em; border-radius:3px}
.d3e b {font-weight:500; text-align:right}
.d3e p {margin:0 0 0.3em; opacity:0.65}
</style>"""


class ErrorPanel:
    """A folder; hidden where a clip carries no reprojection."""

    def __init__(self, server: ViserServer, playback: Playback) -> None:
        self._playback, self._gui = playback, server.gui
        self._folder = server.gui.add_folder("Reprojection error")
        with self._folder:
            self._worst = server.gui.add_html("", order=1)
        self._chart = self._new_chart()
        playback.on_clip.append(self._renew)
        playback.on_joint.append(self._rescale)
        self._renew()

    def _new_chart(self):
        from viser.uplot import Axis

        with self._folder:
            return self._gui.add_uplot(
                data=self._data(),
                series=(
                    {"label": "second"},
                    {"label": "mean", "stroke": "#58a6ff", "width": 1.5},
                    {"label": "picked joint", "stroke": "#f0883e", "width": 1.5},
                    {
                        "label": "now",
                        "stroke": "#ffffff",
                        "points": {"show": True, "size": 9, "fill": "#ffffff"},
                    },
                ),
                axes=(Axis(size=26, **_AXIS), Axis(size=40, space=22, **_AXIS)),
                scales=self._scales(),
                legend={"show": False},
                padding=(10, 14, 0, 0),
                height=120,
                order=0,
            )

    def draw(self) -> None:
        """Put the point on the frame of the playback."""
        with self._playback.lock:
            if self._playback.motion.reprojection_px is not None:
                self._chart.data = self._data()

    def _rescale(self) -> None:
        # a chart whose scales are changed loses its x axis
        self._chart.remove()
        self._chart = self._new_chart()

    def _renew(self) -> None:
        self._folder.visible = self._playback.motion.reprojection_px is not None
        self._worst.content = self._words()
        self._rescale()

    def _data(self) -> tuple[np.ndarray, ...]:
        playback = self._playback
        motion = playback.motion
        error = motion.reprojection_px
        if error is None:
            return (np.arange(2.0), *[np.full(2, np.nan)] * 3)
        mean, picked = _mean(error, axis=1), np.full(len(motion), np.nan)
        if playback.joint is not None:
            picked = error[:, playback.joint]
        seconds = np.arange(len(motion)) / motion.fps
        at, *curves = binned(seconds, mean, picked)
        now = np.full(len(at), np.nan)
        place = min(playback.frame * len(at) // len(motion), len(at) - 1)
        now[place] = np.nan_to_num(curves[0 if playback.joint is None else 1][place])
        return (at, *curves, now)

    def _scales(self) -> dict:
        """Set by hand: a curve with gaps leaves the page without a range of its own."""
        _, *curves, _ = self._data()
        known = np.concatenate(curves)
        top = 1.08 * float(np.max(known, where=np.isfinite(known), initial=1e-3))
        return {"x": {"time": False}, "y": {"range": (0.0, top)}}

    def _words(self) -> str:
        motion = self._playback.motion
        error = motion.reprojection_px
        if error is None:
            return ""
        by_joint = _mean(error, axis=0)
        order = [j for j in np.argsort(-np.nan_to_num(by_joint)) if by_joint[j] == by_joint[j]]
        most = max(float(np.nanmax(by_joint)), 1e-6) if order else 1.0
        rows = "".join(
            f"<div><span>{html.escape(motion.skeleton.names[j])}</span>"
            f"<i style='width:{100 * by_joint[j] / most:.0f}%;"
            f"background:{css(scaled(by_joint[j], 0, WORST_PX, 'turbo'))}'></i>"
            f"<b>{plain_number(float(by_joint[j]))} px</b></div>"
            for j in order[:_WORST]
        )
        known = error[np.isfinite(error)]
        middle = plain_number(float(np.median(known))) if len(known) else "?"
        return (
            f"{_STYLE}<div class='d3e' style='display:block'>"
            f"<p>median {middle} px; largest means:</p>{rows}</div>"
        )


def binned(
    seconds: Float[np.ndarray, "t"], *curves: Float[np.ndarray, "t"]
) -> list[Float[np.ndarray, "b"]]:
    """Long curves in at most BINS parts, each by its largest value, and at least two points."""
    if len(seconds) == 1:
        return [np.array([0.0, 1.0]), *(np.repeat(curve, 2) for curve in curves)]
    if len(seconds) <= BINS:
        return [seconds, *curves]
    edges = np.linspace(0, len(seconds), BINS + 1).astype(int)[:-1]
    most = [
        np.where(np.isinf(top := np.fmax.reduceat(curve, edges)), np.nan, top) for curve in curves
    ]
    return [seconds[edges], *most]


def _mean(error: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is known; NaN where nothing is, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(error, axis=axis)
