"""The one exception that reaches a user: a line that says expected, found, where and the remedy."""

from __future__ import annotations


class UserError(Exception):
    """Wrong input from outside; the command line prints it as one line and exits with 2."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(printable(message).split()))


def printable(text: str) -> str:
    """`text` with a question mark for each byte of a file name that is no UTF-8: such bytes arrive
    as surrogates, which neither a terminal nor JSON takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
