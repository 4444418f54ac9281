"""What the commands that write adapters are told of them, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data.errors import UserError

if TYPE_CHECKING:
    from backbones.adapters import AdapterConfig, Kind


def adapter_config(kind: Kind, rank: int, omega: float, bits: int | None) -> AdapterConfig:
    """An adapter of strength 2; UserError for options that are out of range."""
    from backbones.adapters import AdapterConfig

    if bits is not None and not 1 <= bits <= 8:
        raise UserError(f"--bits: expected 1 to 8, found {bits}")
    if not (rank >= 1 and omega > 0):
        raise UserError(f"--rank, --omega: expected above 0, found {rank, omega}")
    return AdapterConfig(kind, rank, 2.0 * rank, omega)
