"""The maximum of a layer over points, without the layer's outputs: values, gradients and running
statistics are those of the layer, the norm and the maximum one after the other."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

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


def test_threads_make_no_difference():
    torch.manual_seed(1)
    x, layer = torch.randn(3, 200, 32), nn.Linear(32, 300)
    found = []
    for threads in (1, 2):
        set_threads(threads)
        found.append(outcome(largest, x, layer))
    set_threads(None)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
