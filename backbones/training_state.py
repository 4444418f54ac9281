"""A training that may stop at any step: what its next step depends on, in memory and in a file.

Parameters and their running mean, what optimisers remember of each, step, seconds, and the numbers
that the model itself will draw (dropout). Batches are not here: they follow from seed and step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from backbones.saved import fill, read_tensors, write_tensors
from data.errors import UserError

FORMAT = "darb3d-training-1"
_LENGTH = ("steps", "minutes")
"""Fields of a configuration that may differ when a training goes on."""
_OF_ADAM = ("step", "exp_avg", "exp_avg_sq")
_OF_OTHERS = ("momentum",)
_CHANCE = "chance"


class TrainingConfig(Protocol):
    """What every configuration of a training has; also a dataclass."""

    @property
    def steps(self) -> int | None:
        """Length in steps, or none."""
        ...

    @property
    def minutes(self) -> float | None:
        """Length in minutes of the loop, or none."""
        ...


@dataclass(eq=False)
class TrainingState:
    """Everything that the next step depends on."""

    model: nn.Module
    optimisers: Iterable[torch.optim.Optimizer]
    chance: Tensor
    """State of the generator that the model draws from."""
    step: int = 0
    seconds: float = 0.0
    """Spent in the loop."""
    average: dict[str, Tensor] = field(default_factory=dict)
    """Running mean of the weights, by name; empty where none is kept."""

    def progress(self, config: TrainingConfig) -> float:
        """0 before the first step, 1 when done."""
        if config.steps is not None:
            return self.step / config.steps
        assert config.minutes is not None
        return self.seconds / (60.0 * config.minutes)

    @contextmanager
    def own_chance(self) -> Iterator[None]:
        """Inside, torch draws on the CPU what this training draws, whatever else has drawn."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.chance)
            try:
                yield
            finally:
                self.chance = torch.get_rng_state()

    def to(self, device: str) -> None:
        """Move all that is computed with."""
        self.model.to(device)
        self.average = {name: value.to(device) for name, value in self.average.items()}
        for _, parameter, optimiser in _moved(self):
            kept = optimiser.state[parameter]
            kept.update({k: v.to(device) for k, v in kept.items() if k != "step"})


def seeded(seed: int) -> Tensor:
    """The `chance` that a training begins with."""
    return torch.Generator().manual_seed(seed).get_state()


def save_training(
    path: str | Path, state: TrainingState, config: Any, about: dict[str, Any]
) -> None:
    """Write the whole state; a crash in the middle leaves the previous file. `about` says what is
    trained on what, and must be the same later."""
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in state.average.items()}
    for name, parameter, optimiser in _moved(state):
        kept = optimiser.state.get(parameter, {})
        tensors |= {f"{kind}.{name}": kept[kind] for kind in _kinds(optimiser) if kind in kept}
    text = {"step": str(state.step), "seconds": repr(state.seconds)}
    text |= {"config": json.dumps(asdict(config)), "about": json.dumps(about, sort_keys=True)}
    write_tensors(path, {**tensors, _CHANCE: state.chance}, {**text, "format": FORMAT})


def read_about(path: str | Path) -> dict[str, Any]:
    """What the training of a file is about; UserError for a spoilt one."""
    _, text = read_tensors(path, FORMAT)
    return _text(path, text)[3]


def load_training(
    path: str | Path, state: TrainingState, config: Any, about: dict[str, Any]
) -> None:
    """Fill `state` from a file. UserError for a spoilt one, or one of another training (its length
    may differ)."""
    tensors, text = read_tensors(path, FORMAT)
    there, step, seconds, before = _text(path, text)
    here = {name: value for name, value in asdict(config).items() if name not in _LENGTH}
    # an option that is newer than the file had its default
    newer = {field.name: field.default for field in fields(config)}
    for name, value in {**here, **about}.items():
        found = {**newer, **there, **before}.get(name)
        if found != json.loads(json.dumps(value)):
            raise UserError(
                f"{path}: expected a training with {name} {value}, found one with {found}; give"
                " what it began with, or leave --resume out"
            )
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        parts.setdefault(kind, {})[rest] = tensor
    fill(state.model, parts.get("model", {}), str(path))
    _fill_average(state, parts.get("average", {}), path)
    for name, parameter, optimiser in _moved(state):
        kept = {
            kind: parts[kind][name] for kind in _kinds(optimiser) if name in parts.get(kind, {})
        }
        _check_kept(path, name, parameter, _kinds(optimiser), kept)
        if kept:
            optimiser.state[parameter] = kept
        else:
            optimiser.state.pop(parameter, None)
    state.chance = _checked_chance(path, tensors.get(_CHANCE))
    state.step, state.seconds = step, seconds


def _moved(state: TrainingState) -> Iterator[tuple[str, Tensor, torch.optim.Optimizer]]:
    """Each parameter that is trained, with its name and what moves it."""
    names = {id(value): name for name, value in state.model.named_parameters()}
    for optimiser in state.optimisers:
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                yield names[id(parameter)], parameter, optimiser


def _kinds(optimiser: torch.optim.Optimizer) -> tuple[str, ...]:
    """What an optimiser remembers of a parameter."""
    return _OF_ADAM if isinstance(optimiser, torch.optim.AdamW) else _OF_OTHERS


def _text(path: str | Path, text: dict[str, str]) -> tuple[dict[str, Any], int, float, dict]:
    """Configuration without its length, step, seconds, about."""
    try:
        began, before = json.loads(text["config"]), json.loads(text["about"])
        there = {name: value for name, value in began.items() if name not in _LENGTH}
        return there, int(text["step"]), float(text["seconds"]), dict(before)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: expected the state of a training, found {error}") from None


def _fill_average(state: TrainingState, found: dict[str, Tensor], path: str | Path) -> None:
    shapes = {name: value.shape for name, value in state.average.items()}
    if shapes != {name: value.shape for name, value in found.items()}:
        raise UserError(
            f"{path}: expected a mean of {len(shapes)} weights, found {len(found)} or other shapes"
        )
    state.average = {name: value.to(state.average[name]) for name, value in found.items()}


def _check_kept(
    path: str | Path,
    name: str,
    parameter: Tensor,
    kinds: tuple[str, ...],
    kept: dict[str, Tensor],
) -> None:
    """All that an optimiser remembers of a parameter, or nothing: none before its first step."""
    fits = all(
        value.dtype.is_floating_point and value.shape == (() if kind == "step" else parameter.shape)
        for kind, value in kept.items()
    )
    if not fits or (kept and len(kept) != len(kinds)):
        raise UserError(
            f"{path}: expected {', '.join(kinds)} of {name}, of shape {tuple(parameter.shape)},"
            f" found {', '.join(kept)} or other shapes; the file is spoilt: begin anew"
        )


def _checked_chance(path: str | Path, found: Tensor | None) -> Tensor:
    try:
        torch.Generator().set_state(torch.empty(0) if found is None else found)
    except (RuntimeError, TypeError) as error:
        raise UserError(
            f"{path}: expected the state of a generator in {_CHANCE}, found none: {error}"
        ) from None
    assert found is not None
    return found
