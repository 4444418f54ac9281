"""Mamba3D (arXiv 2404.14966) from numpy arrays to scores, without torch: `pointcloud.mamba3d` in
use, as the compiled loops of its training and layers between them.

The scan of the second direction reads input and gate in reverse order of channels. Here its weights
are turned around once instead of its inputs every time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from data.neighbours import nearest
from pointcloud.config import MambaConfig
from pointcloud.cpu import gated_convolution, local_norm_pooling, selective_scan
from pointcloud.cpu.classifier import gaussians_of
from pointcloud.cpu.dense import Dense
from pointcloud.cpu.gaussian_filters import Filter
from pointcloud.cpu.group_features import GroupFeatures
from pointcloud.cpu.layer_norm import layer_norm
from pointcloud.cpu.shapes import shapes_of
from pointcloud.cpu.silu import silu
from pointcloud.cpu.stored_layers import (
    ExtentDense,
    check_variances,
    linear,
    normed,
)
from pointcloud.extents import extents
from pointcloud.grouping import GROUP_SCALE, grouped
from pointcloud.stored import StoredClassifier, expect_shapes

f32 = np.float32
Weights = dict[str, np.ndarray]
Tokens = Float32[np.ndarray, "b t w"]


class CpuMamba:
    """A stored Mamba3D, ready to run."""

    def __init__(self, stored: StoredClassifier, where: str) -> None:
        """UserError, naming the file `where`, for weights that its configuration cannot have."""
        config = stored.config
        assert isinstance(config, MambaConfig)
        weights = stored.weights
        expect_shapes(weights, shapes_of(config, len(stored.classes)), where)
        check_variances(weights, where)
        self._config = config
        self._groups = _encoder_of(config, weights)
        self._first, self._first_place = weights["first"], weights["first_place"]
        self._places = [_dense(*linear(weights, name)) for name in ("place_in", "place_out")]
        self._blocks = [_Block(weights, f"blocks.{k}", config) for k in range(config.depth)]
        self._norm = _norm(weights, "norm")
        self._extent = ExtentDense.of(weights) if config.metric else None
        names = ((f"neck.{k}", f"neck_norms.{k}") for k in range(2))
        self._neck = [Dense.of(*normed(weights, *pair)) for pair in names]
        self._head = Dense.of(*linear(weights, "head"))

    def features(self, clouds: Sequence[Float[np.ndarray, "_ 3"]]) -> Float32[np.ndarray, "b i"]:
        """What the head reads: one vector a cloud."""
        x = self.pooled(*self.prepared(clouds))
        if self._extent is not None:
            x = x + self._extent(extents(clouds, self._config.points))
        for layer in self._neck:
            x = layer(x, relu=True)
        return x

    def prepared(
        self, clouds: Sequence[Float[np.ndarray, "_ 3"]]
    ) -> tuple[Float32[np.ndarray, "b c 3"], Float32[np.ndarray, "b c k 3"]]:
        """Centres and groups of clouds."""
        config = self._config
        return grouped(clouds, (config.points, config.centres, config.neighbours))

    def pooled(
        self, centres: Float32[np.ndarray, "b c 3"], groups: Float32[np.ndarray, "b c k 3"]
    ) -> Float32[np.ndarray, "b w2"]:
        """The first token beside the maximum and mean of the others."""
        batch, count, _, _ = groups.shape
        points = (f32(GROUP_SCALE) * groups).reshape(batch * count, -1, 3)
        tokens = self._with_first(self._groups(points).reshape(batch, count, -1), self._first)
        enter, leave = self._places
        places = leave(silu(enter(centres.reshape(-1, 3)))).reshape(batch, count, -1)
        places = self._with_first(places, self._first_place)
        near = np.stack([nearest(c, c, self._config.around, backend="numba")[1] for c in centres])
        for block in self._blocks:
            tokens = block(tokens, near, places)
        tokens = _rows(self._norm, tokens)
        others = tokens[:, 1:]
        return np.concatenate([tokens[:, 0], others.max(1) + others.mean(1)], 1)

    def scores_of(self, features: Float32[np.ndarray, "b i"]) -> Float32[np.ndarray, "b classes"]:
        """Scores (logits) of clouds' features."""
        return self._head(features)

    def scores(
        self, clouds: Sequence[Float[np.ndarray, "_ 3"]]
    ) -> Float32[np.ndarray, "b classes"]:
        """Scores (logits) of clouds of any sizes, places and units."""
        return self.scores_of(self.features(clouds))

    @staticmethod
    def _with_first(x: Tokens, first: Float32[np.ndarray, "w"]) -> Tokens:
        return np.concatenate([np.broadcast_to(first, (len(x), 1, len(first))), x], 1)


