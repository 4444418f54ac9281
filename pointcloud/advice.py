"""What trained classifiers say of the clouds of a step, which a model learns beside their labels.

Distillation as in Hinton et al. 2015 (arXiv 1503.02531), at a temperature of 1: whoever was trained
on smoothed labels speaks softly already. Advisers look at each cloud as it was changed for that
step, and the model may be of another kind than they are (Beyer et al. 2022, arXiv 2106.05237).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn import functional

from data.errors import UserError
from pointcloud.calibration import probabilities
from pointcloud.predictor import Predictor, load_predictor


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
