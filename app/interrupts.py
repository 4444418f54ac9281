"""Ctrl-C and SIGTERM as a request: finish the step, save, then leave with the usual code."""

from __future__ import annotations

import signal
import time
from types import FrameType


class StopRequest:
    """A context in which the first signal only sets `code`; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.code = 0
        """128 + the signal's number, as shells report it; 0 while none came."""
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]

    def __bool__(self) -> bool:
        return self.code != 0

    def wait(self) -> None:
        """Sleep until a signal comes; that is how serving ends, so it is no error."""
        while not self:
            time.sleep(0.2)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.code and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.code = 128 + number
