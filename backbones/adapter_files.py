"""Adapters in a file beside their base: configuration, factors, and the base's fingerprint.

A file of a few kB should not spend half of them on names. The layers follow from the base and the
configuration, so all factors stand in one array in the order of the layers, and the header holds
only the configuration. Quantised: `codes` (whole bytes a factor), `tables` and `scales`, one of
each a factor. Whatever else belongs to the adapter (a head, the row lengths of DoRA) is stored in
float32, or in halves when quantised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from backbones.adapters import Adapter, AdapterConfig, adapters_of, attach, detach, low_rank_parts
from backbones.lora import DoRA
from backbones.quantised_adapters import (
    BITS,
    Method,
    Quantised,
    quantise_adapters,
    stored_bytes,
    table_length,
)
from backbones.saved import read_tensors, write_tensors
from data.errors import UserError

ADAPTER_FORMAT = "darb3d-adapter-1"
_MARK = ".parametrizations."


@dataclass(frozen=True, eq=False)
class LoadedAdapter:
    """What a file held beside the factors, which are on the model."""

    config: AdapterConfig
    bits: int | None
    extra: dict[str, Tensor]
    text: dict[str, str]


def fingerprint(model: nn.Module) -> str:
    """32 hexadecimal digits of the model's own weights, whether it carries adapters or not."""
    own = {}
    for name, tensor in model.state_dict().items():
        if _MARK in f".{name}":
            before, _, after = f".{name}".partition(_MARK)
            weight_name, _, part = after.partition(".")
            if part != "original":
                continue
            name = f"{before}.{weight_name}".removeprefix(".")
        own[name] = tensor
    digest = hashlib.sha256()
    for name in sorted(own):
        array = own[name].detach().cpu().reshape(-1).view(torch.uint8).numpy()
        digest.update(f"{name} {own[name].dtype} {tuple(own[name].shape)}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


def save_adapter(
    path: str | Path,
    model: nn.Module,
    config: AdapterConfig,
    *,
    base: str | None = None,
    bits: int | None = None,
    method: Method = "kmeans",
    extra: dict[str, Tensor] | None = None,
    text: dict[str, str] | None = None,
) -> int:
    """Write the adapters on `model`; the number of bytes in the file.

    With `bits`, the factors on the model become what the file holds. `base` is the fingerprint of
    the model they belong to, taken from `model` if not given; give it when `extra`, such as a new
    head, has replaced weights of that.
    """
    adapters = adapters_of(model)
    head = {
        "format": ADAPTER_FORMAT,
        "adapter": json.dumps(asdict(config), separators=(",", ":")),
        "base": base or fingerprint(model),
        **({} if bits is None else {"bits": str(bits), "method": method}),
    }
    others = dict(extra or {})
    for name, adapter in adapters.items():
        if isinstance(adapter, DoRA):
            others[f"{name}.magnitude"] = adapter.magnitude
    kind = torch.float32 if bits is None else torch.float16
    tensors = {name: tensor.detach().to(kind) for name, tensor in others.items()}
    if bits is None:
        tensors["factors"] = torch.cat([factor.detach().flatten() for factor in _factors(adapters)])
    else:
        stored = [q for pair in quantise_adapters(adapters, bits, method).values() for q in pair]
        tensors["codes"] = torch.from_numpy(np.concatenate([q.codes for q in stored]))
        tensors["tables"] = torch.from_numpy(np.concatenate([q.table for q in stored]))
        tensors["scales"] = torch.from_numpy(np.array([q.scale for q in stored]))
    write_tensors(path, tensors, {**(text or {}), **head})
    return Path(path).stat().st_size


def load_adapter(path: str | Path, model: nn.Module) -> LoadedAdapter:
    """Put the adapters of a file on `model`. UserError for a broken file or another base."""
    tensors, text = read_tensors(path, ADAPTER_FORMAT)
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    text.pop("format")
    try:
        given = json.loads(text.pop("adapter"))
        config = AdapterConfig(**{**given, "targets": tuple(given["targets"])})
        base, bits = text.pop("base"), int(text.pop("bits", 0)) or None
        method: Method = "uniform" if text.pop("method", "kmeans") == "uniform" else "kmeans"
        if bits is not None and bits not in BITS:
            raise ValueError(f"{bits} bits")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: expected the description of an adapter, found {error}") from None
    here = fingerprint(model)
    if base != here:
        raise UserError(
            f"{path}: expected the base it was trained on (weights {base[:8]}), found another"
            f" ({here[:8]}); name that model, or adapt this one anew"
        )
    try:
        _fill(attach(model, config), arrays, bits, method)
    except (KeyError, ValueError) as error:
        detach(model)
        raise UserError(f"{path}: expected factors for this base, found {error}") from None
    extra = {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
    return LoadedAdapter(config, bits, extra, text)


def theoretical_bytes(
    adapters: dict[str, Adapter],
    bits: int | None,
    method: Method = "kmeans",
    extra: dict[str, Tensor] | None = None,
) -> int:
    """Bytes that the numbers of an adapter need: the file without its header."""
    others = sum(tensor.numel() for tensor in (extra or {}).values())
    others += sum(a.magnitude.numel() for a in adapters.values() if isinstance(a, DoRA))
    counts = [factor.numel() for factor in _factors(adapters)]
    if bits is None:
        return 4 * (others + sum(counts))
    return 2 * others + sum(stored_bytes(count, bits, method) for count in counts)


def _factors(adapters: dict[str, Adapter]) -> Iterator[Tensor]:
    """A and B of each adapter, in the order in which files hold them."""
    for part in low_rank_parts(adapters).values():
        yield part.a
        yield part.b


@torch.no_grad()
def _fill(
    adapters: dict[str, Adapter], arrays: dict[str, np.ndarray], bits: int | None, method: Method
) -> None:
    """Move what belongs to the adapters out of `arrays` into them; ValueError unless all fits."""
    for name, adapter in adapters.items():
        if isinstance(adapter, DoRA):
            magnitude = arrays.pop(f"{name}.magnitude").astype(np.float32)
            adapter.magnitude.copy_(_fitting(magnitude, adapter.magnitude))
    factors = list(_factors(adapters))
    if bits is None:
        values = _cut(arrays.pop("factors"), [f.numel() for f in factors])
    else:
        lengths = [-(-f.numel() * bits // 8) for f in factors]
        codes = _cut(arrays.pop("codes"), lengths)
        tables = _cut(arrays.pop("tables"), [table_length(bits, method)] * len(factors))
        scales = _cut(arrays.pop("scales"), [1] * len(factors))
        values = [
            Quantised(code, table, scale[0], bits, method, tuple(factor.shape)).values()
            for code, table, scale, factor in zip(codes, tables, scales, factors, strict=True)
        ]
    for factor, array in zip(factors, values, strict=True):
        factor.copy_(_fitting(array, factor))


def _cut(array: np.ndarray, lengths: list[int]) -> list[np.ndarray]:
    if array.ndim != 1 or len(array) != sum(lengths):
        raise ValueError(f"an array of shape {array.shape} instead of ({sum(lengths)},)")
    return np.split(array, np.cumsum(lengths)[:-1])


def _fitting(array: np.ndarray, wanted: Tensor) -> Tensor:
    if array.size != wanted.numel() or not np.isfinite(array).all():
        raise ValueError(f"{array.size} values, finite or not, instead of {wanted.numel()} finite")
    return torch.from_numpy(array.reshape(wanted.shape))
