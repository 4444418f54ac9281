"""Lists, tuples, texts and numbers out of a pickle, without running it.

A pickle is a program for a machine that can call anything; this one can only build plain values.
"""

from __future__ import annotations

import pickletools
from typing import Any

_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"),
}
_FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MARK = object()


def plain_values(content: bytes) -> Any:
    """What a pickle of plain values holds; ValueError for any other.

    >>> import pickle
    >>> plain_values(pickle.dumps([("nose", "x", 1)], protocol=0))
    [('nose', 'x', 1)]
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def marked() -> list[Any]:
        for place in range(len(stack) - 1, -1, -1):
            if stack[place] is _MARK:
                values = stack[place + 1 :]
                del stack[place:]
                return values
        raise ValueError("expected a mark in the pickle, found none")

    try:
        for code, argument, _ in pickletools.genops(content):
            name = code.name
            if name in _VALUES:
                stack.append(argument)
            elif name in _FIXED:
                stack.append(_FIXED[name])
            elif name == "MARK":
                stack.append(_MARK)
            elif name in ("EMPTY_LIST", "EMPTY_TUPLE"):
                stack.append([] if name == "EMPTY_LIST" else ())
            elif name in ("LIST", "TUPLE"):
                stack.append(marked() if name == "LIST" else tuple(marked()))
            elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            elif name == "APPEND":
                value = stack.pop()
                _list(stack[-1]).append(value)
            elif name == "APPENDS":
                values = marked()
                _list(stack[-1]).extend(values)
            elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
                memo[_key(argument)] = stack[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                stack.append(memo[_key(argument)])
            elif name == "STOP":
                return stack.pop()
            elif name not in ("PROTO", "FRAME"):
                raise ValueError(f"expected a pickle of plain values, found {name}")
    except (IndexError, KeyError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"expected a whole pickle, found: {error!r}") from None
    raise ValueError("expected a whole pickle, found no end")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"expected a list to add to, found {type(value).__name__}")
    return value


def _key(argument: Any) -> int:
    if not isinstance(argument, int):
        raise ValueError(f"expected a number in the pickle's memory, found {argument!r:.20}")
    return argument
