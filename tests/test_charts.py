"""Curves stand at their heights, and the names at their ends never cover each other."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.charts import _COLOURS, _HEAD, Line, Panel, Row, _apart, chart, dot_rows
from benchmarks.cloud_changes import changes as all_changes
from benchmarks.cloud_pictures import CHANGES, changes, gaussians
from benchmarks.lifter_grid import PARTS
from benchmarks.lifter_pictures import animals, parts
from benchmarks.machine import RESULTS


def test_a_level_line_is_drawn_at_its_height() -> None:
    heights = {}
    for height in (25.0, 75.0):
        panel = Panel("t", "x", ("a", "b", "c"), (Line("", (height, None, height)),))
        picture = np.asarray(chart([panel], 0, 100, 50, 1)).astype(int)
        rows, _ = np.nonzero(np.abs(picture - _COLOURS[0]).sum(2) < 20)
        heights[height] = np.median(rows)
    flat = Panel("t", "x", ("a", "b"), (Line("", (0.0, 100.0)),))
    picture = np.asarray(chart([flat], 0, 100, 50, 1)).astype(int)
    rows, _ = np.nonzero(np.abs(picture - _COLOURS[0]).sum(2) < 20)
    tall = rows.max() - rows.min()
    assert heights[25.0] - heights[75.0] == pytest.approx(tall / 2, abs=4)


def test_a_dot_stands_at_its_value() -> None:
    picture = dot_rows("t", ["a", "b"], [Row("x", (0.0, 5.0)), Row("y", (None, 10.0))], 0, 10, 5)
    found = np.asarray(picture).astype(int)
    places = []
    for colour in _COLOURS[:2]:
        rows, columns = np.nonzero(np.abs(found - colour).sum(2) < 20)
        below = rows > _HEAD + 24  # the names above have the colours, too
        places.append(columns[below])
    zero, half, end = places[0].mean(), places[1].min() + 2, places[1].max() - 2
    assert half - zero == pytest.approx((end - zero) / 2, abs=3)


def test_every_animal_and_part_has_a_row() -> None:
    assert len(animals(RESULTS)) == 17
    assert all(None not in row.values for row in animals(RESULTS))
    assert {row.name.replace(" ", "-") for row in parts(RESULTS / "lifter_grid")} <= set(PARTS)


def test_names_keep_their_order_and_their_distance() -> None:
    found = _apart([50.0, 51.0, 50.0, 90.0])
    assert (np.diff(found) > 14).all() and found[-1] == pytest.approx(90, abs=15)


def test_each_panel_is_of_changes_that_are_measured() -> None:
    known = set(all_changes())
    assert {change for ticks in CHANGES.values() for change in ticks.values()} <= known
    panels = [
        *changes(RESULTS / "cloud_accuracy"),
        *gaussians(RESULTS / "cloud_grid" / "gaussians-modelnet40"),
    ]
    assert all(len(panel.lines) > 3 for panel in panels)
    picture = chart(panels, 0, 100, 20, 2)
    assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 100
