"""Configurations of the point-cloud models; every field stands in every saved model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from backbones.config import BackboneConfig

_MOST_WIDTH, _MOST_DEPTH = 1 << 16, 256
"""A configuration from a stranger's file cannot ask for more."""
INNER = (512, 256)
"""Widths between a cloud's features and what a PointNet or 3DGPE makes of them, in the T-Net and
before the head."""
GROUP_WIDTHS = (128, 256, 512)
"""Of the layers of a Mamba3D's own encoder of groups, before the last."""
PLACE_WIDTH, NECK_WIDTH = 128, 256
"""Of a Mamba3D's layers that see centres, and of those before its head."""
LEAST_SPREAD = 1e-5
"""Added to the spread of differences that local norm pooling divides by."""
ROWS, COLUMNS = (0, 1, 2, 1, 2, 2), (0, 0, 0, 1, 1, 2)
"""Entry of a lower triangle T of each of its six stored numbers: column by column (vech)."""


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
    metric: bool = False
    """Look at how large a cloud is, too, in the units it came in."""

    def __post_init__(self) -> None:
        _check_groups(self.points, self.centres, self.neighbours)
        if self.backbone.places not in (None, self.centres):
            raise ValueError(
                f"centres: expected as many as the backbone is made for, {self.backbone.places},"
                f" found {self.centres}"
            )


@dataclass(frozen=True)
class GaussianConfig:
    """A Gaussian basis encoder (arXiv 2511.04797): responses of a point, mixed into features."""

    gaussians: int = 32
    """Gaussians K: cost and size grow with it."""
    shape: Literal["full", "diagonal", "isotropic"] = "full"
    """Of the precision matrices."""
    start: Literal["random", "grid", "layered", "k-means"] = "random"
    """Where means begin: anywhere in the cube, on a grid of it, on grids of 1, 8, 64, ... (each
    level half as wide), or at the centres of clusters of the training points."""
    reach: float = 1.0
    """Half the side of that cube around the origin."""

    def __post_init__(self) -> None:
        _expect("gaussians", f"1 to {_MOST_WIDTH}", self.gaussians, 1, _MOST_WIDTH)
        _expect("reach", "above 0, to 1000", self.reach, 1e-6, 1e3)


@dataclass(frozen=True)
class PointNetConfig:
    """PointNet (arXiv 1612.00593) without its feature transform: shared layers, maximum, head."""

    points: int = 1024
    """Points of a cloud that are looked at."""
    widths: tuple[int, int, int] = (64, 128, 1024)
    """Of the layers that every point goes through."""
    t_net: bool = True
    """Turn each cloud by a matrix that a network of its own finds."""
    dropout: float = 0.4
    """In the head."""
    metric: bool = False
    """Look at how large a cloud is, too, in the units it came in."""

    def __post_init__(self) -> None:
        if isinstance(self.widths, list):  # JSON knows lists alone
            object.__setattr__(self, "widths", tuple(self.widths))
        _check_points(self.points)
        for width in self.widths:
            _expect("widths", f"1 to {_MOST_WIDTH}", width, 1, _MOST_WIDTH)
        _expect("dropout", "0 to 0.95", self.dropout, 0.0, 0.95)

    @property
    def width(self) -> int:
        """Features of a cloud."""
        return self.widths[-1]


@dataclass(frozen=True)
class GaussianNetConfig:
    """3DGPE: a PointNet whose shared layers are one Gaussian basis encoder."""

    points: int = 1024
    """Points of a cloud that are looked at."""
    width: int = 1024
    """Features of a cloud."""
    t_net: bool = True
    """Turn each cloud by a matrix that a network of its own finds."""
    dropout: float = 0.4
    """In the head."""
    encoder: GaussianConfig = field(default_factory=GaussianConfig)
    """Of the cloud, and of the T-Net."""
    metric: bool = False
    """Look at how large a cloud is, too, in the units it came in."""

    def __post_init__(self) -> None:
        _check_points(self.points)
        _expect("width", f"1 to {_MOST_WIDTH}", self.width, 1, _MOST_WIDTH)
        _expect("dropout", "0 to 0.95", self.dropout, 0.0, 0.95)


