"""A training on disk: everything that its next step depends on, in one safetensors file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backbones.saved import fill, read_tensors, write_tensors
from data.errors import UserError
from pointcloud.config import FitConfig
from pointcloud.fitting import FitState

STATE_FORMAT = "darb3d-fit-2"
_MOMENTS = ("exp_avg", "exp_avg_sq", "momentum_buffer")
_LENGTH = ("steps", "minutes")


def save_fit(path: str | Path, state: FitState, config: FitConfig, about: dict[str, Any]) -> None:
    """Write the whole state; `about` says what is trained on what, and must be the same later."""
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in state.average.items()}
    for name, parameter in _trained(state.model).items():
        kept = state.optimisers.state_of(parameter)
        tensors |= {f"{kind}.{name}": kept[kind] for kind in _MOMENTS if kind in kept}
    text = {"step": str(state.step), "seconds": repr(state.seconds)}
    text |= {"config": json.dumps(asdict(config)), "about": json.dumps(about, sort_keys=True)}
    write_tensors(path, tensors, {**text, "format": STATE_FORMAT})


def read_about(path: str | Path) -> dict[str, Any]:
    """What the training of a file is about; UserError for a spoilt one."""
    _, text = read_tensors(path, STATE_FORMAT)
    return _about(path, text)[3]


def load_fit(path: str | Path, state: FitState, config: FitConfig, about: dict[str, Any]) -> None:
    """Fill `state` from a file. UserError for a spoilt one, or one of another training (its length
    may differ)."""
    tensors, text = read_tensors(path, STATE_FORMAT)
    there, step, seconds, before = _about(path, text)
    here = {name: value for name, value in asdict(config).items() if name not in _LENGTH}
    for name, value in {**here, **about}.items():
        found = {**there, **before}.get(name)
        if found != json.loads(json.dumps(value)):
            raise UserError(
                f"{path}: expected a training with {name} {value}, found one with {found}; give"
                " what it began with, or leave --resume out"
            )
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in ("model", "average", *_MOMENTS)}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        parts.setdefault(kind, {})[rest] = tensor
    fill(state.model, parts["model"], str(path))
    _fill_average(state, parts["average"], path)
    for name, parameter in _trained(state.model).items():
        found = {kind: parts[kind][name] for kind in _MOMENTS if name in parts[kind]}
        if any(value.shape != parameter.shape for value in found.values()):
            raise UserError(f"{path}: expected moments of {name} of {tuple(parameter.shape)}")
        kept = state.optimisers.state_of(parameter)
        kept.clear()
        kept.update(found)
        if "exp_avg" in found:
            kept["step"] = torch.tensor(float(step))
    state.step, state.seconds = step, seconds


def _about(path: str | Path, text: dict[str, str]) -> tuple[dict[str, Any], int, float, dict]:
    """Configuration without its length, step, seconds, about."""
    try:
        began, before = json.loads(text["config"]), json.loads(text["about"])
        there = {name: value for name, value in began.items() if name not in _LENGTH}
        return there, int(text["step"]), float(text["seconds"]), dict(before)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: expected the state of a training, found {error}") from None


def _fill_average(state: FitState, found: dict[str, Tensor], path: str | Path) -> None:
    shapes = {name: value.shape for name, value in state.average.items()}
    if shapes != {name: value.shape for name, value in found.items()}:
        raise UserError(
            f"{path}: expected a mean of {len(shapes)} weights, found {len(found)} or other shapes"
        )
    state.average = found


def _trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: value for name, value in model.named_parameters() if value.requires_grad}
