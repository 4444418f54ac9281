"""The one exception that reaches a user: a single line that says expected, found, where and the remedy."""

from __future__ import annotations


class UserError(Exception):
    """Wrong input from outside; the command line prints it as one line and exits with 2."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
