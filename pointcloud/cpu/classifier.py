"""PointNet and 3DGPE from numpy arrays to scores, without torch: compiled encoders, and what makes
scores of their maxima, with batch norms folded into the layers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from data.errors import UserError
from pointcloud.config import COLUMNS, INNER, ROWS, GaussianNetConfig, PointNetConfig
from pointcloud.cpu.byte_features import byte_features
from pointcloud.cpu.dense import Dense
from pointcloud.cpu.gaussian_features import gaussian_features
from pointcloud.cpu.gaussian_filters import Filter
from pointcloud.cpu.pointnet_features import Layer, pointnet_features
from pointcloud.extents import EXTENTS, FARTHEST, extents
from pointcloud.grouping import normalised
from pointcloud.stored import StoredClassifier, expect_shapes

f32 = np.float32
_EPSILON = 1e-5
"""Of batch norms."""
Encode = Callable[[list[np.ndarray]], Float32[np.ndarray, "b e"]]


class CpuClassifier:
    """A stored PointNet or 3DGPE, ready to run."""

    def __init__(
        self,
        stored: StoredClassifier,
        where: str,
        filtered: Filter | None = None,
        int8: bool = False,
    ) -> None:
        """With `int8` a 3DGPE's mixers and layers are rounded to bytes, and nothing is filtered.

        UserError, naming the file `where`, for weights that its configuration cannot have.
        """
        config = stored.config
        assert isinstance(config, PointNetConfig | GaussianNetConfig)
        expect_shapes(stored.weights, shapes_of(config, len(stored.classes)), where)
        _check_variances(stored.weights, where)
        self.points = config.points
        weights = stored.weights
        of = functools.partial(encoder_of, config, weights, int8=int8)
        dense = functools.partial(Dense.of, int8=int8)
        self._turn: tuple[Encode, list[Dense]] | None = None
        if config.t_net:
            layers = [dense(*normed(weights, "t_net", k)) for k in range(len(INNER))]
            layers.append(dense(*linear(weights, "t_net.matrix")))
            # its features decide an angle: nothing of them is left out
            self._turn = of("t_net.encoder", Filter()), layers
        self.encode = of("encoder", filtered or Filter())
        self._extent = _ExtentLayer.of(weights) if config.metric else None
        self._neck = [dense(*normed(weights, "neck", k)) for k in range(len(INNER))]
        self._head = dense(*linear(weights, "head"))

    @property
    def bytes_a_weight(self) -> int:
        """Of the layers on a cloud's features, which are most of its numbers."""
        layers = [*self._neck, self._head, *(self._turn[1] if self._turn else [])]
        return max(layer.weights.itemsize for layer in layers)

    def prepared(
        self, clouds: Sequence[Float[np.ndarray, "_ 3"]]
    ) -> list[Float32[np.ndarray, "_ 3"]]:
        """Clouds as the encoder sees them: normalised, and turned by the T-Net."""
        cut = [normalised(cloud, self.points) for cloud in clouds]
        if self._turn is None:
            return cut
        return [xyz @ matrix for xyz, matrix in zip(cut, self.turns(cut), strict=True)]

    def turns(self, cut: list[Float32[np.ndarray, "_ 3"]]) -> Float32[np.ndarray, "b 3 3"]:
        """The matrix A of each normalised cloud, x' = x A: the T-Net's, or none."""
        if self._turn is None:
            return np.repeat(np.eye(3, dtype=f32)[None], len(cut), 0)
        encode, layers = self._turn
        x = np.maximum(encode(cut), 0)
        for layer in layers[:-1]:
            x = layer(x, relu=True)
        return layers[-1](x).reshape(-1, 3, 3) + np.eye(3, dtype=f32)

    def features(self, clouds: Sequence[Float[np.ndarray, "_ 3"]]) -> Float32[np.ndarray, "b i"]:
        """What the head reads: one vector a cloud."""
        x = self.encode(self.prepared(clouds))
        if self._extent is not None:
            x = x + self._extent(extents(clouds, self.points))
        for layer in self._neck:
            x = layer(x, relu=True)
        return x

    def scores_of(self, features: Float32[np.ndarray, "b i"]) -> Float32[np.ndarray, "b classes"]:
        """Scores (logits) of clouds' features."""
        return self._head(features)

    def scores(
        self, clouds: Sequence[Float[np.ndarray, "_ 3"]]
    ) -> Float32[np.ndarray, "b classes"]:
        """Scores (logits) of clouds of any sizes, places and units."""
        return self.scores_of(self.features(clouds))


