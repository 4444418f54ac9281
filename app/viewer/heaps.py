"""Few heaps for the threads of a page.

glibc gives threads heaps of their own, up to eight a core, and each keeps the room of the largest
things it ever held. Pages come and go, and each brings threads: memory would creep up for hours.
"""

from __future__ import annotations

import ctypes
import sys

_ARENA_MAX = -8
"""M_ARENA_MAX of malloc.h."""
HEAPS = 2


def few_heaps() -> None:
    """Have all threads of this process share `HEAPS` heaps; nothing where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL(None).mallopt(_ARENA_MAX, HEAPS)
    except (OSError, AttributeError):
        return  # another C library, which has no such thing
