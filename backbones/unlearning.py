"""Unlearning by gradient difference: up the loss of what to forget, down that of the rest.

L = -forget + w retain (arXiv 2509.24166, which bounds the adapters so that the ascent cannot run
away; see `bounded_adapters`). What others do against the divergence are fields of the same
configuration: clipping gradients, weight decay, small steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Report = Callable[[int, dict[str, Any]], bool | None]


@dataclass(frozen=True)
class UnlearningConfig:
    """How to unlearn."""

    steps: int = 300
    """Updates of the adapters."""
    rate: float = 1e-2
    """Of AdamW; a tenth of it or less is the baseline of small steps."""
    retain_weight: float = 1.0
    """Weight of what is to be kept."""
    clip: float | None = None
    """Largest norm of the gradient; none by default."""
    weight_decay: float = 0.0
    """Of AdamW."""


def unlearn(
    parameters: Iterable[nn.Parameter],
    forget_loss: Callable[[int], Tensor],
    retain_loss: Callable[[int], Tensor],
    config: UnlearningConfig,
    report: Report | None = None,
) -> int:
    """Train `parameters`, those of adapters, in place; the number of steps taken.

    The losses are called with the number of the step and draw their own batches: cross-entropy for
    a classifier, error of joints for a lifter. `report(step, {"progress", "forget_loss",
    "retain_loss"})` may return False to end early.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if not trained:
        raise ValueError("parameters: expected some that are trained, got none")
    optimiser = torch.optim.AdamW(trained, lr=config.rate, weight_decay=config.weight_decay)
    for step in range(1, config.steps + 1):
        forget, retain = forget_loss(step), retain_loss(step)
        optimiser.zero_grad()
        (config.retain_weight * retain - forget).backward()
        if config.clip is not None:
            nn.utils.clip_grad_norm_(trained, config.clip)
        optimiser.step()
        values = {"progress": step / config.steps, "forget_loss": forget.item()}
        values["retain_loss"] = retain.item()
        if report is not None and report(step, values) is False:
            return step
    return config.steps
