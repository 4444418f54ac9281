"""The next thing made in a thread of its own while the caller is busy with this one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Ahead(Generic[Made]):
    """What `make` makes of a key, begun when the key before it was asked for."""

    def __init__(self, make: Callable[..., Made]) -> None:
        self._make = make
        self._thread = ThreadPoolExecutor(1, "ahead")
        self._key: Hashable = None
        self._begun: Future[Made] | None = None

    def take(self, key: tuple[Hashable, ...], then: tuple[Hashable, ...]) -> Made:
        """`make(*key)`, and begin `make(*then)`; a wrong guess of the call before costs its time
        alone."""
        begun = self._begun if key == self._key else None
        made = self._make(*key) if begun is None else begun.result()
        self._key, self._begun = then, self._thread.submit(self._make, *then)
        return made
