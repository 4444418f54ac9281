"""What a classifier says of clouds, and how often it is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from data.labelled_clouds import LabelledClouds
from pointcloud.accuracy import Accuracy, accuracy_of

_BATCH = 64


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


def _batches(
    model: Any, clouds: Sequence[Float[np.ndarray, "_ 3"]]
) -> Iterator[tuple[Tensor, ...]]:
    model.eval()
    for first in range(0, len(clouds), _BATCH):
        yield model.prepare(clouds[first : first + _BATCH])
