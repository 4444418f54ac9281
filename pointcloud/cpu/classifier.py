"""PointNet and 3DGPE from numpy arrays to scores, without torch: compiled encoders, and what makes
scores of their maxima, with batch norms folded into the layers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from pointcloud.config import INNER, GaussianNetConfig, PointNetConfig
from pointcloud.cpu.byte_features import ByteFeatures, byte_features
from pointcloud.cpu.dense import Dense
from pointcloud.cpu.gaussian_features import GaussianFeatures, gaussian_features
from pointcloud.cpu.gaussian_filters import Filter
from pointcloud.cpu.pointnet_features import pointnet_features
from pointcloud.cpu.shapes import shapes_of
from pointcloud.cpu.stored_layers import (
    ExtentDense,
    check_variances,
    folded,
    linear,
    lower_triangles,
    normed,
)
from pointcloud.extents import extents
from pointcloud.grouping import normalised
from pointcloud.stored import StoredClassifier, expect_shapes

f32 = np.float32
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
        check_variances(stored.weights, where)
        self.points = config.points
        weights = stored.weights
        of = functools.partial(encoder_of, config, weights, int8=int8)
        dense = functools.partial(Dense.of, int8=int8)
        self._turn: tuple[Encode, list[Dense]] | None = None
        if config.t_net:
            layers = [
                dense(*normed(weights, f"t_net.layers.{k}", f"t_net.norms.{k}"))
                for k in range(len(INNER))
            ]
            layers.append(dense(*linear(weights, "t_net.matrix")))
            # its features decide an angle: nothing of them is left out
            self._turn = of("t_net.encoder", Filter()), layers
        self.encode = of("encoder", filtered or Filter())
        self._extent = ExtentDense.of(weights) if config.metric else None
        self._neck = [
            dense(*normed(weights, f"neck.layers.{k}", f"neck.norms.{k}"))
            for k in range(len(INNER))
        ]
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
    return gaussians_of(weights, name, config.encoder.shape, filtered, int8)


def gaussians_of(
    weights: dict[str, np.ndarray], name: str, shape: str, filtered: Filter, int8: bool = False
) -> GaussianFeatures | ByteFeatures:
    """The Gaussian encoder `name`, of precision matrices of a `shape`."""
    means, mixer = weights[f"{name}.means"], weights[f"{name}.mixer.weight"]
    factors = lower_triangles(weights[f"{name}.triangles"], shape)
    bias = weights[f"{name}.mixer.bias"]
    if int8:
        return byte_features(means, factors, mixer, bias)
    return gaussian_features(means, factors, mixer, bias, filtered)
