"""3DGPE with weights of bytes: the rounded numbers' own sums, hardly another answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pointcloud
from data import read_cloud
from data.errors import UserError
from pointcloud.cpu.byte_features import byte_features
from pointcloud.cpu.dense import Dense
from pointcloud.cpu.mixing import in_bytes
from pointcloud.cpu.tiles import TILE
from simd.threads import set_threads

SHAPES = Path(__file__).parents[2] / "data" / "samples" / "shapes"
SIZES = (1, 5, 6, 7, TILE - 1, TILE + 1, 9 * TILE + 5)


def parts(gaussians: int, width: int):
    rng = np.random.default_rng(gaussians)
    means = rng.uniform(-1, 1, (gaussians, 3)).astype(np.float32)
    factors = np.tril(rng.normal(size=(gaussians, 3, 3))) + 2 * np.eye(3)
    mixer = rng.normal(size=(width, gaussians)).astype(np.float32)
    return means, factors, mixer, rng.normal(size=width).astype(np.float32)


def clouds() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 3)).astype(np.float32) for n in SIZES]


@pytest.mark.parametrize("gaussians, width", [(1, 16), (16, 1024), (19, 40), (130, 33)])
def test_features_are_those_of_rounded_numbers(gaussians: int, width: int) -> None:
    means, factors, mixer, bias = parts(gaussians, width)
    weights, scale = in_bytes(mixer.T)
    assert np.abs(weights).max() == 127
    for cloud, found in zip(
        clouds(), byte_features(means, factors, mixer, bias)(clouds()), strict=True
    ):
        away = np.einsum("kij,nki->nkj", factors, (cloud[:, None] - means).astype(np.float64))
        responses = 255 * np.exp(-0.5 * (away * away).sum(2))
        exact = (np.rint(responses) @ weights.astype(float)).max(0) * scale / 255 + bias
        # a response in the middle between two numbers may go to either
        unsure = (np.abs(responses % 1 - 0.5) < 2e-3).sum(1).max()
        np.testing.assert_allclose(found, exact, atol=1e-5 + unsure * 127 * scale.max() / 255)
        whole = (responses / 255 @ mixer.T.astype(float)).max(0) + bias
        assert np.abs(found - whole).max() < 0.02 * np.abs(mixer).sum(1).max()


def test_features_depend_on_neither_threads_nor_batch() -> None:
    encode = byte_features(*parts(32, 48))
    whole = encode(clouds())
    set_threads(1)
    np.testing.assert_array_equal(encode(clouds()), whole)
    set_threads(None)
    for cloud, row in zip(clouds(), whole, strict=True):
        np.testing.assert_array_equal(encode([cloud[::-1]])[0], row)


@pytest.mark.parametrize("rows", [1, 6, 13])
def test_a_layer_of_bytes_is_that_of_rounded_weights(rows: int) -> None:
    rng = np.random.default_rng(rows)
    weight, bias = rng.normal(size=(37, 21)).astype(np.float32), np.ones(21, np.float32)
    scale, x = rng.normal(size=21).astype(np.float32), rng.normal(size=(rows, 37))
    weight[:, 3] = 0
    layer = Dense.of(weight, bias, scale, int8=True)
    assert layer.weights.itemsize == 1
    rounded, factor = in_bytes(weight)
    expected = x @ (rounded * factor.astype(np.float64)) * scale + bias
    np.testing.assert_allclose(layer(x.astype(np.float32)), expected, atol=1e-4)
    assert np.abs(rounded * factor - weight).max() <= np.abs(weight).max() / 254 + 1e-6


@pytest.mark.parametrize("name", ["3dgpe", "3dgpe-16"])
def test_shapes_keep_their_names(name: str) -> None:
    given = [read_cloud(path).xyz for path in sorted(SHAPES.iterdir())]
    exact, rounded = (pointcloud.load(name, int8=int8).predict(given) for int8 in (False, True))
    np.testing.assert_array_equal(rounded.argmax(1), exact.argmax(1))
    assert 0 < np.abs(rounded - exact).max() < 0.1


@pytest.mark.parametrize("name", ["pointnet", "mamba3d"])
def test_another_model_is_refused(name: str) -> None:
    with pytest.raises(
        UserError, match=rf"int8: expected a 3dgpe, found a {name} in .*; leave it out"
    ):
        pointcloud.load(name, int8=True)
