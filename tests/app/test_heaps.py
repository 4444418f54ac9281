"""Threads of a page share heaps."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from app.viewer.heaps import HEAPS

PROGRAM = """
import ctypes, sys, threading
from app.viewer.heaps import few_heaps
if sys.argv[1] == "few":
    few_heaps()
together = threading.Barrier(9)

def work():
    held = bytearray(50_000)
    together.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
together.wait()
library = ctypes.CDLL(None)
library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
library.fflush(None)
"""


def heaps(mode: str) -> int:
    """How many the C library reports while eight threads hold memory."""
    words = [sys.executable, "-c", PROGRAM, mode]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.count("<heap ")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has heaps for threads")
def test_threads_share_few_heaps():
    assert heaps("few") <= HEAPS < heaps("as it is")
