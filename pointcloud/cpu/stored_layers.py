"""Layers from the weights of a file, batch norms folded into them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from data.errors import UserError
from pointcloud.config import COLUMNS, ROWS
from pointcloud.cpu.dense import Dense
from pointcloud.cpu.pointnet_features import Layer
from pointcloud.extents import FARTHEST

f32 = np.float32
_EPSILON = 1e-5
"""Of batch norms."""


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
    weight, bias, scale = normed(weights, f"{name}.layers.{depth}", f"{name}.norms.{depth}")
    return weight * scale, bias


def normed(
    weights: dict[str, np.ndarray], layer: str, norm: str
) -> tuple[Float32[np.ndarray, "a b"], Float32[np.ndarray, "b"], Float32[np.ndarray, "b"]]:
    """Weight (in, out) of a layer, and bias and scale behind it that do what its bias and the batch
    norm, as in use, do."""
    spread = np.sqrt(weights[f"{norm}.running_var"].astype(np.float64) + _EPSILON)
    scale = weights[f"{norm}.weight"] / spread
    bias = (weights[f"{layer}.bias"] - weights[f"{norm}.running_mean"]) * scale
    bias = bias + weights[f"{norm}.bias"]
    weight = np.ascontiguousarray(weights[f"{layer}.weight"].T)
    return weight, bias.astype(f32), scale.astype(f32)


@dataclass(frozen=True, eq=False)
class ExtentDense:
    """What a cloud's extents add to its features."""

    mean: Float32[np.ndarray, "4"]
    spread: Float32[np.ndarray, "4"]
    layer: Dense

    @staticmethod
    def of(weights: dict[str, np.ndarray]) -> ExtentDense:
        mean, variance = (weights[f"extent.norm.running_{part}"] for part in ("mean", "var"))
        spread = np.sqrt(variance + f32(_EPSILON))
        return ExtentDense(mean, spread, Dense.of(*linear(weights, "extent.layer")))

    def __call__(self, found: Float32[np.ndarray, "b 4"]) -> Float32[np.ndarray, "b w"]:
        units = np.clip((found - self.mean) / self.spread, -FARTHEST, FARTHEST)
        return self.layer(units)


def check_variances(weights: dict[str, np.ndarray], where: str) -> None:
    """UserError, naming the file `where`, for a variance below zero."""
    for name, value in weights.items():
        if name.endswith("running_var") and value.min() < 0:
            raise UserError(
                f"{where}: expected variances of 0 or more in {name}, found {value.min():g}; the"
                " file is spoilt: save or fetch it again"
            )
