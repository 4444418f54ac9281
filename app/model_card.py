"""The card of a saved classifier: data and its terms, recipe, score, how clouds are prepared.

It stands in the file of the weights, which is untrusted: text is shown without control characters
and cut to a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointcloud.stored import StoredClassifier

_LONGEST = 400
"""Letters of a line."""


def card(stored: StoredClassifier) -> dict[str, Any]:
    """What a file says of itself, as `darb3d inspect --json` prints it."""
    from pointcloud.stored import preparation

    return {
        "kind": stored.kind,
        "numbers": sum(array.size for array in stored.weights.values()),
        "classes": list(stored.classes),
        "preparation": preparation(stored.config),
        "temperature": stored.temperature,
        "knows the unlike": stored.familiarity is not None,
        "training": stored.about,
    }


def card_lines(name: str, stored: StoredClassifier) -> list[str]:
    """The same to read: a line for each fact of the training."""
    content = card(stored)
    lines = [
        f"{name}: {content['kind']}, {content['numbers']:,} numbers",
        f"classes: {len(stored.classes)} ({', '.join(stored.classes)})",
        f"sees: {_plain(content['preparation'])}",
        f"temperature of its scores: {stored.temperature:.3g}",
    ]
    return [_clean(line) for line in lines] + training_lines(stored.about)


def training_lines(about: dict[str, Any]) -> list[str]:
    """A line for each fact of a training."""
    return [_clean(f"{key.replace('_', ' ')}: {_plain(value)}") for key, value in about.items()]


def _plain(value: Any) -> str:
    """Nested values as words: `{"clouds": 985, "seed": 0}` is `clouds 985, seed 0`."""
    if isinstance(value, dict):
        known = {key.replace("_", " "): one for key, one in value.items() if one is not None}
        return ", ".join(f"{key} {_plain(one)}" for key, one in known.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _clean(line: str) -> str:
    shown = "".join(letter if letter.isprintable() else "?" for letter in line)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
