"""What pages expect of the models behind them; any object that has these will do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from data.motion import Motion


class Lifter(Protocol):
    """Makes motions of 2D keypoints."""

    @property
    def endings(self) -> tuple[str, ...]:
        """Of the files it reads, with their dots, in lower case."""
        ...

    def lift_file(self, path: Path) -> list[Motion]:
        """The animals of a file, lifted; UserError for one that cannot be read."""
        ...


class Predictor(Protocol):
    """Names the class of a cloud."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def predict(self, xyz: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "1 classes"]:
        """Probabilities of the labels, in their order."""
        ...


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a predictor said what it said, in the frame and units of the cloud it was given."""

    means: Float[np.ndarray, "k 3"]
    """Of the learned Gaussians, those that mattered most first."""
    covariances: Float[np.ndarray, "k 3 3"]
    indices: Int[np.ndarray, "m"]
    """Points whose values won the maximum of a global feature, those that decided most first."""


@runtime_checkable
class ExplainingPredictor(Protocol):
    """A predictor that can say why."""

    def explain(self, xyz: Float[np.ndarray, "n 3"]) -> Explanation:
        """Its Gaussians, and the points that decided."""
        ...
