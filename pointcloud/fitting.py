"""Training a classifier: optimisers on a cosine, measured in progress, resumable at any step.

A model is anything with `prepare(clouds, starts, shifts) -> tensors` and `forward(*tensors) ->
scores`; what it does not want trained, it has frozen. `descend` takes any other aim.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from backbones.training_state import TrainingState, seeded
from data.labelled_clouds import LabelledClouds
from pointcloud.advice import targets
from pointcloud.ahead import Ahead
from pointcloud.batches import batch_of_step
from pointcloud.config import FitConfig, check_fit, fewer_centres
from pointcloud.optimisers import Optimisers, optimisers

_RISE = 0.05
"""Share of the training over which the rate rises."""
Report = Callable[[int, dict[str, Any]], bool | None]
Aim = Callable[[int], tuple[Tensor, dict[str, Any]]]
"""Takes the number of a step; returns the loss to descend, and numbers to report."""


class Classifier(Protocol):
    """What is trained here; also an nn.Module. One that cuts clouds into groups prepares fewer of
    them on request (`centres`)."""

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
class FitState(TrainingState):
    """A training of a classifier, or of a part of one."""

    optimisers: Optimisers
    """One or two that share a rate."""
    norms_stay: bool = False
    """Whether batch norms go on with the statistics they have: those of a base that is not to
    change."""

    def begin(self) -> None:
        """Put the model into training."""
        into_training(self.model, self.norms_stay)

    def finish(self) -> None:
        """Put the mean of the weights, if one was kept, into the model."""
        if self.average:
            self.model.load_state_dict(self.average, strict=False)


def into_training(model: nn.Module, norms_stay: bool = False) -> None:
    """As `model.train()`; batch norms that stay use and keep the statistics they have."""
    model.train()
    if norms_stay:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()


def initial_state(model: nn.Module, config: FitConfig, norms_stay: bool = False) -> FitState:
    """The state before the first step."""
    state = FitState(
        model,
        optimisers=optimisers(model, config),
        chance=seeded(config.seed),
        norms_stay=norms_stay,
    )
    if config.average:
        state.average = {name: value.clone() for name, value in _averaged(model).items()}
    return state


def fit(
    state: FitState,
    data: LabelledClouds,
    config: FitConfig,
    report: Report | None = None,
    save: Callable[[FitState], None] | None = None,
    save_every_s: float = 300.0,
    clock: Callable[[], float] = time.perf_counter,
    advice: Float32[np.ndarray, "c classes"] | None = None,
) -> None:
    """Train `state` in place to say the labels of `data`, and what `advice` says (see `descend`);
    the report's accuracy is that of its batch."""
    aim = classifying(state, data, config, advice)
    descend(state, aim, config, report, save, save_every_s, clock)
    if state.progress(config) >= 1.0:
        state.finish()


def classifying(
    state: FitState,
    data: LabelledClouds,
    config: FitConfig,
    advice: Float32[np.ndarray, "c classes"] | None = None,
) -> Aim:
    """Cross-entropy of a step's batch, which is made while the step before it trains, to its labels
    and to `advice` on each cloud of the data."""
    model: Any = state.model
    check_fit(config, model.config)
    few = fewer_centres(model.config) if config.coarse_until else None

    def prepared(step: int, coarse: bool) -> tuple[Tensor, Tensor | None, tuple[Tensor, ...]]:
        batch = batch_of_step(data, config, step)
        groups = {"centres": few} if coarse else {}
        inputs = model.prepare(batch.clouds, batch.starts, batch.shifts, **groups)
        said = None if advice is None else torch.from_numpy(advice[batch.rows])
        return torch.from_numpy(batch.labels), said, inputs

    batches = Ahead(prepared)

    def aim(step: int) -> tuple[Tensor, dict[str, Any]]:
        coarse = few is not None and state.progress(config) < config.coarse_until
        labels, said, inputs = batches.take((step, coarse), (step + 1, coarse))
        with torch.autocast(inputs[0].device.type, torch.bfloat16, enabled=config.bf16):
            scores = model(*inputs).float()
        if said is None:
            loss = functional.cross_entropy(scores, labels, label_smoothing=config.smoothing)
        else:
            wanted = targets(labels, said, config.advice, config.smoothing)
            loss = functional.cross_entropy(scores, wanted)
        return loss, {"accuracy": (scores.argmax(-1) == labels).double().mean().item()}

    return aim


def descend(
    state: FitState,
    aim: Aim,
    config: FitConfig,
    report: Report | None = None,
    save: Callable[[FitState], None] | None = None,
    save_every_s: float = 300.0,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Train `state` in place until done, or until `report` returns False.

    `report(step, {"progress", "loss", "seconds", "steps_per_second", ...})` comes after every step,
    with what the aim adds. `save` is called every `save_every_s` seconds of training, not at the
    end.
    """
    state.begin()
    began, saved = clock() - state.seconds, state.seconds
    first = state.step
    resumed_at = state.seconds
    while (progress := state.progress(config)) < 1.0:
        state.step += 1
        with state.own_chance():
            loss, found = aim(state.step)
            state.optimisers.step(loss, rate_factor(progress))
        _keep_average(state, config.average)
        state.seconds = clock() - began
        if save is not None and state.seconds - saved >= save_every_s:
            saved = state.seconds
            save(state)
        values = {
            "progress": state.progress(config),
            "loss": loss.item(),
            **found,
            "seconds": state.seconds,
            "steps_per_second": (state.step - first) / max(state.seconds - resumed_at, 1e-9),
        }
        if report is not None and report(state.step, values) is False:
            break
    state.model.eval()


def rate_factor(progress: float) -> float:
    """Share of the highest rate: up in a straight line, down as half a cosine.

    >>> [round(rate_factor(p), 3) for p in (0.025, 0.05, 0.525, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if progress < _RISE:
        return max(progress / _RISE, 0.02)
    return 0.5 + 0.5 * math.cos(math.pi * (progress - _RISE) / (1.0 - _RISE))


@torch.no_grad()
def _keep_average(state: FitState, decay: float) -> None:
    """The first steps count less: the mean of a short training is not its start."""
    if state.average:
        share = 1.0 - min(decay, (1 + state.step) / (10 + state.step))
        for name, value in _averaged(state.model).items():
            state.average[name].lerp_(value, share)


def _averaged(model: nn.Module) -> dict[str, Tensor]:
    return {n: v.detach() for n, v in model.state_dict().items() if v.is_floating_point()}
