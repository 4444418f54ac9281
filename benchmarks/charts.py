"""Figures on a dark page: panels of lines that carry their names at their ends, and rows of dots;
no legend has to be looked up."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.contact_sheet import FAINT, INK, PAPER

_LARGER = 3
"""Everything is drawn as many times as large and scaled down, which smooths it."""
_WIDTH, _HEIGHT, _GAP, _LEFT, _HEAD, _FOOT, _NAMES = 300, 220, 20, 34, 30, 44, 118
_LINE_HEIGHT, _ROW_NAMES = 15, 150
_GRID = (48, 54, 61)
# Okabe and Ito's colours, which people tell apart whatever they see of red and green
_COLOURS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167),
)  # fmt: skip


def folder_asked_for(doc: str | None) -> Path:
    """The folder that pictures go to, `-o` of a command that `doc` describes; made if need be."""
    wanted = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("-o", "--out", type=Path, required=True, help="folder of the pictures")
    folder: Path = wanted.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Line:
    """A curve: its height at each tick of the panel, None where it was not measured."""

    name: str
    heights: tuple[float | None, ...]


@dataclass(frozen=True)
class Panel:
    """Lines over ticks that stand at equal distances, whatever they are called."""

    title: str
    below: str
    ticks: tuple[str, ...]
    lines: tuple[Line, ...]


def chart(
    panels: Sequence[Panel], low: float, high: float, step: float, columns: int
) -> Image.Image:
    """All panels, with the same axis of heights from `low` to `high`."""
    wide, tall = _LEFT + _WIDTH + _NAMES + _GAP, _HEAD + _HEIGHT + _FOOT
    rows = -(-len(panels) // columns)
    size = (columns * wide + _GAP, rows * tall + _GAP)
    canvas = Image.new("RGB", (size[0] * _LARGER, size[1] * _LARGER), PAPER)
    draw = ImageDraw.Draw(canvas)
    for place, panel in enumerate(panels):
        left = _GAP + place % columns * wide + _LEFT
        top = _GAP + place // columns * tall + _HEAD
        _axes(draw, left, top, panel, np.arange(low, high + step / 2, step))
        _lines(draw, left, top, panel, low, high)
    return canvas.resize(size, Image.Resampling.LANCZOS)


def _axes(draw: ImageDraw.ImageDraw, left: int, top: int, panel: Panel, levels: np.ndarray) -> None:
    _text(draw, (left - _LEFT, top - _HEAD + 2), panel.title, 15, INK, "la")
    for level in levels:
        y = top + _HEIGHT * (1 - (level - levels[0]) / (levels[-1] - levels[0]))
        _stroke(draw, [(left, y), (left + _WIDTH, y)], _GRID, 1)
        _text(draw, (left - 6, y), f"{level:g}", 11, FAINT, "rm")
    for x, name in zip(_places(left, panel), panel.ticks, strict=True):
        _text(draw, (x, top + _HEIGHT + 5), name, 11, FAINT, "ma")
    _text(draw, (left + _WIDTH / 2, top + _HEIGHT + 21), panel.below, 11, FAINT, "ma")


def _lines(
    draw: ImageDraw.ImageDraw, left: int, top: int, panel: Panel, low: float, high: float
) -> None:
    ends, across = [], _places(left, panel)
    for line, colour in zip(panel.lines, _COLOURS[: len(panel.lines)], strict=True):
        points = [
            (x, top + _HEIGHT * (1 - (height - low) / (high - low)))
            for x, height in zip(across, line.heights, strict=True)
            if height is not None
        ]
        _stroke(draw, points, colour, 2)
        for x, y in points:
            _dot(draw, x, y, colour)
        ends.append((points[-1][1], line.name, colour))
    for y, (_, name, colour) in zip(_apart([end[0] for end in ends]), sorted(ends), strict=True):
        _text(draw, (left + _WIDTH + 10, y), name, 12, colour, "lm")


def _places(left: int, panel: Panel) -> list[float]:
    inset = _WIDTH / (2 * len(panel.ticks))
    return np.linspace(left + inset, left + _WIDTH - inset, len(panel.ticks)).tolist()


def _apart(heights: Sequence[float]) -> list[float]:
    """Sorted heights of names, moved until none covers another."""
    found = sorted(heights)
    for _ in range(100):
        for k in range(1, len(found)):
            short = _LINE_HEIGHT - (found[k] - found[k - 1])
            if short > 0:
                found[k - 1] -= short / 2
                found[k] += short / 2
    return found


def _text(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    anchor: str,
) -> None:
    font = ImageFont.load_default(size=size * _LARGER)
    draw.text((at[0] * _LARGER, at[1] * _LARGER), text, colour, font, anchor)


def _stroke(
    draw: ImageDraw.ImageDraw,
    points: Sequence[tuple[float, float]],
    colour: tuple[int, int, int],
    width: int,
) -> None:
    larger = [(x * _LARGER, y * _LARGER) for x, y in points]
    draw.line(larger, colour, width * _LARGER, joint="curve")


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, colour: tuple[int, int, int]) -> None:
    reach = 3
    box = [(x - reach) * _LARGER, (y - reach) * _LARGER, (x + reach) * _LARGER]
    draw.ellipse((*box, (y + reach) * _LARGER), colour)


@dataclass(frozen=True)
class Row:
    """A thing and its values, one of each series; None where it was not measured."""

    name: str
    values: tuple[float | None, ...]


def dot_rows(
    title: str, series: Sequence[str], rows: Sequence[Row], low: float, high: float, step: float
) -> Image.Image:
    """A row for each thing with a dot for each of its values, from `low` to `high`, and a thin line
    from the least to the largest; the names of the series stand above in their colours."""
    left, wide, tall = _GAP + _ROW_NAMES, 2 * _WIDTH, 2 * _LINE_HEIGHT - 9
    size = (left + wide + 2 * _GAP, _HEAD + 24 + tall * len(rows) + _FOOT)
    canvas = Image.new("RGB", (size[0] * _LARGER, size[1] * _LARGER), PAPER)
    draw = ImageDraw.Draw(canvas)
    _text(draw, (_GAP, 12), title, 15, INK, "la")
    top, bottom = _HEAD + 24, _HEAD + 24 + tall * len(rows)

    def across(value: float) -> float:
        return left + wide * (value - low) / (high - low)

    for k, name in enumerate(series):
        _text(draw, (left + k * wide / len(series), _HEAD + 6), name, 12, _COLOURS[k], "la")
    for level in np.arange(low, high + step / 2, step).tolist():
        _stroke(draw, [(across(level), top), (across(level), bottom)], _GRID, 1)
        _text(draw, (across(level), bottom + 5), f"{level:g}", 11, FAINT, "ma")
    for k, row in enumerate(rows):
        y = top + tall * (k + 0.5)
        _text(draw, (left - 8, y), row.name, 12, INK, "rm")
        known = [value for value in row.values if value is not None]
        _stroke(draw, [(across(min(known)), y), (across(max(known)), y)], FAINT, 1)
        for value, colour in zip(row.values, _COLOURS[: len(series)], strict=True):
            if value is not None:
                _dot(draw, across(value), y, colour)
    return canvas.resize(size, Image.Resampling.LANCZOS)
