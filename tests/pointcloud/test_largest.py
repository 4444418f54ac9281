"""The maximum of a layer over points, without the layer's outputs: values, gradients and running
statistics are those of the layer, the norm and the maximum one after the other."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from pointcloud.cpu.bfloat_maxima import places_of_maxima
from pointcloud.cpu.covariance import covariance
from pointcloud.largest import largest, largest_normed
from simd.threads import set_threads


@pytest.fixture
def parts():
    """Points of clouds, a layer, and a norm that turns some channels over."""
    torch.manual_seed(0)
    x = torch.randn(5, 70, 6, dtype=torch.float64)
    layer, norm = nn.Linear(6, 40).double(), nn.BatchNorm1d(40).double()
    with torch.no_grad():
        norm.weight.copy_(torch.randn(40))
        norm.bias.copy_(torch.randn(40))
    return x, layer, norm


def outcome(function, x, *modules):
    """Output, gradients by points and parameters of a sum with uneven weights, and buffers."""
    x, modules = x.clone().requires_grad_(), copy.deepcopy(modules)
    out = function(x, *modules)
    (out * torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    parameters = [p for module in modules for p in module.parameters()]
    buffers = [b for module in modules for b in module.buffers()]
    return [out.detach(), x.grad, *(p.grad for p in parameters if p.grad is not None), *buffers]


def plain_normed(x, layer, norm):
    return norm(layer(x).flatten(0, 1)).unflatten(0, x.shape[:2]).amax(1)


def test_of_a_layer(parts):
    x, layer, _ = parts
    expected = outcome(lambda x, layer: layer(x).amax(1), x, layer)
    torch.testing.assert_close(outcome(largest, x, layer), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_of_a_layer_and_its_norm(parts, training):
    x, layer, norm = parts
    norm.running_var.fill_(2.0)
    norm.train(training)
    found, expected = (outcome(f, x, layer, norm) for f in (largest_normed, plain_normed))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


def test_repeated_points_count_once(parts):
    x, layer, _ = parts
    twice = torch.cat([x, x], 1)
    _, d_x, *of_layer = outcome(largest, twice, layer)
    _, d_once, *of_once = outcome(largest, x, layer)
    torch.testing.assert_close(of_layer, of_once)
    torch.testing.assert_close(d_x[:, :70] + d_x[:, 70:], d_once)


def test_float32_keeps_up(parts):
    x, layer, norm = parts
    shifted = x + 3.0  # far from the origin, as activations are
    exact = outcome(largest_normed, shifted, layer, norm)
    found = outcome(largest_normed, shifted.float(), layer.float(), norm.float())
    for ours, reference in zip(found[:2], exact[:2], strict=True):
        torch.testing.assert_close(ours.double(), reference, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "sizes", [(1, 1, 3, 4), (3, 5, 7, 20), (2, 6, 16, 16), (4, 130, 32, 1040), (2, 1024, 128, 48)]
)
def test_compiled_loops_find_the_references_maxima(sizes):
    clouds, points, inputs, outputs = sizes
    torch.manual_seed(1)
    x = torch.randn(clouds, points, inputs)
    layer = nn.Linear(inputs, outputs)
    found = outcome(largest, x, layer)
    expected = outcome(lambda x, layer: layer(x).amax(1), x.double(), copy.deepcopy(layer).double())
    for ours, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.double(), reference, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_threads_make_no_difference(dtype):
    torch.manual_seed(1)
    x, layer, norm = torch.randn(3, 200, 32).to(dtype), nn.Linear(32, 300), nn.BatchNorm1d(300)
    found = []
    for threads in (1, 2):
        set_threads(threads)
        found.append(outcome(largest_normed, x, layer, norm))
    set_threads(None)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("sizes", [(1, 1, 3, 4), (3, 70, 16, 33), (2, 1024, 128, 300)])
def test_of_points_in_bfloat16_only_the_search_is_rounded(sizes):
    clouds, points, inputs, outputs = sizes
    torch.manual_seed(1)
    x = torch.randn(clouds, points, inputs).bfloat16()
    layer = nn.Linear(inputs, outputs)
    all_of_them = layer(x.float())
    found = largest(x, layer)
    assert found.dtype == torch.float32
    # what is found is one of the products, all digits of it, and next to the largest
    assert ((found[:, None] - all_of_them).abs().amin(1) < 1e-5).all()
    largest_sum = (x.float().abs() @ layer.weight.abs().T).amax(1)
    assert (all_of_them.amax(1) - found <= 2.0**-7 * largest_sum).all()


def test_of_points_in_bfloat16_with_a_norm_gradients_lead_where_those_of_float32_do(parts):
    x, layer, norm = (one.float() for one in parts)
    one = outcome(largest_normed, x.bfloat16().float(), layer, norm)
    two = outcome(largest_normed, x.bfloat16(), layer, norm)
    torch.testing.assert_close(two[-3:-1], one[-3:-1], rtol=1e-5, atol=1e-6)  # running statistics
    for which in (1, 2, 4):  # points, weights, scales; the norm takes the layer's bias away
        found, expected = two[which].flatten().float(), one[which].flatten()
        assert torch.nn.functional.cosine_similarity(found, expected, 0) > 0.97


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1), (2, 5, 7, 33), (3, 100, 64, 1000), (1, 1024, 128, 96)]
)
def test_places_of_maxima_are_those_of_exact_products(sizes):
    clouds, points, inputs, outputs = sizes
    torch.manual_seed(2)
    x = torch.randn(clouds, points, inputs).bfloat16()
    weight = torch.randn(outputs, inputs).bfloat16()
    x[:, points // 2] = 0.0  # also where all products are below zero
    weight[: outputs // 2] = -weight[: outputs // 2].abs()
    x[:, : points // 2] = x[:, : points // 2].abs()
    places = places_of_maxima(*(one.view(torch.uint16).numpy() for one in (x, weight)))
    products = x.double() @ weight.double().mT
    found = products.gather(1, torch.from_numpy(places)[:, None])[:, 0]
    torch.testing.assert_close(found, products.amax(1), rtol=1e-5, atol=1e-5)


def test_of_equal_products_the_first_is_the_place():
    x = torch.ones(2, 40, 8).bfloat16()
    weight = torch.ones(16, 8).bfloat16()
    places = places_of_maxima(*(one.view(torch.uint16).numpy() for one in (x, weight)))
    assert (places == 0).all()


@pytest.mark.parametrize("sizes", [(1, 1), (5, 7), (63, 33), (1000, 64), (5003, 128)])
def test_the_covariance_is_that_of_float64(sizes):
    rows = np.random.default_rng(3).normal(3.0, 1.0, sizes).astype(np.float32)
    middle = rows.mean(0)
    centred = rows.astype(np.float64) - middle
    found = covariance(rows, middle)
    np.testing.assert_allclose(found, centred.T @ centred / len(rows), atol=2e-6)
    assert np.array_equal(found, found.T)
