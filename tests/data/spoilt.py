"""A reader on mutations of a good file: what it loads holds together, or it raises its own one-line
error; never a crash, a hang over two seconds, or ten times the file's size in memory.

`make test` tries three hundred mutations of each file, `make fuzz` twenty thousand; the long form
notes every thousand in build/fuzz and goes on from there, as long as the readers stay the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import data
from app.runs import write_json
from data.errors import UserError

COUNT = int(os.environ.get("DARB3D_FUZZ", "300"))
ROOT = Path(data.__file__).parents[1]
JOURNAL = ROOT / "build" / "fuzz" if COUNT > 300 else None
LIMITED = pytest.mark.timeout(300 if JOURNAL is None else 24 * 3600)
NOTED_EVERY = 1000
SLOWEST_S = 2.0
SLACK_BYTES = 8_000_000
"""What a reader may take whatever the size of the file: photos, imports, interpreter."""
WORDS = (b"nan", b"inf", b"-1", b"0", b"1e999", b"99999999999999999999", b"", b"x", b"\xff\xfe")
NUMBERS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def spoil(file: Path, read: Callable[[], object], name: str, text: bool) -> None:
    """Call `read`, which reads `file`, on the good file and on `COUNT` mutations of it."""
    good = file.read_bytes()
    read()
    done, refused = _noted(name)
    for number in range(done, COUNT):
        content = mutated(good, np.random.default_rng([number, *name.encode()]), text)
        file.write_bytes(content)
        tracemalloc.start()
        started = time.process_time()
        try:
            read()
        except UserError as error:
            refused += 1
            assert "\n" not in str(error), (name, number)
        except Exception as error:
            raise AssertionError(f"{name}, mutation {number}: {error!r}") from error
        finally:
            seconds = time.process_time() - started
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert seconds < SLOWEST_S, (name, number, seconds)
        assert peak < 10 * len(content) + SLACK_BYTES, (name, number, peak)
        if (number + 1) % NOTED_EVERY == 0:
            _note(name, number + 1, refused)
    assert refused > COUNT / 20, "hardly a mutation was refused: the test changes nothing"


def mutated(content: bytes, rng: np.random.Generator, text: bool) -> bytes:
    """`content` with one to four changes."""
    for _ in range(rng.integers(1, 5)):
        content = _changed(content, rng, text and rng.random() < 0.6)
    return content


def _changed(content: bytes, rng: np.random.Generator, text: bool) -> bytes:
    size = len(content)
    if not size:
        return rng.bytes(8)
    place = int(rng.integers(size))
    if text:
        words = content.split(b" ")
        k = int(rng.integers(len(words)))
        words[k] = WORDS[rng.integers(len(WORDS))]
        return b" ".join(words)
    match rng.integers(6):
        case 0:  # a bit
            return (
                content[:place]
                + bytes([content[place] ^ (1 << rng.integers(8))])
                + content[place + 1 :]
            )
        case 1:  # the end
            return content[:place]
        case 2:  # some bytes
            return content[:place] + rng.bytes(int(rng.integers(1, 9))) + content[place + 8 :]
        case 3:  # a number that is too large, or negative
            number = NUMBERS[rng.integers(len(NUMBERS))]
            return content[:place] + number.to_bytes(8, "little") + content[place + 8 :]
        case 4:  # a part twice
            end = min(size, place + int(rng.integers(1, 64)))
            return content[:end] + content[place:]
        case _:  # a part gone
            return content[:place] + content[place + int(rng.integers(1, 64)) :]


def _noted(name: str) -> tuple[int, int]:
    """How many mutations these readers have stood already, and how many of them were refused."""
    if JOURNAL is None or not (file := JOURNAL / f"{name}.json").exists():
        return 0, 0
    found = json.loads(file.read_text())
    return (found["done"], found["refused"]) if found["readers"] == READERS else (0, 0)


def _note(name: str, done: int, refused: int) -> None:
    if JOURNAL is not None:
        JOURNAL.mkdir(parents=True, exist_ok=True)
        found = {"done": done, "refused": refused, "readers": READERS}
        write_json(JOURNAL / f"{name}.json", found)


def _digest() -> str:
    """Of all that reads files, and of the mutations themselves."""
    files = [*ROOT.glob("data/*.py"), *ROOT.glob("splatting/*.py"), Path(__file__)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:16]


READERS = _digest()
