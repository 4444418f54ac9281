"""Filters by opacity and size, each under a histogram of what it keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64

from app.viewer.page import Page
from app.viewer.twin import export_command, panel_html
from splatting.selection import largest_sigmas, opacities

BINS = 48
_HIDDEN, _KEPT = "#6e7681", "#58a6ff"


def add(page: Page) -> None:
    """A folder with a slider for either, histograms, and the command."""
    _Filters(page)


def size_that_hides(sigmas: Float64[np.ndarray, "n"], percent: float) -> float | None:
    """The sigma above which `percent` of the splats lie, to three digits; None for 0.

    >>> size_that_hides(np.array([1.0, 2.0, 3.0, 40.0]), 25.0)
    3.0
    """
    if percent <= 0:
        return None
    keep = max(1, round(len(sigmas) * (1.0 - percent / 100.0)))
    return float(f"{np.partition(sigmas, keep - 1)[keep - 1]:.3g}")


class _Filters:
    """The folder; histograms follow what is on stage."""

    def __init__(self, page: Page) -> None:
        self.page = page
        gui = page.server.gui
        with gui.add_folder("Filters", order=2):
            self.opacity_chart = self._chart("opacity")
            self.faint = gui.add_slider(
                "at least", 0.0, 0.99, 0.01, 0.0, hint="Hide splats fainter than this"
            )
            self.size_chart = self._chart("largest sigma, logarithmic")
            self.large = gui.add_slider(
                "hide top %", 0.0, 100.0, 0.1, 0.0, hint="Hide the largest splats"
            )
            self.note = gui.add_markdown("")
            self.twin = gui.add_html("", visible=False)
        self.faint.on_update(lambda _: self._select())
        self.large.on_update(lambda _: self._select())
        page.edits.on_change(self._tell)
        page.stage.on_settled(self._tell)

    def _select(self) -> None:
        source, size = self.page.edits.source, None
        if source is not None:
            size = size_that_hides(largest_sigmas(source), self.large.value)
        self.page.edits.select(min_opacity=round(self.faint.value, 2), max_size=size)

    def _tell(self) -> None:
        edits = self.page.edits
        source, selection = edits.source, edits.selection
        if source is None:
            return
        keep = edits.keep(source)
        self.opacity_chart.data = histogram(opacities(source), keep, (0.0, 1.0))
        sizes = np.log10(largest_sigmas(source))
        self.size_chart.data = histogram(sizes, keep, (sizes.min(), sizes.max()))
        limit = "" if selection.max_size is None else f", sigma to {selection.max_size:g}"
        self.note.content = f"{keep.sum():,} of {len(keep):,} splats shown{limit}"
        self.twin.visible = bool(selection.min_opacity or selection.max_size)
        self.twin.content = panel_html(export_command(self.page))

    def _chart(self, title: str) -> Any:
        from viser.uplot import Axis, Series

        empty = np.zeros(BINS)

        def filled(label: str, colour: str) -> Series:
            return Series(
                label=label, stroke=colour, fill=f"{colour}a0", width=1, points={"show": False}
            )

        return self.page.server.gui.add_uplot(
            data=(np.arange(BINS, dtype=float), empty, empty),
            series=(Series(label=title), filled("hidden", _HIDDEN), filled("shown", _KEPT)),
            title=title,
            axes=(Axis(show=False), Axis(show=False)),
            scales={"x": {"time": False}, "y": {"range": (0.0, 1.05), "auto": False}},
            legend={"show": False},
            cursor={"show": False},
            padding=(4, 10, 4, 10),
            height=72,
        )


def histogram(
    values: Float64[np.ndarray, "n"], keep: np.ndarray, span: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle of each bin, and all and kept in it as a share of the fullest; square roots, so that
    the few large ones show."""
    span = (float(span[0]), max(float(span[1]), float(span[0]) + 1e-9))
    counts, ends = np.histogram(values, BINS, span)
    kept = counts if keep.all() else np.histogram(values[keep], BINS, span)[0]
    most = max(int(counts.max()), 1)
    return 0.5 * (ends[1:] + ends[:-1]), np.sqrt(counts / most), np.sqrt(kept / most)
