"""Training a lifter: resumable at any step, measured in progress; averaged weights are kept.

A step's clips follow from the seed and the step, so that a training that was cut off and resumed
ends where one in one piece would.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from backbones.attention import biased_attention
from backbones.training_state import TrainingState, seeded
from lifting.batches import Example, examples_of_step, joined
from lifting.clips import RigClips
from lifting.config import LiftFitConfig
from lifting.inputs import LiftInputs
from lifting.losses import Truth, loss
from lifting.model import Lifter, new_lifter
from lifting.muon import Muon

_RISE = 0.03
"""Share of the training over which the rate rises."""
_LAST = 0.02
"""Share of the highest rate that it ends with."""
Report = Callable[[int, dict[str, Any]], bool | None]


@dataclass(eq=False)
class FitState(TrainingState):
    """A training of a lifter; the mean of its weights is what is kept in the end."""

    model: Lifter

    def averaged(self) -> Lifter:
        """A copy of the model with the averaged weights."""
        model = new_lifter(self.model.config, 0)
        model.load_state_dict(self.average)
        return model.eval()


def initial_state(model: Lifter, config: LiftFitConfig) -> FitState:
    """The state before the first step."""
    average = {name: value.detach().clone().float() for name, value in model.state_dict().items()}
    return FitState(model, _optimisers(model, config), seeded(config.seed), average=average)


def _optimisers(model: Lifter, config: LiftFitConfig) -> tuple[torch.optim.Optimizer, ...]:
    """AdamW for everything, or for what is no matrix within the blocks; weights that are no
    matrices do not decay."""
    named = list(_trained(model))
    matrices = [value for name, value in named if value.dim() == 2 and ".blocks." in name]
    if config.optimiser == "adamw":
        matrices = []
    taken = {id(value) for value in matrices}
    rest = [(name, value) for name, value in named if id(value) not in taken]
    decaying = [value for _, value in rest if value.dim() == 2]
    others = [value for _, value in rest if value.dim() != 2]
    groups = [
        {"params": decaying, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=config.rate, betas=(0.9, 0.98))
    if not matrices:
        return (adam,)
    return adam, Muon(matrices, config.rate, weight_decay=config.weight_decay, bf16=config.bf16)


def fit(
    state: FitState,
    rigs: Sequence[RigClips],
    config: LiftFitConfig,
    report: Report | None = None,
    save: Callable[[FitState], None] | None = None,
    save_every_s: float = 300.0,
    device: str = "cpu",
    workers: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Train `state` in place until done, or until `report` returns False.

    `report(step, {"progress", "loss", "error", "parts", "seconds", "steps_per_second"})` comes
    after every step; the error is that of its batch, frame by frame, as a fraction of the box.
    `save` is called every `save_every_s` seconds of training, not at the end. Clips are made in
    `workers` processes ahead of their turn, or by this one between steps.
    """
    state.to(device)
    model = state.model.train()
    trained = [value for _, value in _trained(model)]
    _compile_ahead(model.config)
    began, saved = clock() - state.seconds, state.seconds
    first, resumed_at = state.step, state.seconds
    for examples in _ahead(rigs, config, state.step + 1, workers):
        if (progress := state.progress(config)) >= 1.0:
            break
        state.step += 1
        for optimiser in state.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = config.rate * rate_factor(progress)
        inputs, truth = joined(examples)
        total, parts = _loss(model, inputs.to(device), truth.to(device), config, device)
        for optimiser in state.optimisers:
            optimiser.zero_grad()
        total.backward()
        norm = nn.utils.clip_grad_norm_(trained, config.clip)
        if torch.isfinite(norm):  # a step that is not finite is no step
            for optimiser in state.optimisers:
                optimiser.step()
        _follow(state, config)
        state.seconds = clock() - began
        if save is not None and state.seconds - saved >= save_every_s:
            saved = state.seconds
            save(state)
        values = {
            "progress": state.progress(config),
            "loss": total.item(),
            "error": parts["frames"].item(),
            "parts": {name: part.item() for name, part in parts.items()},
            "seconds": state.seconds,
            "steps_per_second": (state.step - first) / max(state.seconds - resumed_at, 1e-9),
        }
        if report is not None and report(state.step, values) is False:
            break
    model.eval()


def _compile_ahead(config: LifterConfig) -> None:
    """Have the loops of attention ready, which takes a third of a minute when a user first trains:
    that is none of the training's time."""
    shape = (1, config.backbone.heads, 1, config.backbone.head_dim)
    q, k, v = (torch.zeros(shape, requires_grad=True) for _ in range(3))
    biased_attention(q, k, v, torch.zeros(1, config.backbone.heads, 1, 1)).sum().backward()


def rate_factor(progress: float) -> float:
    """Share of the highest rate: up in a straight line, level, and down in a straight line over the
    last 40 of 100, so that a training that is made longer loses little.

    >>> [round(rate_factor(p), 3) for p in (0.015, 0.03, 0.6, 0.8, 1.0)]
    [0.5, 1.0, 1.0, 0.51, 0.02]
    """
    if progress < _RISE:
        return max(progress / _RISE, 0.02)
    return max(_LAST, min(1.0, _LAST + (1 - _LAST) * (1.0 - progress) / 0.4))


def _loss(
    model: Lifter, inputs: LiftInputs, truth: Truth, config: LiftFitConfig, device: str
) -> tuple[Tensor, dict[str, Tensor]]:
    kind = device.partition(":")[0]
    with torch.autocast(kind, torch.bfloat16, enabled=config.bf16):
        found = model(inputs)
    if config.bf16:
        parts = {name: getattr(found, name).float() for name in found.__dataclass_fields__}
        found = type(found)(**parts)
    return loss(found, truth, config)


@torch.no_grad()
def _follow(state: FitState, config: LiftFitConfig) -> None:
    """The running means come nearer to the weights; at first quickly."""
    keep = min(config.average, (1 + state.step) / (10 + state.step))
    for name, value in state.model.state_dict().items():
        if value.is_floating_point():
            state.average[name].lerp_(value.detach().float(), 1 - keep)


def _ahead(
    rigs: Sequence[RigClips], config: LiftFitConfig, first: int, workers: int
) -> Iterator[list[Example]]:
    """The clips of step after step, without end."""
    if not workers:
        step = first
        while True:
            yield examples_of_step(rigs, config, step)
            step += 1
    with _pool(rigs, config, workers) as pool:
        waiting: list[Future[list[Example]]] = []
        step = first
        while True:
            while len(waiting) < 2 * workers:
                waiting.append(pool.submit(_examples_in_worker, step))
                step += 1
            yield waiting.pop(0).result()


@contextmanager
def _pool(
    rigs: Sequence[RigClips], config: LiftFitConfig, workers: int
) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(workers, initializer=_begin_worker, initargs=(rigs, config))
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_OF_WORKER: dict[str, Any] = {}


def _begin_worker(rigs: Sequence[RigClips], config: LiftFitConfig) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    torch.set_num_threads(1)
    _OF_WORKER.update(rigs=rigs, config=config)


def _examples_in_worker(step: int) -> list[Example]:
    return examples_of_step(_OF_WORKER["rigs"], _OF_WORKER["config"], step)


def _trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, value) for name, value in model.named_parameters() if value.requires_grad)