_dense = functools.partial(Dense.of, halves=False)
"""A layer of many rows."""


def _norm(weights: Weights, name: str) -> Callable[[np.ndarray], np.ndarray]:
    return functools.partial(
        layer_norm, weight=weights[f"{name}.weight"], bias=weights[f"{name}.bias"]
    )


def _rows(layer: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """What a layer of rows makes of tokens."""
    return layer(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)


def _encoder_of(config: MambaConfig, weights: Weights) -> Any:
    """What makes the points of groups (g, k, 3) one row each."""
    if config.encoder == "pointnet":
        return GroupFeatures.of(weights)
    return gaussians_of(weights, "encoder", config.gaussian.shape, Filter())


class _Block:
    """What neighbours say, then what the scan says, each added to the tokens."""

    def __init__(self, weights: Weights, name: str, config: MambaConfig) -> None:
        own, inner = f"{name}.local", config.inner
        self._local_norm = _norm(weights, f"{name}.local_norm")
        self._scale, self._offset = weights[f"{own}.scale"], weights[f"{own}.offset"]
        self._pooled_norm = _norm(weights, f"{own}.norm")
        self._pooled_out = _dense(*linear(weights, f"{own}.out"))
        self._scan_norm = _norm(weights, f"{name}.scan_norm")
        enter = weights[f"{name}.scan.enter.weight"].T
        self._enter = [_plain(half) for half in (enter[:, :inner], enter[:, inner:])]
        self._ahead = _Direction(weights, f"{name}.scan.forwards", config, slice(None))
        self._back = _Direction(weights, f"{name}.scan.backwards", config, slice(None, None, -1))
        self._leave = _plain(weights[f"{name}.scan.leave.weight"].T)

    def __call__(self, tokens: Tokens, near: Int64[np.ndarray, "b c k"], places: Tokens) -> Tokens:
        x = tokens + places
        x += self._local(_rows(self._local_norm, x), near)
        rows = self._scan_norm(x.reshape(-1, x.shape[-1]))
        u, gate = (half(rows).reshape(*x.shape[:2], -1) for half in self._enter)
        made = self._ahead(u, gate)
        made += self._back(gate, u)
        return x + _rows(self._leave, made)

    def _local(self, x: Tokens, near: Int64[np.ndarray, "b c k"]) -> Tokens:
        own = np.ascontiguousarray(x[:, 1:])
        both = local_norm_pooling.forward_beside_own(own, near, self._scale, self._offset)
        made = silu(_rows(self._pooled_out, _rows(self._pooled_norm, both)))
        return np.concatenate([x[:, :1], made], 1)


def _plain(weight: Float32[np.ndarray, "a b"]) -> Dense:
    """A layer without a bias."""
    return _dense(np.ascontiguousarray(weight), np.zeros(weight.shape[1], f32))


class _Direction:
    """One Mamba: convolution, coefficients, scan, gate; channels in the order `turned`."""

    def __init__(self, weights: Weights, name: str, config: MambaConfig, turned: slice) -> None:
        own = {
            part: weights[f"{name}.{part}"]
            for part in ("conv_weight", "conv_bias", "log_decay", "skip", "step.bias")
        }
        self._taps = np.ascontiguousarray(own["conv_weight"][:, turned])
        self._bias = np.ascontiguousarray(own["conv_bias"][turned])
        self._rates = selective_scan.rates(-np.exp(own["log_decay"][turned]))
        self._skip, self._step_bias = (
            np.ascontiguousarray(own[part][turned]) for part in ("skip", "step.bias")
        )
        coefficients = weights[f"{name}.coefficients.weight"][:, turned].T
        self._coefficients = _plain(coefficients)
        ends = np.cumsum([0, config.rank, config.state, config.state])
        self._parts = [slice(*two) for two in pairwise(ends)]
        self._step = _plain(weights[f"{name}.step.weight"][turned].T)

    def __call__(self, x: Tokens, gate: Tokens) -> Tokens:
        u = gated_convolution.forward(x, self._taps, self._bias)
        made = _rows(self._coefficients, u)
        step, to_state, from_state = (np.ascontiguousarray(made[..., part]) for part in self._parts)
        dt, gate = _rows(self._step, step), np.ascontiguousarray(gate)
        return selective_scan.at_rates(
            u, dt, self._rates, to_state, from_state, self._skip, gate, self._step_bias
        )
