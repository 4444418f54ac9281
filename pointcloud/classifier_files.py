"""Classifiers on disk: weights, classes, and how clouds are prepared, in one safetensors file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from backbones.saved import SavedModel, fill, read_model, save_model
from data.errors import UserError
from pointcloud.config import TransformerConfig
from pointcloud.transformer import PointTransformer

TRANSFORMER = "point-transformer"
_MOST_CLASSES = 100_000
_MOST_POINTS = 1_000_000


@dataclass(frozen=True, eq=False)
class SavedClassifier:
    """A model and the names of its scores."""

    model: PointTransformer
    classes: tuple[str, ...]
    about: dict[str, Any]
    """What its training was."""


def new_transformer(config: TransformerConfig, classes: int, seed: int) -> PointTransformer:
    """A transformer before its training; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PointTransformer(config, classes)


def save_classifier(
    path: str | Path, model: PointTransformer, classes: tuple[str, ...], about: dict[str, Any]
) -> None:
    """Write a transformer; `about` is kept beside it."""
    config = model.config
    details = {
        "classes": list(classes),
        "points": config.points,
        "centres": config.centres,
        "neighbours": config.neighbours,
        "preparation": "centred on the mean, scaled into the unit sphere, z up",
        "about": about,
    }
    save_model(path, model, config.backbone, TRANSFORMER, details)


def load_classifier(path: str | Path) -> SavedClassifier:
    """Read what `save_classifier` wrote; UserError for anything else."""
    saved = read_model(path)
    if saved.kind != TRANSFORMER:
        raise UserError(
            f"{path}: expected a classifier ({TRANSFORMER}), found a model of the kind"
            f" {saved.kind or 'none'}; make one with darb3d fit classifier"
        )
    classes = saved.details.get("classes")
    if not isinstance(classes, list) or not 1 <= len(classes) <= _MOST_CLASSES:
        raise UserError(f"{path}: expected a list of classes, found {classes!s:.80}")
    model = new_transformer(_config(path, saved), len(classes), seed=0)
    fill(model, saved.weights, str(path))
    model.eval()
    about = saved.details.get("about")
    return SavedClassifier(
        model, tuple(map(str, classes)), about if isinstance(about, dict) else {}
    )


def _config(path: str | Path, saved: SavedModel) -> TransformerConfig:
    numbers: dict[str, Any] = {
        name: saved.details.get(name) for name in ("points", "centres", "neighbours")
    }
    for name, value in numbers.items():
        if type(value) is not int or not 1 <= value <= _MOST_POINTS:
            raise UserError(
                f"{path}: expected {name} from 1 to {_MOST_POINTS:,}, found {value!r:.40}"
            )
    try:
        return TransformerConfig(**numbers, backbone=saved.config)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
