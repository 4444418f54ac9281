"""Probabilities that are as often right as they say, and a sense of what was never seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

_RIDGE = 0.01
"""Of the mean variance, added to that of every direction."""


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
    """What makes the labels most likely, for clouds that training has not seen; near 1 where a few
    clouds, all named rightly, would have the model take itself to be certain (its logarithm is
    normal beforehand)."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def surprise(log_temperature: float) -> float:
        given = probabilities(scores, float(np.exp(log_temperature)))[rows, labels]
        return float(-np.log(np.maximum(given, 1e-12)).sum() + 0.5 * log_temperature**2)

    found: Any = minimize_scalar(surprise, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def lifted_classes(
    labels: Int64[np.ndarray, "b"], classes: int, share: float
) -> Float[np.ndarray, "classes"]:
    """What to add to log probabilities for rare classes to stand nearer to common ones: `share` of
    log(n_most / n_c), 0 for a class that training had nothing of.

    With 1, classes are taken to be equally common (logit adjustment, Menon et al. 2021,
    arXiv 2007.07314, eq. 9).
    """
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    return np.where(counts > 0, share * np.log(counts.max() / np.maximum(counts, 1.0)), 0.0)


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
    """How like the training data what a model sees is: the Mahalanobis distance of its features,
    brought to unit length, from the nearest class, with one covariance for all classes (Lee et al.
    2018, arXiv 1807.03888; Mueller and Hein 2025, arXiv 2505.18032)."""

    whitening: Float32[np.ndarray, "w w"]
    """Brings features of unit length to one spread about their class in every direction."""
    means: Float32[np.ndarray, "seen w"]
    """Of the classes that training had clouds of, whitened."""
    most: float
    """A cloud farther off is unlike the training data: one in twenty of clouds held out is."""

    def distance(self, features: Float[np.ndarray, "b w"]) -> Float[np.ndarray, "b"]:
        """To the nearest class, squared."""
        white = _unit(features) @ self.whitening
        crossed = (white**2).sum(1, keepdims=True) - 2 * white @ self.means.T
        return (crossed + (self.means**2).sum(1)).min(1)

    def unlike(self, features: Float[np.ndarray, "b w"]) -> Bool[np.ndarray, "b"]:
        """Whether each is farther off than is usual."""
        return self.distance(features) > self.most


def fitted_familiarity(
    seen: Float[np.ndarray, "a w"],
    labels: Int64[np.ndarray, "a"],
    held_out: Float[np.ndarray, "b w"],
    share: float = 0.05,
) -> Familiarity:
    """From features of the training data with their labels, and of clouds held out, of which
    `share` is to count as unlike."""
    units = _unit(np.asarray(seen, np.float64))
    rows, places = np.unique(labels, return_inverse=True)
    means = np.stack([units[labels == label].mean(0) for label in rows])
    count, width = units.shape
    spread = (units - means[places]).T @ (units - means[places]) / count
    # directions that few clouds say something of are taken to be as wide as the rest
    level = max(_RIDGE, width / count) * np.trace(spread) / width
    ridge = (level if level > 0 else 1.0) * np.eye(width)
    white = np.linalg.cholesky(np.linalg.inv(spread + ridge))
    white /= np.abs(white).max()
    # in half precision, as files may hold them, so that the quantile is that of any copy
    kept = [array.astype(np.float16).astype(np.float32) for array in (white, means @ white)]
    found = Familiarity(kept[0], kept[1], np.inf)
    return replace(found, most=float(np.quantile(found.distance(held_out), 1 - share)))


def _unit(rows: Float[np.ndarray, "a w"]) -> Float[np.ndarray, "a w"]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
