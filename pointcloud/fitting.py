"""Training a classifier: AdamW on a cosine, measured in progress, resumable at any step.

A model is anything with `prepare(clouds, starts, shifts) -> tensors` and `forward(*tensors) ->
scores`; what it does not want trained, it has frozen.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from backbones.saved import fill, read_tensors, write_tensors
from data.errors import UserError
from data.labelled_clouds import LabelledClouds
from pointcloud.batches import batch_of_step
from pointcloud.config import FitConfig

STATE_FORMAT = "darb3d-fit-1"
_RISE = 0.05
"""Share of the training over which the rate rises."""
_MOMENTS = ("exp_avg", "exp_avg_sq")
Report = Callable[[int, dict[str, Any]], bool | None]


class Classifier(Protocol):
    """What is trained here; also an nn.Module."""

    def prepare(
        self,
        clouds: Sequence[Float[np.ndarray, "_ 3"]],
        starts: Sequence[int] | None = None,
        shifts: Float[np.ndarray, "b 1 3"] | None = None,
    ) -> tuple[Tensor, ...]:
        """Clouds as tensors."""
        ...

    def __call__(self, *inputs: Tensor) -> Float[Tensor, "b classes"]:
        """A score for each class."""
        ...


@dataclass(eq=False)
class FitState:
    """Everything that the next step depends on."""

    model: nn.Module
    optimiser: torch.optim.AdamW
    step: int = 0
    seconds: float = 0.0
    """Spent in the loop."""

    def progress(self, config: FitConfig) -> float:
        """0 before the first step, 1 when done."""
        if config.steps is not None:
            return self.step / config.steps
        assert config.minutes is not None
        return self.seconds / (60.0 * config.minutes)


def initial_state(model: nn.Module, config: FitConfig) -> FitState:
    """The state before the first step."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return FitState(
        model, torch.optim.AdamW(trained, lr=config.rate, weight_decay=config.weight_decay)
    )


def fit(
    state: FitState,
    data: LabelledClouds,
    config: FitConfig,
    report: Report | None = None,
    save: Callable[[FitState], None] | None = None,
    save_every_s: float = 300.0,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Train `state` in place until done, or until `report` returns False.

    `report(step, {"progress", "loss", "accuracy", "seconds", "steps_per_second"})` comes after
    every step; accuracy is that of its batch. `save` is called every `save_every_s` seconds of
    training, not at the end.
    """
    model: Any = state.model
    model.train()
    began, saved = clock() - state.seconds, state.seconds
    first = state.step
    resumed_at = state.seconds
    while (progress := state.progress(config)) < 1.0:
        state.step += 1
        for group in state.optimiser.param_groups:
            group["lr"] = config.rate * rate_factor(progress)
        batch = batch_of_step(data, config, state.step)
        labels = torch.from_numpy(batch.labels)
        scores = model(*model.prepare(batch.clouds, batch.starts, batch.shifts))
        loss = functional.cross_entropy(scores, labels, label_smoothing=config.smoothing)
        state.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(state.optimiser.param_groups[0]["params"], config.clip)
        state.optimiser.step()
        state.seconds = clock() - began
        if save is not None and state.seconds - saved >= save_every_s:
            saved = state.seconds
            save(state)
        values = {
            "progress": state.progress(config),
            "loss": loss.item(),
            "accuracy": (scores.argmax(-1) == labels).double().mean().item(),
            "seconds": state.seconds,
            "steps_per_second": (state.step - first) / max(state.seconds - resumed_at, 1e-9),
        }
        if report is not None and report(state.step, values) is False:
            break
    model.eval()


def rate_factor(progress: float) -> float:
    """Share of the highest rate: up in a straight line, down as half a cosine.

    >>> [round(rate_factor(p), 3) for p in (0.025, 0.05, 0.525, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if progress < _RISE:
        return max(progress / _RISE, 0.02)
    return 0.5 + 0.5 * math.cos(math.pi * (progress - _RISE) / (1.0 - _RISE))


def save_fit(path: str | Path, state: FitState, config: FitConfig, about: dict[str, Any]) -> None:
    """Write the whole state; `about` says what is trained on what, and must be the same later."""
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    moments = state.optimiser.state_dict()["state"]
    for index, name in enumerate(_trained_names(state.model)):
        for kind in _MOMENTS:
            if index in moments:
                tensors[f"{kind}.{name}"] = moments[index][kind]
    text = {"step": str(state.step), "seconds": repr(state.seconds)}
    text |= {"config": json.dumps(asdict(config)), "about": json.dumps(about, sort_keys=True)}
    write_tensors(path, tensors, {**text, "format": STATE_FORMAT})


def load_fit(path: str | Path, state: FitState, config: FitConfig, about: dict[str, Any]) -> None:
    """Fill `state` from a file. UserError for a spoilt one, or one of another training (its length
    may differ)."""
    tensors, text = read_tensors(path, STATE_FORMAT)
    length = ("steps", "minutes")
    here = {name: value for name, value in asdict(config).items() if name not in length}
    try:
        began = json.loads(text["config"])
        there = {name: value for name, value in began.items() if name not in length}
        step, seconds, before = int(text["step"]), float(text["seconds"]), json.loads(text["about"])
    except (KeyError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: expected the state of a training, found {error}") from None
    for name, value in {**here, **about}.items():
        found = {**there, **before}.get(name)
        if found != json.loads(json.dumps(value)):
            raise UserError(
                f"{path}: expected a training with {name} {value}, found one with {found}; give"
                " what it began with, or leave --resume out"
            )
    parts: dict[str, dict[str, Tensor]] = {"model": {}, **{kind: {} for kind in _MOMENTS}}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        parts.setdefault(kind, {})[rest] = tensor
    fill(state.model, parts["model"], str(path))
    moments = {}
    for index, name in enumerate(_trained_names(state.model)):
        if any(name in parts[kind] for kind in _MOMENTS):
            wanted = state.optimiser.param_groups[0]["params"][index].shape
            found = {kind: parts[kind].get(name) for kind in _MOMENTS}
            if any(value is None or value.shape != wanted for value in found.values()):
                raise UserError(f"{path}: expected moments of {name} of {tuple(wanted)}")
            moments[index] = {**found, "step": torch.tensor(float(step))}
    whole = state.optimiser.state_dict()
    state.optimiser.load_state_dict({**whole, "state": moments})
    state.step, state.seconds = step, seconds


def _trained_names(model: nn.Module) -> list[str]:
    return [name for name, value in model.named_parameters() if value.requires_grad]
