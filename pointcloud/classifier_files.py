"""Classifiers on disk as torch's modules; `stored` says what a file holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from backbones.planner import parameters
from backbones.saved import ENCODER
from data.errors import UserError
from pointcloud.calibration import Familiarity
from pointcloud.config import (
    GaussianNetConfig,
    MambaConfig,
    ModelConfig,
    PointNetConfig,
    TransformerConfig,
)
from pointcloud.mamba3d import Mamba3d
from pointcloud.point_classifier import PointClassifier
from pointcloud.stored import StoredClassifier, expect_shapes, read_classifier, write_classifier
from pointcloud.transformer import PointTransformer


@dataclass(frozen=True, eq=False)
class SavedClassifier:
    """A model, the names of its scores and how sure it is of them."""

    model: Any
    classes: tuple[str, ...]
    about: dict[str, Any] = field(default_factory=dict)
    """What its training was."""
    temperature: float = 1.0
    familiarity: Familiarity | None = None


def new_model(config: ModelConfig, classes: int, seed: int) -> Any:
    """A model before its training; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _built(config, classes)


def save_classifier(path: str | Path, saved: SavedClassifier, half: bool = False) -> None:
    """Write a classifier; `half` keeps weights as float16."""
    write_classifier(path, stored_of(saved), half)


def stored_of(saved: SavedClassifier) -> StoredClassifier:
    """What its file holds."""
    weights = {name: value.cpu().numpy() for name, value in saved.model.state_dict().items()}
    return StoredClassifier(
        saved.model.config,
        saved.classes,
        weights,
        saved.about,
        saved.temperature,
        saved.familiarity,
    )


def load_classifier(path: str | Path) -> SavedClassifier:
    """Read what `save_classifier` wrote; UserError for anything else."""
    return built(read_classifier(path), str(path))


def built(stored: StoredClassifier, where: str) -> SavedClassifier:
    """The model of a file; UserError where its weights are others than its configuration asks for,
    before anything of their size is made."""
    if isinstance(stored.config, TransformerConfig):
        _check_backbone(stored, where)
    with torch.device("meta"):
        shapes = _built(stored.config, len(stored.classes)).state_dict()
    expect_shapes(stored.weights, {n: tuple(v.shape) for n, v in shapes.items()}, where)
    model = new_model(stored.config, len(stored.classes), seed=0)
    model.load_state_dict({n: torch.from_numpy(w) for n, w in stored.weights.items()})
    model.eval()
    return SavedClassifier(
        model, stored.classes, stored.about, stored.temperature, stored.familiarity
    )


def _check_backbone(stored: StoredClassifier, where: str) -> None:
    """By a count alone: some of a backbone's options need memory as soon as it is built."""
    assert isinstance(stored.config, TransformerConfig)
    asked = parameters(stored.config.backbone)
    found = sum(w.size for name, w in stored.weights.items() if name.startswith(ENCODER))
    if asked != found:
        raise UserError(
            f"{where}: expected {asked:,} numbers for its backbone, found {found:,}; the file is "
            "spoilt: save or fetch it again"
        )


def _built(config: ModelConfig, classes: int) -> nn.Module:
    if isinstance(config, TransformerConfig):
        return PointTransformer(config, classes)
    if isinstance(config, MambaConfig):
        return Mamba3d(config, classes)
    assert isinstance(config, PointNetConfig | GaussianNetConfig)
    return PointClassifier(config, classes)
