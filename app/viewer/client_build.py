"""viser's built client, opened and closed: one HTML file that carries its style and its program
as one zstd frame in base 88.

The layout is that of `vite-plugin-compress-html.mts`, which comes with viser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_ALPHABET = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in "\"&<>'`")
_FRAME = re.compile(r'<script data-p="([^"]*)" data-ss="(\d+)" data-cs="(\d+)">')
_LEVEL = 9
"""Of zstd: 0.1 s for a page 8 % larger than level 22 makes it in 1.5 s."""
_MOST_BYTES = 50_000_000


class NotAsExpected(ValueError):
    """The client is not the one that this program knows; says what was found."""


@dataclass(frozen=True)
class Build:
    """The page around the frame, and what the frame holds."""

    before: str
    style: bytes
    program: str
    after: str


def path() -> Path:
    """Where viser keeps its client."""
    import viser

    return Path(viser.__file__).parent / "client" / "build" / "index.html"


def opened(html: str) -> Build:
    """The parts of a built client; NotAsExpected if it has another layout."""
    import zstandard

    frames = list(_FRAME.finditer(html))
    if len(frames) != 1:
        raise NotAsExpected(f"expected one packed program in the client, found {len(frames)}")
    frame = frames[0]
    style_bytes, program_bytes = int(frame[2]), int(frame[3])
    try:
        packed = from_base88(frame[1])
        content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MOST_BYTES)
        program = content[style_bytes:].decode()
    except (zstandard.ZstdError, ValueError) as error:
        raise NotAsExpected(f"expected zstd in base 88 in the client, found: {error}") from None
    if len(content) != style_bytes + program_bytes:
        raise NotAsExpected(
            f"expected {style_bytes + program_bytes} bytes in the client, found {len(content)}"
        )
    return Build(html[: frame.start()], content[:style_bytes], program, html[frame.end() :])


def closed(build: Build) -> str:
    """The page as one file again."""
    import zstandard

    program = build.program.encode()
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(build.style + program)
    sizes = f'data-ss="{len(build.style)}" data-cs="{len(program)}"'
    frame = f'<script data-p="{to_base88(packed)}" {sizes}>'
    return build.before + frame + build.after


def to_base88(data: bytes) -> str:
    """Four bytes, the first the highest, as five digits; the last r bytes as r + 1."""
    whole = len(data) // 4 * 4
    values = np.frombuffer(data[:whole], ">u4").astype(np.int64)
    powers = 88 ** np.arange(4, -1, -1)
    letters = np.frombuffer(_ALPHABET.encode(), np.uint8)
    text = letters[values[:, None] // powers % 88].tobytes().decode()
    rest = data[whole:]
    if rest:
        value = int.from_bytes(rest, "big")
        text += "".join(_ALPHABET[value // 88**k % 88] for k in range(len(rest), -1, -1))
    return text


def from_base88(text: str) -> bytes:
    """The inverse of `to_base88`; ValueError for text that is none."""
    digit = np.full(256, -1, np.int64)
    digit[np.frombuffer(_ALPHABET.encode(), np.uint8)] = np.arange(88)
    digits = digit[np.frombuffer(text.encode("latin-1"), np.uint8)]
    if np.any(digits < 0) or len(digits) % 5 == 1:
        raise ValueError("letters that are no base 88")
    whole = len(digits) // 5 * 5
    values = digits[:whole].reshape(-1, 5) @ 88 ** np.arange(4, -1, -1)
    if np.any(values >= 2**32):
        raise ValueError("a group above four bytes")
    data = values.astype(">u4").tobytes()
    rest = digits[whole:]
    if len(rest):
        value = int(rest @ 88 ** np.arange(len(rest) - 1, -1, -1))
        data += value.to_bytes(len(rest) - 1, "big")
    return data
