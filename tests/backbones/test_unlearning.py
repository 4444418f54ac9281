"""Unlearning: a bounded adapter forgets and stays; an unbounded one grows with every step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from backbones.adapters import AdapterConfig, adapters_of, attach
from backbones.unlearning import UnlearningConfig, unlearn

CLASSES = 4


def blobs(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Points around four corners."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    corners = torch.tensor([[2.0, 2.0], [-2.0, 2.0], [2.0, -2.0], [-2.0, -2.0]])
    return corners[labels] + 0.4 * torch.randn(count, 2, generator=generator), labels


@pytest.fixture(scope="module")
def trained() -> dict[str, Tensor]:
    model = network()
    x, y = blobs(200, 0)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(120):
        optimiser.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    return model.state_dict()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential()
    model.add_module("first", nn.Linear(2, 32))
    model.add_module("bend", nn.GELU())
    model.add_module("mlp_in", nn.Linear(32, 32))
    model.add_module("bend_again", nn.GELU())
    model.add_module("head", nn.Linear(32, CLASSES))
    return model


def forgetting(weights: dict[str, Tensor], kind: str, config: UnlearningConfig, **adapter):
    """(model, norms of delta after each step) of unlearning class 0."""
    model = network()
    model.load_state_dict(weights)
    attach(
        model,
        AdapterConfig(kind, 4, 8.0, targets=("mlp_in",), **adapter),
        torch.Generator().manual_seed(0),
    )
    (part,) = adapters_of(model).values()
    x, y = blobs(200, 0)
    norms = []

    def loss(keep: bool) -> Tensor:
        rows = (y != 0) if keep else (y == 0)
        return functional.cross_entropy(model(x[rows]), y[rows])

    def report(_step: int, values: dict) -> None:
        assert values["progress"] <= 1 and values["forget_loss"] >= 0
        norms.append(part.delta().detach().norm().item())

    unlearn(part.parameters(), lambda _: loss(False), lambda _: loss(True), config, report)
    return model, norms


def test_the_class_is_forgotten_the_others_kept_and_the_delta_bounded(trained) -> None:
    model, norms = forgetting(trained, "sine-lora", UnlearningConfig(300), omega=100.0)
    x, y = blobs(200, 1)
    right = model(x).argmax(1) == y
    assert right[y == 0].double().mean() <= 1 / CLASSES
    assert right[y != 0].double().mean() >= 0.95
    assert max(norms) <= 8.0 / 4 * 32**0.5


def test_the_bounded_delta_stops_growing_and_the_linear_does_not(trained) -> None:
    config = UnlearningConfig(600)
    _, bounded = forgetting(trained, "sine-lora", config, omega=100.0)
    _, linear = forgetting(trained, "lora", config)
    assert bounded[-1] / bounded[199] < 1.1
    assert linear[-1] / linear[199] > 1.5


@pytest.mark.parametrize(
    "baseline", [{"clip": 0.01, "rate": 1e-3}, {"weight_decay": 10.0}, {"rate": 1e-4}]
)
def test_what_others_do_against_divergence_holds_the_linear_one_back(trained, baseline) -> None:
    _, free = forgetting(trained, "lora", UnlearningConfig(100))
    _, held = forgetting(trained, "lora", UnlearningConfig(100, **baseline))
    assert held[-1] < 0.8 * free[-1]


def test_a_report_of_false_ends_it() -> None:
    value = nn.Parameter(torch.zeros(1))
    steps = unlearn(
        [value],
        lambda _: value.sum(),
        lambda _: value.square().sum(),
        UnlearningConfig(50),
        lambda step, _: step < 3,
    )
    assert steps == 3
    with pytest.raises(ValueError, match="expected some that are trained"):
        unlearn([], lambda _: value.sum(), lambda _: value.sum(), UnlearningConfig())
