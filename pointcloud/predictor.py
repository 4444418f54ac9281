"""A classifier in use: clouds in, probabilities out; without torch where compiled loops do it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Float32

from data.errors import UserError
from pointcloud.calibration import Familiarity, probabilities
from pointcloud.config import (
    GaussianNetConfig,
    MambaConfig,
    PointNetConfig,
    TransformerConfig,
)
from pointcloud.package_weights import weights_file
from pointcloud.stored import StoredClassifier, read_classifier

if TYPE_CHECKING:
    from pointcloud.explanation import Explanation

_BATCH = 64
"""Clouds that are looked at together: what they need in memory."""
Clouds = Sequence[Float[np.ndarray, "_ 3"]]
Features = Callable[[Clouds], Float32[np.ndarray, "b w"]]
Head = Callable[[Float32[np.ndarray, "b w"]], Float32[np.ndarray, "b classes"]]


@dataclass(frozen=True, eq=False)
class Predictor:
    """Names the classes of clouds, z up; their place does not matter, nor what is asked with a
    cloud, nor, but for models that look at sizes, their scale."""

    labels: tuple[str, ...]
    points: int
    """Of a cloud that are looked at; larger ones are thinned."""
    temperature: float
    familiarity: Familiarity | None
    features: Features
    """What the model makes of clouds."""
    head: Head
    """Scores (logits) of that."""

    def predict(self, xyz: Float[np.ndarray, "n 3"] | Clouds) -> Float[np.ndarray, "b classes"]:
        """Probabilities of the labels, in their order: a row for a cloud, or one for each of
        several.

        UserError for what is no cloud.
        """
        return probabilities(self.head(self._features(xyz)), self.temperature)

    def unlike(self, xyz: Float[np.ndarray, "n 3"] | Clouds) -> Bool[np.ndarray, "b"]:
        """Whether each cloud is unlike all that the model was trained on; never where its file does
        not say what that was like."""
        found = self._features(xyz)
        if self.familiarity is None:
            return np.zeros(len(found), bool)
        return self.familiarity.unlike(found)

    def _features(self, xyz: Float[np.ndarray, "n 3"] | Clouds) -> Float32[np.ndarray, "b w"]:
        clouds = checked(xyz)
        batches = range(0, len(clouds), _BATCH)
        return np.concatenate([self.features(clouds[k : k + _BATCH]) for k in batches])


@dataclass(frozen=True, eq=False)
class ExplainingPredictor(Predictor):
    """A predictor that can say why."""

    why: Callable[[Float[np.ndarray, "n 3"]], Explanation]

    def explain(self, xyz: Float[np.ndarray, "n 3"]) -> Explanation:
        """Its Gaussians, and the points that decided, in the frame of the cloud `xyz`."""
        (cloud,) = checked(xyz)
        return self.why(cloud)


def load_predictor(
    name: str | Path,
    option: str = "--weights",
    adapter: str | Path | None = None,
    int8: bool = False,
) -> Predictor:
    """See `pointcloud.load`."""
    path = weights_file(name, option)
    stored = read_classifier(path)
    if adapter is not None:
        stored = _adapted(stored, str(path), adapter)
    if int8 and not isinstance(stored.config, GaussianNetConfig):
        raise UserError(
            f"int8: expected a 3dgpe, found a {stored.kind} in {path}; leave it out, or take 3dgpe"
        )
    known = (stored.classes, stored.config.points, stored.temperature, stored.familiarity)
    if isinstance(stored.config, TransformerConfig):
        return Predictor(*known, *_of_torch(stored, str(path)))
    if isinstance(stored.config, MambaConfig):
        from pointcloud.cpu.mamba import CpuMamba

        mamba = CpuMamba(stored, str(path))
        return Predictor(*known, mamba.features, mamba.scores_of)
    from pointcloud.cpu.classifier import CpuClassifier

    model = CpuClassifier(stored, str(path), int8=int8)
    if isinstance(stored.config, PointNetConfig):
        return Predictor(*known, model.features, model.scores_of)
    from pointcloud.explanation import explained

    why = functools.partial(explained, stored, model)
    return ExplainingPredictor(*known, model.features, model.scores_of, why)


def checked(xyz: Float[np.ndarray, "n 3"] | Clouds) -> list[Float[np.ndarray, "_ 3"]]:
    """One cloud or several as a list; UserError for anything else, saying which of them it is."""
    single = isinstance(xyz, np.ndarray) and xyz.ndim == 2
    clouds = [np.asarray(cloud) for cloud in ([xyz] if single else xyz)]
    if not clouds:
        raise UserError("expected a cloud or more, found none")
    for number, cloud in enumerate(clouds):
        where = "cloud" if single else f"cloud {number}"
        if cloud.ndim != 2 or cloud.shape[1:] != (3,) or cloud.dtype.kind not in "fiu":
            raise UserError(
                f"{where}: expected numbers of the shape (n, 3), found {cloud.dtype} of the shape"
                f" {cloud.shape}; give x, y and z alone"
            )
        if not len(cloud):
            raise UserError(f"{where}: expected a point or more, found none")
        if not np.isfinite(cloud).all():
            bad = int((~np.isfinite(cloud).all(1)).sum())
            raise UserError(
                f"{where}: expected finite coordinates, found {bad:,} of {len(cloud):,} points with"
                " NaN or infinity; leave them out"
            )
    return clouds


def _adapted(stored: StoredClassifier, where: str, adapter: str | Path) -> StoredClassifier:
    from pointcloud.adapting import load_adapted
    from pointcloud.classifier_files import built, stored_of

    return stored_of(load_adapted(built(stored, where), adapter)[0])


def _of_torch(stored: StoredClassifier, where: str) -> tuple[Features, Head]:
    import torch

    from pointcloud.classifier_files import built
    from pointcloud.prediction import features

    model = built(stored, where).model

    @torch.inference_mode()
    def head(seen: Float32[np.ndarray, "b w"]) -> Float32[np.ndarray, "b classes"]:
        return model.head(torch.from_numpy(seen)).numpy()

    return lambda clouds: features(model, clouds).numpy(), head
