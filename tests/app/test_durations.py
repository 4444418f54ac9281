"""How long is left, as terminals and pages say it."""

from __future__ import annotations

import io

from rich.console import Console

from app import count_progress
from app.count_progress import CountProgress
from app.durations import format_duration, seconds_left


def test_durations() -> None:
    assert [format_duration(s) for s in (0, 61, 3661)] == ["0:00", "1:01", "1:01:01"]
    assert seconds_left(0.25, 30.0) == 90
    assert seconds_left(0.0, 0.0) is None and format_duration(None) == "-:--"


def test_counting_says_how_fast_and_how_long(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(count_progress.time, "monotonic", lambda: now[0])
    said = io.StringIO()
    with CountProgress(Console(file=said, width=200), 400) as progress:
        now[0] += 10.0
        progress.add(100)
    assert said.getvalue() == "100 of 400  10.0 clouds a second  0:30 left\n"
