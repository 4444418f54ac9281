"""The predictor behind `darb3d classify`: by the name of a model, or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from data.errors import UserError

Clouds = Sequence[Float[np.ndarray, "_ 3"]]


class CloudClassifier(Protocol):
    """Names the classes of clouds, z up; place and scale do not matter."""

    labels: tuple[str, ...]

    def predict(self, xyz: Float[np.ndarray, "n 3"] | Clouds) -> Float[np.ndarray, "b classes"]:
        """Probabilities, a row for each cloud (one for an array) whatever is asked with it."""
        ...


@runtime_checkable
class FamiliarClassifier(Protocol):
    """A classifier that knows what its training data were like."""

    def unlike(self, xyz: Clouds) -> Bool[np.ndarray, "b"]:
        """Whether each cloud is unlike all that it was trained on."""
        ...


def load_predictor(name_or_path: str) -> CloudClassifier:
    """One of the package's models by its name, or one of the user's own from its file."""
    import pointcloud

    load = getattr(pointcloud, "load", None)
    if load is not None:
        return load(name_or_path)
    if not Path(name_or_path).exists() and not name_or_path.endswith(".safetensors"):
        raise UserError(
            f"--model {name_or_path}: expected weights in this package, found none; name a file:"
            " --weights model.safetensors, made by darb3d fit classifier"
        )
    return _OwnClassifier(Path(name_or_path))


def points_seen(predictor: CloudClassifier) -> int:
    """Points of a cloud that a predictor looks at."""
    return int(getattr(predictor, "points", 1024))


class _OwnClassifier:
    """What `darb3d fit classifier` wrote."""

    def __init__(self, path: Path) -> None:
        from pointcloud.classifier_files import load_classifier

        self._model = load_classifier(path)
        self.labels = self._model.classes
        self.points = self._model.model.config.points

    def predict(self, xyz: Float[np.ndarray, "n 3"] | Clouds) -> Float[np.ndarray, "b classes"]:
        from pointcloud.prediction import scores

        clouds = [xyz] if isinstance(xyz, np.ndarray) else xyz
        given = scores(self._model.model, clouds).astype(np.float64)
        powers = np.exp(given - given.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)
