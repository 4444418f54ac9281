"""Adapters on a model: attach, detach, merge into the weights and take them out again.

Any Linear or Conv1d (`weight`) and nn.MultiheadAttention (`in_proj_weight`) can carry one. The base
weights stay bit for bit what they were, whatever is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from backbones.bounded_adapters import TanhLoRA
from backbones.lora import DoRA, LoRA
from backbones.sine_lora import SineLoRA

ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
FEED_FORWARD = ("mlp_in", "mlp_out")
Kind = Literal["lora", "dora", "sine-lora", "sine-dora", "tanh-lora"]


@dataclass(frozen=True)
class AdapterConfig:
    """What to put on which weights; stored in every adapter's file."""

    kind: Kind = "sine-lora"
    """LoRA family: plain, with row lengths (dora), bent by a sine or tanh."""
    rank: int = 4
    """Rank of the trained product."""
    alpha: float = 8.0
    """Strength: the product is multiplied by alpha / rank."""
    omega: float = 100.0
    """Frequency within the sine or tanh; lora and dora have none."""
    targets: tuple[str, ...] = (*ATTENTION, *FEED_FORWARD)
    """Last part, or parts, of the names of the layers that carry one."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(
                f"kind: expected one of {', '.join(get_args(Kind))}, got {self.kind!r:.40}"
            )
        if type(self.rank) is not int or self.rank < 1:
            raise ValueError(f"rank: expected a whole number from 1 on, got {self.rank!r:.40}")
        for name in ("alpha", "omega"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < math.inf:
                raise ValueError(f"{name}: expected a number above 0, got {value!r:.40}")
        if not self.targets or not all(isinstance(name, str) for name in self.targets):
            raise ValueError(f"targets: expected names of layers, got {self.targets!r:.80}")


Adapter = LoRA | DoRA
_KINDS: dict[str, Callable[[Tensor, AdapterConfig, torch.Generator | None], Adapter]] = {
    "lora": lambda w, c, g: LoRA(w, c.rank, c.alpha, g),
    "dora": lambda w, c, g: DoRA(w, LoRA(w, c.rank, c.alpha, g)),
    "sine-lora": lambda w, c, g: SineLoRA(w, c.rank, c.alpha, c.omega, g),
    "sine-dora": lambda w, c, g: DoRA(w, SineLoRA(w, c.rank, c.alpha, c.omega, g)),
    "tanh-lora": lambda w, c, g: TanhLoRA(w, c.rank, c.alpha, c.omega, g),
}


@dataclass(frozen=True, eq=False)
class Merged:
    """What `unmerge` needs to take merged adapters out again."""

    base: dict[str, Tensor]
    adapters: dict[str, Adapter]


def attach(
    model: nn.Module, config: AdapterConfig, generator: torch.Generator | None = None
) -> dict[str, Adapter]:
    """Put adapters on the targets, freeze everything else; the adapters by their weight's name.

    The model computes what it did before. Raises ValueError when nothing is called as the targets
    are, or a target carries one already.
    """
    places = list(_places(model, config.targets))
    if not places:
        layers = sorted({name.rpartition(".")[2] for name, _, _ in _places(model, None)})
        raise ValueError(f"targets: expected some of {', '.join(layers)}, got {config.targets}")
    found = {}
    for name, module, weight_name in places:
        if parametrize.is_parametrized(module, weight_name):
            raise ValueError(f"{name}: expected a plain weight, got one with an adapter")
        weight = getattr(module, weight_name).detach()
        found[f"{name}.{weight_name}"] = _KINDS[config.kind](weight, config, generator)
    model.requires_grad_(False)
    for (_, module, weight_name), adapter in zip(places, found.values(), strict=True):
        parametrize.register_parametrization(module, weight_name, adapter)
    return found


def adapters_of(model: nn.Module) -> dict[str, Adapter]:
    """The adapters on `model` by the name of their weight, in the order of its layers."""
    return {
        f"{name}.{weight_name}": _stack(module, weight_name)[0]
        for name, module, weight_name in _adapted(model)
    }


def low_rank_parts(adapters: dict[str, Adapter]) -> dict[str, LoRA]:
    """The part of each adapter that has the factors A and B."""
    return {
        name: adapter.low_rank if isinstance(adapter, DoRA) else adapter
        for name, adapter in adapters.items()
    }


def detach(model: nn.Module) -> dict[str, Adapter]:
    """Take the adapters off; the model is the base again, bit for bit."""
    adapters = adapters_of(model)
    for _, module, weight_name in list(_adapted(model)):
        parametrize.remove_parametrizations(module, weight_name, leave_parametrized=False)
    return adapters


def merge(model: nn.Module) -> Merged:
    """Write the adapted weights into the model, which then costs what the base does.

    Returns what `unmerge` needs: W + delta - delta is not W in floating point, so W is kept.
    """
    adapters, base = adapters_of(model), {}
    for name, module, weight_name in list(_adapted(model)):
        original = _stack(module, weight_name).original
        base[f"{name}.{weight_name}"] = original.detach().clone()
        parametrize.remove_parametrizations(module, weight_name, leave_parametrized=True)
    return Merged(base, adapters)


def unmerge(model: nn.Module, merged: Merged) -> None:
    """Undo `merge`: base weights bit for bit, adapters beside them."""
    for full_name, adapter in merged.adapters.items():
        name, _, weight_name = full_name.rpartition(".")
        module = model.get_submodule(name)
        with torch.no_grad():
            getattr(module, weight_name).copy_(merged.base[full_name])
        parametrize.register_parametrization(module, weight_name, adapter)


def _places(
    model: nn.Module, targets: tuple[str, ...] | None
) -> Iterator[tuple[str, nn.Module, str]]:
    """(name, layer, name of its weight) of every layer that can carry an adapter."""
    for name, module in model.named_modules():
        if targets is not None and not f".{name}".endswith(tuple(f".{one}" for one in targets)):
            continue
        if isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            yield name, module, "in_proj_weight"
        elif isinstance(module, nn.Linear | nn.Conv1d):
            yield name, module, "weight"


def _adapted(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    for name, module, weight_name in _places(model, None):
        carries = parametrize.is_parametrized(module, weight_name)
        if carries and isinstance(_stack(module, weight_name)[0], LoRA | DoRA):
            yield name, module, weight_name


def _stack(module: nn.Module, weight_name: str) -> Any:
    """torch's list of what is done to a weight; `original` in it is the weight itself."""
    parametrizations: Any = module.parametrizations
    return parametrizations[weight_name]
