"""Classifiers on disk: weights, configuration, classes, how clouds are prepared and how answers are
calibrated, in one safetensors file. Without torch.

A file is untrusted: configurations are checked value by value, and whoever builds a model compares
the shapes of weights with it before anything of their size is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from backbones.config import MODEL_FORMAT
from data.array_files import json_object, read_arrays, write_arrays
from data.configs import config_from
from data.errors import UserError
from pointcloud.calibration import Familiarity
from pointcloud.config import (
    GaussianNetConfig,
    MambaConfig,
    ModelConfig,
    PointNetConfig,
    TransformerConfig,
)

KINDS: dict[str, type[ModelConfig]] = {
    "point-transformer": TransformerConfig,
    "pointnet": PointNetConfig,
    "3dgpe": GaussianNetConfig,
    "mamba3d": MambaConfig,
}
"""What a file may hold, by the word that it calls itself."""
PREPARATION = {
    "centre": "mean",
    "scale": "unit sphere",
    "up": "z",
    "sampler": "numpy default_rng(0), without replacement",
}
"""How every model of this version sees a cloud (`grouping.normalised`)."""
_METRIC = {"scale": "unit sphere, and how large it was"}
_FAMILIAR = ("familiar.whitening", "familiar.means")
_MOST_CLASSES = 100_000


@dataclass(frozen=True, eq=False)
class StoredClassifier:
    """What a file holds, checked but for the shapes of weights."""

    config: ModelConfig
    classes: tuple[str, ...]
    weights: dict[str, np.ndarray]
    """float32, and the whole numbers that batch norms count with."""
    about: dict[str, Any] = field(default_factory=dict)
    """What its training was."""
    temperature: float = 1.0
    """Scores are divided by it before they become probabilities."""
    familiarity: Familiarity | None = None
    """Tells clouds unlike those of the training."""

    @property
    def kind(self) -> str:
        """The word in its file."""
        return next(name for name, kind in KINDS.items() if isinstance(self.config, kind))


def write_classifier(path: str | Path, stored: StoredClassifier, half: bool = False) -> None:
    """Write the file, atomically; `half` keeps weights as float16."""
    config = asdict(stored.config)
    backbone = config.pop("backbone", None)
    details = {
        "classes": list(stored.classes),
        "config": config,
        "preparation": preparation(stored.config),
        "temperature": stored.temperature,
        "about": stored.about,
    }
    weights = dict(stored.weights)
    if stored.familiarity is not None:
        details["familiar_to"] = stored.familiarity.most
        arrays = (stored.familiarity.whitening, stored.familiarity.means)
        weights.update(zip(_FAMILIAR, arrays, strict=True))
    if half:
        weights = {
            n: w.astype(np.float16) if w.dtype.kind == "f" else w for n, w in weights.items()
        }
    text = {"format": MODEL_FORMAT, "kind": stored.kind, "details": json.dumps(details)}
    if backbone is not None:
        text["backbone"] = json.dumps(backbone)
    write_arrays(path, weights, text)


def read_classifier(path: str | Path) -> StoredClassifier:
    """Read what `write_classifier` wrote; UserError for anything else."""
    weights, text = read_arrays(path, MODEL_FORMAT)
    kind = text.get("kind", "")
    if kind not in KINDS:
        raise UserError(
            f"{path}: expected a classifier ({', '.join(KINDS)}), found a model of the kind"
            f" {kind or 'none'}; make one with darb3d fit classifier"
        )
    details = json_object(path, text, "details")
    classes = details.get("classes")
    if not isinstance(classes, list) or not 1 <= len(classes) <= _MOST_CLASSES:
        raise UserError(f"{path}: expected a list of classes, found {classes!s:.80}")
    values = details.get("config")
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected an object `config`, found {values!s:.80}")
    if KINDS[kind] is TransformerConfig:
        values = {**values, "backbone": json_object(path, text, "backbone")}
    config = config_from(KINDS[kind], values, str(path))
    _check_preparation(path, details, config)
    temperature = details.get("temperature", 1.0)
    _expect_number(path, "temperature", temperature, 1e-3, 1e3)
    about = details.get("about")
    weights = {n: w.astype(np.float32) if w.dtype.kind == "f" else w for n, w in weights.items()}
    return StoredClassifier(
        config,
        tuple(map(str, classes)),
        weights,
        about if isinstance(about, dict) else {},
        float(temperature),
        _familiarity(path, details, weights, len(classes)),
    )


def expect_shapes(
    weights: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """UserError for weights of other names or shapes than a model has."""
    found = {name: tuple(array.shape) for name, array in weights.items()}
    for name in sorted(shapes.keys() | found.keys()):
        if shapes.get(name) != found.get(name):
            raise UserError(
                f"{where}: expected {name} of shape {shapes.get(name, 'none')}, found "
                f"{found.get(name, 'none')}; the weights belong to another model"
            )


def preparation(config: ModelConfig) -> dict[str, Any]:
    """How a model of `config` sees a cloud."""
    return {**PREPARATION, "points": config.points, **(_METRIC if config.metric else {})}


def _check_preparation(path: str | Path, details: Mapping[str, Any], config: ModelConfig) -> None:
    expected = preparation(config)
    found = details.get("preparation")
    if found != expected:
        raise UserError(
            f"{path}: expected clouds prepared by {expected}, found {found!s:.200}; another version"
            " wrote it: use that one, or train the model again"
        )


def _familiarity(
    path: str | Path, details: Mapping[str, Any], weights: dict[str, np.ndarray], classes: int
) -> Familiarity | None:
    arrays = [weights.pop(name, None) for name in _FAMILIAR]
    if all(array is None for array in arrays):
        return None
    head = weights.get("head.weight", np.zeros(0))
    wide = head.shape[-1] if head.ndim == 2 else 0
    shapes = [None if array is None else array.shape for array in arrays]
    if shapes[0] != (wide, wide) or shapes[1] not in [(k, wide) for k in range(1, classes + 1)]:
        raise UserError(
            f"{path}: expected {_FAMILIAR[0]} of {wide} x {wide} numbers, what its head reads,"
            f" and {_FAMILIAR[1]} of up to {classes} x {wide}, found the shapes {shapes}"
        )
    most = details.get("familiar_to")
    _expect_number(path, "familiar_to", most, 0.0, 1e12)
    return Familiarity(*arrays, float(most))  # type: ignore[arg-type]


def _expect_number(path: str | Path, name: str, found: Any, low: float, high: float) -> None:
    if type(found) not in (int, float) or not isfinite(found) or not low <= found <= high:
        raise UserError(f"{path}: expected {name} from {low:g} to {high:g}, found {found!r:.40}")
