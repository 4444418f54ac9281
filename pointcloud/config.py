"""Configurations of the point-cloud models; every field stands in every saved model."""

from __future__ import annotations

from dataclasses import dataclass, field

from backbones.config import BackboneConfig


@dataclass(frozen=True)
class TransformerConfig:
    """How the point transformer cuts a cloud into tokens, and what mixes them."""

    points: int = 1024
    """Points of a cloud that are looked at; larger clouds are thinned."""
    centres: int = 64
    """Tokens: groups around points far from each other."""
    neighbours: int = 16
    """Points in a group."""
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    """What mixes the tokens."""

    def __post_init__(self) -> None:
        if not 1 <= self.neighbours <= self.points or not 1 <= self.centres <= self.points:
            raise ValueError(
                f"centres, neighbours: expected 1 to {self.points} (points), found"
                f" {self.centres, self.neighbours}"
            )
        if self.backbone.places not in (None, self.centres):
            raise ValueError(
                f"centres: expected as many as the backbone is made for, {self.backbone.places},"
                f" found {self.centres}"
            )


@dataclass(frozen=True)
class FitConfig:
    """How to train a classifier. Rates run on progress 0..1, so any length fits."""

    steps: int | None = None
    """Length in steps; give this or `minutes`."""
    minutes: float | None = None
    """Length in minutes of the training loop alone."""
    batch: int = 32
    """Clouds in a step."""
    rate: float = 1e-3
    """Of AdamW at its highest; it rises over the first twentieth and falls to zero as a cosine."""
    weight_decay: float = 0.05
    smoothing: float = 0.1
    """Share of the target that is spread over all classes (Szegedy et al. 2016)."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    scale: float = 1.5
    """Each axis is stretched by up to this factor, or shrunk by it."""
    shift: float = 0.2
    """Each axis is moved by up to this, in radii of the cloud."""
    seed: int = 0
    """Seed of every random draw."""

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("expected steps or minutes, found both or neither")
        if (self.steps or 1) < 1 or (self.minutes or 1.0) <= 0:
            raise ValueError(f"expected a length above 0, found {self.steps or self.minutes}")
