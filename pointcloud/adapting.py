"""A trained classifier made to know the user's own clouds: an adapter, and a head for new classes.

Where the base knows all classes by name its own head stays, and only what it sees is adapted (to
another scanner, say). Otherwise a new head is fitted to the base's features first; how good that
is says what the adapter adds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from backbones.adapter_files import (
    LoadedAdapter,
    fingerprint,
    load_adapter,
    save_adapter,
    theoretical_bytes,
)
from backbones.adapters import AdapterConfig, adapters_of, attach, merge
from backbones.quantised_adapters import Method
from data.errors import UserError
from data.labelled_clouds import LabelledClouds
from pointcloud.adapted_layers import adaptable
from pointcloud.classifier_files import SavedClassifier
from pointcloud.config import FitConfig
from pointcloud.fitting import FitState, Report, fit, initial_state
from pointcloud.prediction import features

_HEAD = "head"
_HEAD_STEPS, _HEAD_DECAY = 300, 1e-3


@dataclass(eq=False)
class Adaptation:
    """A classifier with an adapter on it, and what the adapter's file needs to know."""

    model: nn.Module
    classes: tuple[str, ...]
    config: AdapterConfig
    base: str
    """Fingerprint of the model before."""
    new_head: bool
    temperature: float
    """What scores are divided by: the base's, until it is fitted to the new data."""

    def extra(self) -> dict[str, Tensor]:
        """What is stored beside the factors: the new head, if there is one."""
        if not self.new_head:
            return {}
        head = self.model.get_submodule(_HEAD).state_dict()
        return {f"{_HEAD}.{name}": value for name, value in head.items()}

    def save(self, path: str | Path, bits: int | None = None, method: Method = "kmeans") -> int:
        """Write the adapter; bytes of its file. With `bits` the model becomes what is stored."""
        size = save_adapter(
            path,
            self.model,
            self.config,
            base=self.base,
            bits=bits,
            method=method,
            extra=self.extra(),
            text=self._text(),
        )
        if bits is not None and self.new_head:
            self.model.get_submodule(_HEAD).half().float()
        return size

    def _text(self) -> dict[str, str]:
        text = {"temperature": f"{self.temperature:.4g}"}
        return text | ({"classes": json.dumps(list(self.classes))} if self.new_head else {})

    def payload(self, bits: int | None = None, method: Method = "kmeans") -> int:
        """Bytes of its numbers alone."""
        return theoretical_bytes(adapters_of(self.model), bits, method, self.extra())


def begin(
    saved: SavedClassifier, data: LabelledClouds, config: AdapterConfig, seed: int = 0
) -> tuple[Adaptation, LabelledClouds]:
    """An adapter that changes nothing yet on `saved.model`, and `data` with the labels it answers.

    For classes that the base does not know all of, a head for those of `data` takes the place of
    the base's, fitted to the base's features of `data`. The layers of `config` are the model's.
    """
    base = fingerprint(saved.model)
    config = replace(config, targets=adaptable(saved.model.config))
    known = set(data.classes) <= set(saved.classes)
    classes = saved.classes if known else data.classes
    data = data.relabelled(classes)
    generator = torch.Generator().manual_seed(seed)
    attach(saved.model, config, generator)
    if not known:
        saved.model.head = fitted_head(features(saved.model, data.clouds), data, generator)
    temperature = saved.temperature if known else 1.0
    return Adaptation(saved.model, classes, config, base, not known, temperature), data


def fitted_head(
    seen: Tensor, data: LabelledClouds, generator: torch.Generator | None = None
) -> nn.Linear:
    """A linear layer from features to the classes of `data`: logistic regression, full batch."""
    head = nn.Linear(seen.shape[1], len(data.classes))
    with torch.no_grad():
        head.weight.normal_(0.0, 0.01, generator=generator)
        head.bias.zero_()
    labels = torch.from_numpy(data.labels)
    optimiser = torch.optim.AdamW(head.parameters(), lr=3e-2, weight_decay=_HEAD_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _HEAD_STEPS)
    for _ in range(_HEAD_STEPS):
        optimiser.zero_grad()
        functional.cross_entropy(head(seen), labels, label_smoothing=0.1).backward()
        optimiser.step()
        schedule.step()
    return head


def adapt(
    adaptation: Adaptation, data: LabelledClouds, config: FitConfig, report: Report | None = None
) -> FitState:
    """Train the adapter, and the head if it is new, in place."""
    state = initial_state(adaptation.model, config, norms_stay=True)
    fit(state, data, config, report)
    return state


def load_adapted(saved: SavedClassifier, path: str | Path) -> tuple[SavedClassifier, LoadedAdapter]:
    """`saved` with the adapter of a file written into its weights: as quick as the base.

    UserError for an adapter of another base or a spoilt one. `saved.model` is changed in place.
    """
    loaded = load_adapter(path, saved.model)
    classes: Any = saved.classes
    if f"{_HEAD}.weight" in loaded.extra:
        classes = _classes(path, loaded)
        saved.model.head = _head(path, loaded, len(classes), saved.model.head.in_features)
    merge(saved.model)
    saved.model.eval()
    # what the base is familiar with says nothing of the adapted one
    known = replace(saved, classes=tuple(classes), familiarity=None)
    return replace(known, temperature=_temperature(path, loaded)), loaded


def _temperature(path: str | Path, loaded: LoadedAdapter) -> float:
    try:
        found = float(loaded.text.get("temperature", "1"))
    except ValueError:
        found = 0.0
    if not 1e-3 <= found <= 1e3:
        raise UserError(f"{path}: expected a temperature from 0.001 to 1000, found another text")
    return found


def _classes(path: str | Path, loaded: LoadedAdapter) -> list[str]:
    try:
        classes = json.loads(loaded.text.get("classes", ""))
    except ValueError:
        classes = None
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise UserError(f"{path}: expected the names of its head's classes, found none")
    return classes


def _head(path: str | Path, loaded: LoadedAdapter, classes: int, width: int) -> nn.Linear:
    head = nn.Linear(width, classes)
    for name, parameter in head.state_dict().items():
        given = loaded.extra.get(f"{_HEAD}.{name}")
        if given is None or given.shape != parameter.shape:
            raise UserError(
                f"{path}: expected a head of {classes} classes from {width} features, found"
                f" {None if given is None else tuple(given.shape)} for its {name}"
            )
        parameter.copy_(given)
    return head
