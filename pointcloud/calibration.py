"""Probabilities that are as often right as they say, and a sense of what was never seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64


def probabilities(
    scores: Float[np.ndarray, "b classes"], temperature: float = 1.0
) -> Float[np.ndarray, "b classes"]:
    """Softmax of scores divided by a temperature (Guo et al. 2017, arXiv 1706.04599)."""
    scaled = np.asarray(scores, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def fitted_temperature(
    scores: Float[np.ndarray, "b classes"], labels: Int64[np.ndarray, "b"]
) -> float:
    """What makes the labels most likely; clouds that training has not seen are meant."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def surprise(log_temperature: float) -> float:
        given = probabilities(scores, float(np.exp(log_temperature)))[rows, labels]
        return float(-np.log(np.maximum(given, 1e-12)).mean())

    found: Any = minimize_scalar(surprise, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def calibration_error(
    given: Float[np.ndarray, "b classes"], labels: Int64[np.ndarray, "b"], bins: int = 15
) -> float:
    """Expected calibration error: how far the highest probability is from how often it is right,
    over bins of it."""
    top, right = given.max(1), given.argmax(1) == labels
    places = np.minimum((top * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(top[places == k].mean() - right[places == k].mean()) * (places == k).mean()
            for k in np.unique(places)
        )
    )


@dataclass(frozen=True, eq=False)
class Familiarity:
    """How like the training data what a model sees is: the cosine between its features and the
    nearest class's mean."""

    means: Float32[np.ndarray, "classes w"]
    """Of unit length."""
    least: float
    """Below this a cloud is unlike the training data: one in a hundred of clouds held out is."""

    def cosine(self, features: Float[np.ndarray, "b w"]) -> Float[np.ndarray, "b"]:
        """To the nearest class."""
        return (_unit(features) @ self.means.T).max(1)

    def unlike(self, features: Float[np.ndarray, "b w"]) -> Bool[np.ndarray, "b"]:
        """Whether each is below what is usual."""
        return self.cosine(features) < self.least


def fitted_familiarity(
    seen: Float[np.ndarray, "a w"],
    labels: Int64[np.ndarray, "a"],
    held_out: Float[np.ndarray, "b w"],
    classes: int,
    share: float = 0.01,
) -> Familiarity:
    """From features of the training data with their labels, and of clouds held out."""
    units = _unit(seen)
    means = np.stack(
        [
            units[labels == label].mean(0) if (labels == label).any() else np.zeros(units.shape[1])
            for label in range(classes)
        ]
    )
    found = Familiarity(_unit(means).astype(np.float32), -1.0)
    # the means are stored in half precision at times: a hair of slack keeps the quantile
    return Familiarity(found.means, float(np.quantile(found.cosine(held_out), share)) - 1e-3)


def _unit(rows: Float[np.ndarray, "a w"]) -> Float[np.ndarray, "a w"]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
