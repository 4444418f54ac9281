"""Frozen dataclasses from JSON of a stranger's file: every name known, every value of its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from data.errors import UserError

LARGEST_NUMBER = 1_000_000
T = TypeVar("T")


def config_from(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """The configuration `kind` that `values` describe; a field that is a dataclass takes an object.

    UserError for an unknown name, a wrong type or a choice that does not exist.
    """
    hints = get_type_hints(kind)
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    found = {}
    for name, value in values.items():
        if name not in known:
            raise UserError(
                f"{where}: expected options of this version's {kind.__name__}, found {name!r}; "
                "a newer version may have written it"
            )
        if is_dataclass(hints[name]) and isinstance(value, Mapping):
            found[name] = config_from(hints[name], value, where)  # type: ignore[arg-type]
        elif _fits(value, hints[name]):
            found[name] = value
        else:
            raise UserError(f"{where}: expected {name} of {hints[name]}, found {value!r:.80}")
    try:
        return kind(**found)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value from JSON is one of the type `hint` of a field."""
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return type(value) is int and abs(value) <= LARGEST_NUMBER
    if hint is float:
        return type(value) in (int, float) and abs(value) <= LARGEST_NUMBER
    if get_origin(hint) is tuple:
        inside = get_args(hint)
        numbers = isinstance(value, list | tuple) and all(_fits(v, int) for v in value)
        return numbers and (inside[-1] is Ellipsis or len(value) == len(inside))
    return any(_fits(value, part) for part in get_args(hint)) or (
        value is None and type(None) in get_args(hint)
    )
