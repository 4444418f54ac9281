"""How training looks in a terminal: one bar; plain lines every few seconds anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from app.durations import format_duration, seconds_left

PLAIN_EVERY_S = 5.0


def _left(values: dict[str, Any]) -> str:
    return format_duration(seconds_left(values.get("progress", 0.0), values["seconds"]))


def describe(values: dict[str, Any]) -> str:
    """One line of numbers: loss, PSNR, splats, speed, time left."""
    return (
        f"loss {values['loss']:.4f}  PSNR {values['psnr']:.2f}  "
        f"{values['splats']:,} splats  {values['steps_per_second']:.1f} steps/s  "
        f"{_left(values)} left"
    )


def describe_fit(values: dict[str, Any]) -> str:
    """One line of numbers of a classifier's training: loss, accuracy of the batch (or the distance
    from a teacher), speed, time left."""
    how = f"batch accuracy {values['accuracy']:.2f}" if "accuracy" in values else ""
    how = f"{100 * values['share']:.1f} % off the teacher" if "share" in values else how
    return (
        f"loss {values['loss']:.3f}  {how}  "
        f"{values['steps_per_second']:.1f} steps/s  "
        f"{_left(values)} left"
    )


def describe_lifting(values: dict[str, Any]) -> str:
    """One line of numbers of a lifter's training: loss, error of the batch, speed, time left."""
    return (
        f"loss {values['loss']:.3f}  error of the batch {100 * values['error']:.1f} %  "
        f"{values['steps_per_second']:.2f} steps/s  "
        f"{_left(values)} left"
    )


def describe_forgetting(values: dict[str, Any]) -> str:
    """Both losses of an unlearning."""
    return f"loss to forget {values['forget_loss']:.2f}  to keep {values['retain_loss']:.3f}"


class TrainProgress:
    """A context that shows the reports of a training as they come, each as `describe` puts it."""

    def __init__(
        self,
        console: Console,
        describe: Callable[[dict[str, Any]], str] = describe,
        starting: str = "starting (the first time, compiling takes a minute)",
    ) -> None:
        self._console = console
        self._describe = describe
        self._bar: Progress | None = None
        self._next_line = time.monotonic() + PLAIN_EVERY_S
        if console.is_terminal:
            self._bar = Progress(
                BarColumn(bar_width=None),
                TextColumn("{task.percentage:>3.0f}%  {task.description}"),
                console=console,
                expand=True,
                refresh_per_second=4,
            )
            self._task = self._bar.add_task(starting, total=1.0)

    def __enter__(self) -> TrainProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, step: int, values: dict[str, Any]) -> None:
        """Show the report of a step."""
        if self._bar:
            self._bar.update(
                self._task,
                completed=min(1.0, values["progress"]),
                description=self._describe(values),
            )
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + PLAIN_EVERY_S
            self._console.print(f"step {step}  {self._describe(values)}")
