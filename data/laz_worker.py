"""Reads LAZ files in a process of its own: the decompressor ends a process when a spoilt file asks
for more memory than there is.

A line with a path comes in; a line of JSON goes out, then the bytes of the arrays it names.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from data.las_points import las_columns

_FREE_BYTES = 4_000_000_000
"""Address space for what a reader needs whatever the size of the file."""
_PER_BYTE = 40
"""Address space for each byte of the file; points in memory take less."""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nobody asks any more."""
    for line in requests:
        path = json.loads(line)
        try:
            _limit_memory(Path(path))
            columns = las_columns(path)
        except BaseException as error:  # a panic of the decompressor is no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            _say(answers, {"error": f"{type(error).__name__}: {error}"})
            continue
        layout = [[name, a.dtype.str, a.shape] for name, a in columns.items()]
        _say(answers, {"arrays": layout})
        for array in columns.values():
            answers.write(np.ascontiguousarray(array).data)
        answers.flush()


def _say(answers: BinaryIO, what: dict) -> None:
    answers.write(json.dumps(what).encode() + b"\n")
    answers.flush()


def _limit_memory(path: Path) -> None:
    with suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = _FREE_BYTES + _PER_BYTE * path.stat().st_size
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
