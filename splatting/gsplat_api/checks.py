"""What stands at the door: every argument is checked by name before anything is computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def tensor(name: str, value: Any, shape: tuple[int | None, ...], integer: bool = False) -> Tensor:
    """`value` if it is a finite float32 (or any integer) CPU tensor of `shape`, None for any size;
    ValueError, naming argument, expected and found, if not."""
    wanted = "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
    if not isinstance(value, Tensor):
        raise ValueError(f"{name}: expected a tensor {wanted}, found {type(value).__name__}")
    fits = value.dim() == len(shape) and all(
        size is None or size == found for size, found in zip(shape, value.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name}: expected the shape {wanted}, found {tuple(value.shape)}")
    if value.device.type != "cpu":
        raise ValueError(
            f"{name}: expected a CPU tensor, found {value.device}; gsplat draws on CUDA"
        )
    if integer:
        if value.dtype.is_floating_point or value.dtype.is_complex:
            raise ValueError(f"{name}: expected integers, found {value.dtype}")
        return value
    if value.dtype != torch.float32:
        raise ValueError(f"{name}: expected torch.float32, found {value.dtype}")
    if not bool(torch.isfinite(value.detach()).all()):
        broken = int((~torch.isfinite(value.detach())).sum())
        raise ValueError(f"{name}: expected finite numbers, found {broken} NaN or infinite")
    return value


def mask(name: str, value: Any, shape: tuple[int, ...]) -> Tensor:
    """`value` if it is a tensor of booleans of `shape`."""
    if not isinstance(value, Tensor) or value.dtype != torch.bool or value.shape != shape:
        found = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value)
        raise ValueError(f"{name}: expected torch.bool {shape}, found {found}")
    return value


def whole(name: str, value: Any, least: int = 1) -> int:
    """`value` if it is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: expected a whole number from {least}, found {value!r}")
    return value


def choice(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """`value` if it is among `allowed`."""
    if value not in allowed:
        known = ", ".join(repr(entry) for entry in allowed)
        raise ValueError(f"{name}: expected one of {known}, found {value!r}")
    return value


def left_out(**values: Any) -> None:
    """ValueError for an argument of gsplat's that is given but not implemented here."""
    for name, value in values.items():
        if value is not None and value is not False:
            raise ValueError(
                f"{name}: expected it left out (not implemented on a CPU), found {value!r}"
            )
