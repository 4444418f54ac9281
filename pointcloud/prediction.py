"""What a classifier says of clouds, and how often it is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from data.labelled_clouds import LabelledClouds

_BATCH = 64


@dataclass(frozen=True)
class Accuracy:
    """Of predictions; shares from 0 to 1."""

    overall: float
    by_class: dict[str, float]
    """Of the classes that there are clouds of."""

    @property
    def mean_class(self) -> float:
        """Mean over classes."""
        return float(np.mean(list(self.by_class.values())))


@torch.inference_mode()
def scores(
    model: Any, clouds: Sequence[Float[np.ndarray, "_ 3"]]
) -> Float32[np.ndarray, "b classes"]:
    """Scores (logits); those of a cloud do not depend on the others."""
    return torch.cat([model(*inputs) for inputs in _batches(model, clouds)]).numpy()


@torch.no_grad()
def features(model: Any, clouds: Sequence[Float[np.ndarray, "_ 3"]]) -> Float[Tensor, "b w"]:
    """What the model's head reads."""
    return torch.cat([model.features(*inputs) for inputs in _batches(model, clouds)])


def accuracy(model: Any, data: LabelledClouds) -> Accuracy:
    """How often the class of the highest score is the right one."""
    return accuracy_of(scores(model, data.clouds), data)


def accuracy_of(given: Float[np.ndarray, "b classes"], data: LabelledClouds) -> Accuracy:
    """Of scores that are there already."""
    right = given.argmax(1) == data.labels
    by_class = {
        name: float(right[data.labels == label].mean())
        for label, name in enumerate(data.classes)
        if (data.labels == label).any()
    }
    return Accuracy(float(right.mean()), by_class)


def _batches(
    model: Any, clouds: Sequence[Float[np.ndarray, "_ 3"]]
) -> Iterator[tuple[Tensor, ...]]:
    model.eval()
    for first in range(0, len(clouds), _BATCH):
        yield model.prepare(clouds[first : first + _BATCH])
