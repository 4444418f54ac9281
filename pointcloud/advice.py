"""What trained classifiers say of each cloud, which a model learns beside its label.

Distillation as in Hinton et al. 2015 (arXiv 1503.02531), at a temperature of 1: whoever was trained
on smoothed labels speaks softly already. Advisers may be of other kinds than the model. They are
asked once, before the training, about a few changed versions of each cloud, and their mean is
learned: asking about each step's own versions takes several times as long as a 3DGPE's step, and
taught it no more (docs/clouds.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn import functional

from data.errors import UserError
from data.labelled_clouds import LabelledClouds
from pointcloud.batches import changed
from pointcloud.calibration import probabilities
from pointcloud.config import FitConfig
from pointcloud.predictor import Predictor, load_predictor

_VERSIONS = 4
"""Of each cloud."""
_TOGETHER = 32
"""Clouds that are asked about at a time."""


@dataclass(frozen=True, eq=False)
class Advisers:
    """Classifiers in use, of the same classes as the model that learns."""

    predictors: Sequence[Predictor]

    def __call__(
        self, clouds: Sequence[Float[np.ndarray, "_ 3"]]
    ) -> Float32[np.ndarray, "b classes"]:
        """The mean of what each says, as probabilities; each as softly as it was trained, so not
        at the temperature that was fitted to it afterwards."""
        said = [probabilities(one.head(one.features(clouds)), 1.0) for one in self.predictors]
        return np.mean(said, 0).astype(np.float32)


def load_advisers(names: Sequence[str], classes: tuple[str, ...]) -> Advisers:
    """Files, or names of classifiers of the package; UserError where one knows other classes than
    `classes`."""
    found = []
    for name in names:
        adviser = load_predictor(name, "--advisers")
        if adviser.labels != classes:
            raise UserError(
                f"--advisers {name}: expected a classifier of the data's {len(classes)} classes,"
                f" found one of {len(adviser.labels)} or of other names"
            )
        found.append(adviser)
    return Advisers(found)


def advice(
    advisers: Advisers,
    data: LabelledClouds,
    config: FitConfig,
    report: Callable[[int], bool | None],
) -> Float32[np.ndarray, "c classes"] | None:
    """The mean of what advisers say of each cloud, changed as in the training of `config`.

    `report` is told how many clouds were looked at; None once it returns False.
    """
    said = np.zeros((len(data), len(data.classes)), np.float32)
    for version in range(_VERSIONS):
        for first in range(0, len(data), _TOGETHER):
            rows = np.arange(first, min(first + _TOGETHER, len(data)))
            generator = np.random.default_rng([config.seed, first, version, 2])
            said[rows] += advisers(changed(data, rows, config, generator).clouds) / _VERSIONS
            if report(len(rows)) is False:
                return None
    return said


def versions_of(data: LabelledClouds) -> int:
    """How many clouds advisers look at."""
    return _VERSIONS * len(data)


def targets(
    labels: Int64[Tensor, "b"],
    said: Float[Tensor, "b classes"],
    share: float,
    smoothing: float,
) -> Float[Tensor, "b classes"]:
    """Smoothed labels, and `share` of them replaced by what advisers said.

    >>> targets(torch.tensor([0]), torch.tensor([[0.5, 0.5]]), share=0.5, smoothing=0.2)
    tensor([[0.7000, 0.3000]])
    """
    classes = said.shape[-1]
    smoothed = functional.one_hot(labels, classes) * (1.0 - smoothing) + smoothing / classes
    return torch.lerp(smoothed.to(said), said, share)
