"""A notice on a page whose first picture is long in coming."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viser import ClientHandle, NotificationHandle

PATIENCE_S = 1.0
"""A page stays without a picture for this long before it says why."""


@contextmanager
def told(client: ClientHandle) -> Iterator[None]:
    """Say on the page, while the block takes longer than that, that a picture is being drawn."""
    over, lock = False, threading.Lock()
    notices: list[NotificationHandle] = []

    def say() -> None:
        with lock:
            if not over:
                notices.append(
                    client.add_notification(
                        "Drawing the first picture",
                        "Once after an installation that takes half a minute, for compiling.",
                        loading=True,
                        with_close_button=False,
                    )
                )

    timer = threading.Timer(PATIENCE_S, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            over = True
            for notice in notices:
                notice.remove()
