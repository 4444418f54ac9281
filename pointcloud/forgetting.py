"""A classifier made to forget classes: gradient difference on bounded adapters (arXiv 2509.24166).

The adapters are on the feed-forward weights alone; the head, attention and base weights stay. What
is forgotten is no longer said; that is no proof that nothing of it is left in the numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from backbones.adapters import AdapterConfig, Kind, adapters_of, attach
from backbones.unlearning import Report, UnlearningConfig, unlearn
from data.labelled_clouds import LabelledClouds
from pointcloud.adapted_layers import forgetful
from pointcloud.batches import batch_of_step
from pointcloud.config import FitConfig, ModelConfig
from pointcloud.fitting import into_training


def bounded(config: ModelConfig, kind: Kind = "sine-lora", rank: int = 4) -> AdapterConfig:
    """Adapters as the paper has them: on feed-forward weights; omega 100 in a sine, 1 in tanh."""
    omega = 1.0 if kind == "tanh-lora" else 100.0
    return AdapterConfig(kind, rank, alpha=2.0 * rank, omega=omega, targets=forgetful(config))


def parted(data: LabelledClouds, names: tuple[str, ...]) -> tuple[LabelledClouds, LabelledClouds]:
    """(Clouds of the classes `names`, all others)."""
    forget = np.isin(np.array(data.classes)[data.labels], names)
    return data.take(forget), data.take(~forget)


def forget(
    model: Any,
    data: LabelledClouds,
    names: tuple[str, ...],
    adapter: AdapterConfig,
    config: UnlearningConfig,
    batch: int = 16,
    seed: int = 0,
    report: Report | None = None,
) -> int:
    """Put adapters on `model` and train them until the classes `names` are forgotten and the other
    classes of `data` kept; the number of steps.

    The labels of `data` are those of the model. ValueError where one of the two parts is empty.
    """
    parts = parted(data, names)
    if not all(len(part) for part in parts):
        raise ValueError(f"expected clouds to forget and to keep, got {[len(p) for p in parts]}")
    drawing = FitConfig(steps=1, batch=batch, seed=seed)
    attach(model, adapter, torch.Generator().manual_seed(seed))
    into_training(model, norms_stay=True)

    def loss(part: LabelledClouds, step: int) -> Tensor:
        drawn = batch_of_step(part, drawing, step)
        scores = model(*model.prepare(drawn.clouds, drawn.starts, drawn.shifts))
        return functional.cross_entropy(scores, torch.from_numpy(drawn.labels))

    trained = (value for one in adapters_of(model).values() for value in one.parameters())
    losses = (lambda step: loss(parts[0], step)), (lambda step: loss(parts[1], step))
    steps = unlearn(trained, *losses, config, report)
    model.eval()
    return steps
