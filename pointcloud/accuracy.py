"""How often a classifier is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from data.labelled_clouds import LabelledClouds


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


def accuracy_of(given: Float[np.ndarray, "b classes"], data: LabelledClouds) -> Accuracy:
    """Of scores that are there already."""
    right = given.argmax(1) == data.labels
    by_class = {
        name: float(right[data.labels == label].mean())
        for label, name in enumerate(data.classes)
        if (data.labels == label).any()
    }
    return Accuracy(float(right.mean()), by_class)


def confusion(
    said: Int64[np.ndarray, "b"], labels: Int64[np.ndarray, "b"], classes: int
) -> Int64[np.ndarray, "classes classes"]:
    """How many clouds of each class (row) were said to be of each class (column)."""
    return np.bincount(labels * classes + said, minlength=classes**2).reshape(classes, classes)
