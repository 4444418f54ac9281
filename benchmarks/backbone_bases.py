"""A trained point classifier for the experiments that change one: the same for all cells of a
seed."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from backbones.config import BackboneConfig
from benchmarks.backbone_data import Points, point_tokens
from benchmarks.backbone_tasks import BATCH, EPOCHS, PointClassifier, accuracy, fit

HELD_OUT = 480
"""Training clouds that choose what has to be chosen; the test clouds choose nothing."""


def parts(shared: Path) -> tuple[Points, Points, Points]:
    """Clouds to train on, to choose on, to report on."""
    train, test = point_tokens(shared)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    return train.take(order[HELD_OUT:]), train.take(order[:HELD_OUT]), test


def base(shared: Path, seed: int) -> PointClassifier:
    """A copy of the classifier of this seed."""
    return copy.deepcopy(_trained(shared, seed))


@functools.cache
def _trained(shared: Path, seed: int) -> PointClassifier:
    train, _, _ = parts(shared)
    torch.manual_seed(seed)
    model = PointClassifier(BackboneConfig())
    generator = torch.Generator().manual_seed(seed)
    fit(model, lambda rows: loss(model, train.take(rows)), len(train), EPOCHS, generator)
    return model.eval()


def loss(model: PointClassifier, clouds: Points) -> Tensor:
    """Cross-entropy."""
    return functional.cross_entropy(model(clouds.groups, clouds.centres), clouds.labels)


def drawn(clouds: Points, step: int, seed: int) -> Points:
    """The batch of a step."""
    generator = torch.Generator().manual_seed(1_000_003 * seed + step)
    return clouds.take(torch.randint(len(clouds), (BATCH,), generator=generator))


def accuracies(model: PointClassifier, clouds: Points, label: int) -> tuple[float, float]:
    """In percent, on the clouds of class `label` and on all others."""
    of_class = clouds.labels == label
    return (
        accuracy(model, clouds.take(of_class.nonzero().flatten())),
        accuracy(model, clouds.take((~of_class).nonzero().flatten())),
    )