@dataclass(frozen=True, eq=False)
class _ExtentLayer:
    """What a cloud's extents add to its features."""

    mean: Float32[np.ndarray, "4"]
    spread: Float32[np.ndarray, "4"]
    layer: Dense

    @staticmethod
    def of(weights: dict[str, np.ndarray]) -> _ExtentLayer:
        mean, variance = (weights[f"extent.norm.running_{part}"] for part in ("mean", "var"))
        spread = np.sqrt(variance + f32(_EPSILON))
        return _ExtentLayer(mean, spread, Dense.of(*linear(weights, "extent.layer")))

    def __call__(self, found: Float32[np.ndarray, "b 4"]) -> Float32[np.ndarray, "b w"]:
        units = np.clip((found - self.mean) / self.spread, -FARTHEST, FARTHEST)
        return self.layer(units)


def _check_variances(weights: dict[str, np.ndarray], where: str) -> None:
    for name, value in weights.items():
        if name.endswith("running_var") and value.min() < 0:
            raise UserError(
                f"{where}: expected variances of 0 or more in {name}, found {value.min():g}; the"
                " file is spoilt: save or fetch it again"
            )


def encoder_of(
    config: PointNetConfig | GaussianNetConfig,
    weights: dict[str, np.ndarray],
    name: str,
    filtered: Filter,
    int8: bool = False,
) -> Any:
    """The encoder `name` of a file's weights."""
    if isinstance(config, PointNetConfig):
        return pointnet_features([folded(weights, name, k) for k in range(len(config.widths))])
    means, mixer = weights[f"{name}.means"], weights[f"{name}.mixer.weight"]
    factors = lower_triangles(weights[f"{name}.triangles"], config.encoder.shape)
    bias = weights[f"{name}.mixer.bias"]
    if int8:
        return byte_features(means, factors, mixer, bias)
    return gaussian_features(means, factors, mixer, bias, filtered)


def lower_triangles(entries: Float32[np.ndarray, "k 6"], shape: str) -> Float[np.ndarray, "k 3 3"]:
    """T of each Gaussian from its six numbers, column by column; of another shape than `full` only
    what it uses."""
    factors = np.zeros((len(entries), 3, 3))
    factors[:, ROWS, COLUMNS] = entries
    if shape == "isotropic":
        return factors[:, :1, :1] * np.eye(3)
    return factors * np.eye(3) if shape == "diagonal" else factors


def linear(weights: dict[str, np.ndarray], name: str) -> Layer:
    """Weight (in, out) and bias of a layer."""
    return np.ascontiguousarray(weights[f"{name}.weight"].T), weights[f"{name}.bias"]


def folded(weights: dict[str, np.ndarray], name: str, depth: int) -> Layer:
    """Layer `depth` of the part `name` with the batch norm behind it in its weights."""
    weight, bias, scale = normed(weights, name, depth)
    return weight * scale, bias


def normed(
    weights: dict[str, np.ndarray], name: str, depth: int
) -> tuple[Float32[np.ndarray, "a b"], Float32[np.ndarray, "b"], Float32[np.ndarray, "b"]]:
    """Weight (in, out) of the same layer, and bias and scale behind it that do what its bias and
    the batch norm, as in use, do."""
    layer, norm = f"{name}.layers.{depth}", f"{name}.norms.{depth}"
    spread = np.sqrt(weights[f"{norm}.running_var"].astype(np.float64) + _EPSILON)
    scale = weights[f"{norm}.weight"] / spread
    bias = (weights[f"{layer}.bias"] - weights[f"{norm}.running_mean"]) * scale
    bias = bias + weights[f"{norm}.bias"]
    weight = np.ascontiguousarray(weights[f"{layer}.weight"].T)
    return weight, bias.astype(f32), scale.astype(f32)


def shapes_of(
    config: PointNetConfig | GaussianNetConfig, classes: int
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all that a file of `config` holds."""
    shapes: dict[str, tuple[int, ...]] = {}

    def add_linear(name: str, inputs: int, outputs: int) -> None:
        shapes.update({f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)})

    def add_layers(name: str, *sizes: int) -> None:
        for depth, (inputs, outputs) in enumerate(pairwise(sizes)):
            add_linear(f"{name}.layers.{depth}", inputs, outputs)
            norm = f"{name}.norms.{depth}"
            for part in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{norm}.{part}"] = (outputs,)
            shapes[f"{norm}.num_batches_tracked"] = ()

    def add_encoder(name: str) -> None:
        if isinstance(config, PointNetConfig):
            add_layers(name, 3, *config.widths)
            return
        count = config.encoder.gaussians
        shapes.update({f"{name}.means": (count, 3), f"{name}.triangles": (count, 6)})
        add_linear(f"{name}.mixer", count, config.width)

    if config.t_net:
        add_encoder("t_net.encoder")
        add_layers("t_net", config.width, *INNER)
        add_linear("t_net.matrix", INNER[-1], 9)
    add_encoder("encoder")
    if config.metric:
        shapes.update(
            {"extent.norm.running_mean": (EXTENTS,), "extent.norm.running_var": (EXTENTS,)}
        )
        shapes["extent.norm.num_batches_tracked"] = ()
        add_linear("extent.layer", EXTENTS, config.width)
    add_layers("neck", config.width, *INNER)
    add_linear("head", INNER[-1], classes)
    return shapes
