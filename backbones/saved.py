"""Models on disk: weights and their BackboneConfig in one safetensors file, whole or not at all.

A file is untrusted: no pickle, a configuration whose every value has its type, weights that are
finite and as many as the configuration asks for, before anything of its size is built.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from backbones.planner import parameters
from data.errors import UserError

MODEL_FORMAT = "darb3d-model-1"
ENCODER = "encoder."
"""Where a model's encoder stands among its weights, unless the model is the encoder itself."""
LARGEST_SIZE = 1_000_000


@dataclass(frozen=True, eq=False)
class SavedModel:
    """What a file holds, checked."""

    kind: str
    """What to build: `encoder`, or the name of a model of another package."""
    config: BackboneConfig
    details: dict[str, Any]
    """What the model needs beside its backbone; its package checks it."""
    weights: dict[str, Tensor]

    def encoder(self) -> Encoder:
        """The encoder with its weights; UserError where they do not fit."""
        encoder = Encoder(self.config)
        fill(encoder, encoder_part(self.weights))
        return encoder


def save_model(
    path: str | Path,
    model: nn.Module,
    config: BackboneConfig,
    kind: str = "encoder",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write the weights of `model`; a crash in the middle leaves the previous file."""
    text = {
        "format": MODEL_FORMAT,
        "kind": kind,
        "backbone": json.dumps(asdict(config)),
        "details": json.dumps(dict(details or {})),
    }
    write_tensors(path, model.state_dict(), text)


def read_model(path: str | Path) -> SavedModel:
    """Read what `save_model` wrote; UserError for a missing, truncated, foreign or spoilt file."""
    weights, text = read_tensors(path, MODEL_FORMAT)
    config = config_from(_object(path, text, "backbone"), f"{path}")
    asked, found = parameters(config), sum(w.numel() for w in encoder_part(weights).values())
    if asked != found:
        raise UserError(
            f"{path}: expected {asked:,} numbers for its backbone, found {found:,}; the file is "
            "spoilt: save or fetch it again"
        )
    return SavedModel(text.get("kind", ""), config, _object(path, text, "details"), weights)


def fill(model: nn.Module, weights: Mapping[str, Tensor], where: str = "the file") -> None:
    """Give `model` its weights; UserError for names or shapes that differ."""
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise UserError(
                f"{where}: expected {name} of shape {expected.get(name, 'none')}, found "
                f"{found.get(name, 'none')}; the weights belong to another model"
            )
    model.load_state_dict(dict(weights))


def encoder_part(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's weights among a model's, under the encoder's own names."""
    inside = {n.removeprefix(ENCODER): w for n, w in weights.items() if n.startswith(ENCODER)}
    return inside or dict(weights)


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], text: Mapping[str, str]) -> None:
    """Write tensors and text beside them, atomically."""
    from safetensors.torch import save

    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        with open(draft, "wb") as stream:
            stream.write(save(whole, dict(text)))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_tensors(path: str | Path, expected: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and text of a file of the format `expected`; UserError for anything else, and for
    numbers that are not finite."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            text = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path}: expected a safetensors file of darb3d, found: {error}; save or fetch it again"
        ) from None
    if text.get("format") != expected:
        raise UserError(f"{path}: expected the format {expected}, found {text.get('format')}")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise UserError(f"{path}: expected finite numbers, found others in {name}")
    return tensors, text


def config_from(values: Mapping[str, Any], where: str) -> BackboneConfig:
    """The configuration that `values` describe; UserError for an unknown name, a wrong type or a
    choice that does not exist."""
    hints = get_type_hints(BackboneConfig)
    known = {field.name for field in fields(BackboneConfig)}
    for name, value in values.items():
        if name not in known:
            raise UserError(
                f"{where}: expected options of this version's backbone, found {name!r}; "
                "a newer version may have written it"
            )
        if not _fits(value, hints[name]):
            raise UserError(f"{where}: expected {name} of {hints[name]}, found {value!r:.80}")
    try:
        return BackboneConfig(**values)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def _object(path: str | Path, text: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        content = json.loads(text.get(name, ""))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected JSON in `{name}`, found: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected an object in `{name}`, found {type(content).__name__}")
    return content


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value from JSON is one of the type `hint` of a field."""
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return type(value) is int and abs(value) <= LARGEST_SIZE
    if hint is float:
        return type(value) in (int, float) and abs(value) <= LARGEST_SIZE
    if get_origin(hint) is tuple:
        inside = get_args(hint)
        numbers = isinstance(value, list | tuple) and all(_fits(v, int) for v in value)
        return numbers and (inside[-1] is Ellipsis or len(value) == len(inside))
    return any(_fits(value, part) for part in get_args(hint)) or (
        value is None and type(None) in get_args(hint)
    )
