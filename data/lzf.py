"""LZF, in which PCL packs its compressed clouds."""

from __future__ import annotations


def decompress(packed: bytes, size: int) -> bytes:
    """The `size` bytes that were packed; ValueError for other data, before more than that is made.

    >>> decompress(bytes([0, 65, 0b0010_0000, 0]), 4)
    b'AAAA'
    """
    out = bytearray()
    place, end = 0, len(packed)
    try:
        while place < end:
            control = packed[place]
            place += 1
            if control < 32:  # that many bytes and one more, as they are
                out += packed[place : place + control + 1]
                place += control + 1
            else:  # some that were there before
                length = control >> 5
                if length == 7:
                    length += packed[place]
                    place += 1
                length += 2
                start = len(out) - ((control & 31) << 8) - packed[place] - 1
                place += 1
                if start < 0:
                    raise ValueError("packed bytes that refer to none")
                piece = out[start : start + length]
                if len(piece) < length:  # it reaches into itself
                    piece = (piece * (length // len(piece) + 1))[:length]
                out += piece
            if len(out) > size:
                break
    except IndexError:
        raise ValueError("packed bytes that end early") from None
    if len(out) != size:
        raise ValueError(f"{len(out)} unpacked bytes, not {size}")
    return bytes(out)
