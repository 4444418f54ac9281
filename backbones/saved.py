"""Models on disk: weights and their BackboneConfig in one safetensors file, whole or not at all.

A file is untrusted: no pickle, a configuration whose every value has its type, weights that are
finite and as many as the configuration asks for, before anything of its size is built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backbones.config import MODEL_FORMAT, BackboneConfig
from backbones.encoder import Encoder
from backbones.planner import parameters
from data.array_files import json_object, read_arrays, write_arrays
from data.configs import config_from
from data.errors import UserError

ENCODER = "encoder."
"""Where a model's encoder stands among its weights, unless the model is the encoder itself."""


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
    half: bool = False,
) -> None:
    """Write the weights of `model`; a crash in the middle leaves the previous file. `half` keeps
    what was learnt as float16."""
    text = {
        "format": MODEL_FORMAT,
        "kind": kind,
        "backbone": json.dumps(asdict(config)),
        "details": json.dumps(dict(details or {})),
    }
    weights = model.state_dict()
    if half:
        weights |= {name: value.detach().half() for name, value in model.named_parameters()}
    write_tensors(path, weights, text)


def read_model(path: str | Path) -> SavedModel:
    """Read what `save_model` wrote; UserError for a missing, truncated, foreign or spoilt file."""
    weights, text = read_tensors(path, MODEL_FORMAT)
    config = config_from(BackboneConfig, json_object(path, text, "backbone"), f"{path}")
    asked, found = parameters(config), sum(w.numel() for w in encoder_part(weights).values())
    if asked != found:
        raise UserError(
            f"{path}: expected {asked:,} numbers for its backbone, found {found:,}; the file is "
            "spoilt: save or fetch it again"
        )
    return SavedModel(text.get("kind", ""), config, json_object(path, text, "details"), weights)


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
    write_arrays(
        path, {name: value.detach().cpu().numpy() for name, value in tensors.items()}, text
    )


def read_tensors(path: str | Path, expected: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and text of a file of the format `expected`; UserError for anything else, and for
    numbers that are not finite."""
    arrays, text = read_arrays(path, expected)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, text