@dataclass(frozen=True)
class MambaConfig:
    """Mamba3D (arXiv 2404.14966): groups of points as tokens of bidirectional state-space blocks.

    The defaults are the paper's; `small()` is what a CPU trains.
    """

    points: int = 1024
    """Points of a cloud that are looked at."""
    centres: int = 128
    """Tokens: groups around points far from each other."""
    neighbours: int = 32
    """Points in a group."""
    width: int = 384
    """Numbers in a token."""
    depth: int = 12
    """Blocks."""
    state: int = 16
    """Numbers of state for each channel of a scan."""
    taps: int = 4
    """Of the convolution before a scan."""
    around: int = 4
    """Centres nearest to a centre, itself among them, whose features its own are compared with."""
    drop_path: float = 0.1
    """Chance that a training leaves a branch of a block out, for each cloud."""
    dropout: float = 0.5
    """In the head."""
    encoder: Literal["pointnet", "gaussian"] = "pointnet"
    """What makes a group a token: a PointNet of its own, or a Gaussian basis encoder."""
    gaussian: GaussianConfig = field(default_factory=GaussianConfig)
    """Of the encoder, if it is gaussian."""
    metric: bool = False
    """Look at how large a cloud is, too, in the units it came in."""

    def __post_init__(self) -> None:
        _check_groups(self.points, self.centres, self.neighbours)
        _expect("around", f"1 to {self.centres} (centres)", self.around, 1, self.centres)
        for name, most in (("width", _MOST_WIDTH), ("depth", _MOST_DEPTH), ("state", 256)):
            _expect(name, f"1 to {most}", getattr(self, name), 1, most)
        _expect("taps", "1 to 64", self.taps, 1, 64)
        for name in ("drop_path", "dropout"):
            _expect(name, "0 to 0.95", getattr(self, name), 0.0, 0.95)

    @staticmethod
    def small(encoder: Literal["pointnet", "gaussian"] = "pointnet") -> MambaConfig:
        """Mamba3D-S: half the width and half the blocks, 64 groups of 16."""
        return MambaConfig(centres=64, neighbours=16, width=192, depth=6, encoder=encoder)

    @property
    def inner(self) -> int:
        """Channels of a scan."""
        return 2 * self.width

    @property
    def rank(self) -> int:
        """Numbers that the step sizes of all channels are made from."""
        return -(-self.width // 16)


ModelConfig = TransformerConfig | PointNetConfig | GaussianNetConfig | MambaConfig


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
    """Of AdamW, on matrices; not on biases, scales and Gaussians."""
    smoothing: float = 0.1
    """Share of the target that is spread over all classes (Szegedy et al. 2016)."""
    advice: float = 0.0
    """Share of the target that is what advisers say of the cloud, instead of its label."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    scale: float = 1.5
    """Each axis is stretched by up to this factor, or shrunk by it."""
    shift: float = 0.2
    """Each axis is moved by up to this, in radii of the cloud."""
    drop: float = 0.0
    """Up to this share of points is left out, the same of every cloud in a step."""
    rotate: bool = False
    """Turn clouds about their upright axis by any angle."""
    average: float = 0.0
    """Decay of the running mean of the weights that is kept in the end; 0 keeps the last ones."""
    gaussians: Literal["natural", "sgd", "adamw"] = "natural"
    """What moves means and shapes of Gaussians: SGD along the natural or the plain gradient, or
    AdamW with all else."""
    gaussian_rate: float = 1e-2
    """Of natural or sgd at its highest."""
    coarse_until: float = 0.0
    """Progress until which clouds are cut into half of their groups, for half of the work: only of
    a transformer or a Mamba3D."""
    bf16: bool = False
    """Multiply matrices in bfloat16, which a processor with AVX512-BF16 or AMX does twice as fast;
    weights, places, Gaussians and scans stay in float32: not of a 3DGPE."""
    balance: float = 0.0
    """How far rare classes are lifted in the end to where common ones stand: 0 takes classes to be
    as common as they are in the data, 1 all as common as each other."""
    seed: int = 0
    """Seed of every random draw."""

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("expected steps or minutes, found both or neither")
        if (self.steps or 1) < 1 or (self.minutes or 1.0) <= 0:
            raise ValueError(f"expected a length above 0, found {self.steps or self.minutes}")
        _expect("drop", "0 to 0.99", self.drop, 0.0, 0.99)
        _expect("coarse_until", "0 to 1", self.coarse_until, 0.0, 1.0)
        _expect("average", "0 to below 1", self.average, 0.0, 1.0 - 1e-9)
        _expect("balance", "0 to 1", self.balance, 0.0, 1.0)
        _expect("advice", "0 to 1", self.advice, 0.0, 1.0)


def check_fit(fit: FitConfig, config: ModelConfig) -> None:
    """ValueError for options of a training that the model cannot follow."""
    if fit.coarse_until:
        fewer_centres(config)
    if fit.bf16 and isinstance(config, GaussianNetConfig):
        raise ValueError(
            "bf16: expected False for a 3dgpe, whose Gaussians need more digits than that and whose"
            " products are small"
        )


def fewer_centres(config: ModelConfig) -> int:
    """Groups in the coarse part of a training; ValueError where their number cannot change."""
    if isinstance(config, MambaConfig):
        return max(config.around, config.centres // 2)
    if isinstance(config, TransformerConfig) and config.backbone.places is None:
        return max(1, config.centres // 2)
    raise ValueError(
        "coarse_until: expected 0 for a model without groups, or with a fixed number of them"
    )


def _check_points(points: int) -> None:
    _expect("points", "1 to 1000000", points, 1, 1_000_000)


def _check_groups(points: int, centres: int, neighbours: int) -> None:
    _check_points(points)
    if not 1 <= neighbours <= points or not 1 <= centres <= points:
        raise ValueError(
            f"centres, neighbours: expected 1 to {points} (points), found {centres, neighbours}"
        )


def _expect(name: str, expected: str, found: float, low: float, high: float) -> None:
    if not low <= found <= high:  # NaN is refused, too
        raise ValueError(f"{name}: expected {expected}, found {found}")
