"""The one exception that reaches a user: a line that says expected, found, where and the remedy."""

from __future__ import annotations


class UserError(Exception):
    """Wrong input from outside; the command line prints it as one line and exits with 2."""

    def __init__(self, message: str) -> None:
        # File names that are no UTF-8 arrive as surrogates, which no terminal prints.
        printable = message.encode("utf-8", "replace").decode("utf-8")
        super().__init__(" ".join(printable.split()))
