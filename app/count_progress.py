"""How work on many files looks in a terminal: a bar with files a second; plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from app.durations import format_duration, seconds_left

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_EVERY_S = 5.0


class CountProgress:
    """A context that counts what is done of `total`; shows nothing for a few."""

    def __init__(self, console: Console, total: int, least: int = 8) -> None:
        self.done = 0
        self._console, self._total, self._least = console, total, least
        self._bar: Any = None

    def __enter__(self) -> CountProgress:
        self._began = time.monotonic()
        self._next_line = self._began + PLAIN_EVERY_S
        if self._total >= self._least and self._console.is_terminal:
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                BarColumn(bar_width=None),
                TextColumn("{task.completed:,.0f} of {task.total:,.0f}  {task.description}"),
                console=self._console,
                expand=True,
                refresh_per_second=4,
            )
            self._task = self._bar.add_task("starting", total=self._total)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    @property
    def speed(self) -> str:
        """In words."""
        return f"{self.done / max(self.seconds, 1e-9):,.1f} clouds a second"

    @property
    def _pace(self) -> str:
        left = seconds_left(self.done / max(self._total, 1), self.seconds)
        return f"{self.speed}  {format_duration(left)} left"

    def add(self, count: int = 1) -> None:
        """So many more are done."""
        self.done += count
        if self._bar:
            self._bar.update(self._task, completed=self.done, description=self._pace)
        elif self._total >= self._least and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + PLAIN_EVERY_S
            self._console.print(f"{self.done:,} of {self._total:,}  {self._pace}")
