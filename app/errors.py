"""One place that turns what can go wrong into one line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from data.errors import UserError

WRONG_INPUT = 2
INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP,
           errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ENODEV, errno.ENXIO}  # fmt: skip
"""What a file system says of a file, through no fault of ours."""
OUR_PACKAGES = ("app", "splatting", "pointcloud", "lifting", "backbones", "simd", "data")


def guarded(run: Callable[[], int]) -> int:
    """The exit code of `run`: 2 after one line for wrong input, 130 for Ctrl-C.

    Anything else is a fault of ours and keeps its traceback.
    """
    try:
        return run()
    except UserError as error:
        return _refuse(str(error))
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if not package or package in OUR_PACKAGES:
            raise
        return _refuse(
            f"expected the package {package}, found it missing or broken ({error}); "
            "`darb3d doctor` says how to install it"
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does; keep Python's last flush from failing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        if error.errno in FULL:
            return _refuse(
                f"{place}expected room on the disk, found it full; free some: a training goes on "
                "from its last save with --resume"
            )
        if error.errno in REFUSED:
            return _refuse(
                f"{place}expected a file or folder that may be read and written, found:"
                f" {error.strerror}; mend that or name another"
            )
        raise
    except MemoryError as error:
        return _refuse(
            f"expected more memory than there is ({error}); close other programs, or ask for less:"
            " --data-factor, --max-splats and --cache-gb of train, --cells of mesh"
        )


def _refuse(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return WRONG_INPUT
