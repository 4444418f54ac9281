"""The predictor behind `darb3d classify`: by the name of a model, or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

Clouds = Sequence[Float[np.ndarray, "_ 3"]]


class CloudClassifier(Protocol):
    """Names the classes of clouds, z up; place and scale do not matter."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def predict(self, xyz: Float[np.ndarray, "n 3"] | Clouds) -> Float[np.ndarray, "b classes"]:
        """Probabilities, a row for each cloud (one for an array) whatever is asked with it."""
        ...


@runtime_checkable
class FamiliarClassifier(Protocol):
    """A classifier that knows what its training data were like."""

    def unlike(self, xyz: Clouds) -> Bool[np.ndarray, "b"]:
        """Whether each cloud is unlike all that it was trained on."""
        ...


def load_predictor(
    name_or_path: str, adapter: Path | None = None, int8: bool = False
) -> CloudClassifier:
    """One of the package's models by its name, or one of the user's own from its file; adapted, if
    there is an adapter's file, and with weights of bytes, if wanted."""
    import pointcloud

    return pointcloud.load(name_or_path, adapter=adapter, int8=int8)


def points_seen(predictor: CloudClassifier) -> int:
    """Points of a cloud that a predictor looks at."""
    return int(getattr(predictor, "points", 1024))
