"""Shipped classifiers on other data: by a new head alone, by adapters of four bits, by training all
weights; and a class forgotten. A resumable queue.

    python -m benchmarks.cloud_adapting --base 3dgpe --data dales_objects5.npz velodyne4.npz
    python -m benchmarks.cloud_adapting --base transformer --forget chair --data modelnet40.npz
    python -m benchmarks.cloud_adapting --table

One JSON a cell in `benchmarks/results/cloud_adapting/`; a cell that stands is skipped. A fifth of
each class is held out for the scores, the same for all; test rows are never read. All ways take the
same steps. Steps, not seconds, are compared: other programs do no harm.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backbones.adapters import AdapterConfig, adapters_of, low_rank_parts
from backbones.unlearning import UnlearningConfig
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from data.labelled_clouds import LabelledClouds, read_labelled_clouds
from pointcloud import adapting
from pointcloud.classifier_files import load_classifier
from pointcloud.config import FitConfig
from pointcloud.fitting import fit, initial_state
from pointcloud.forgetting import bounded, forget, parted
from pointcloud.package_weights import weights_file
from pointcloud.prediction import accuracy, features
from pointcloud.recipes import CHANGES

RANK, BITS = 4, 4
ADAPTED = ("head", "sine-lora", "lora", "all-0.001", "all-0.0003")
"""All weights at two rates: the better one is what the others are held against."""
FORGOTTEN = ("sine-lora", "lora")
ADAPTER_RATE = 3e-3
"""Of `darb3d adapt`."""
RATE, RETAIN_WEIGHT = 1e-3, 10.0
"""Of `darb3d forget`: its rate, and the weight of what is kept."""


@dataclass(frozen=True)
class Cell:
    """One training."""

    base: str
    data: Path
    way: str
    seed: int
    forget: str = ""

    @property
    def stem(self) -> str:
        """Of its file."""
        task = f"forget-{self.forget}" if self.forget else "adapt"
        return f"{Path(self.base).stem}-{self.data.stem}-{task}-{self.way}-seed{self.seed}"


def queue(given: Any) -> list[Cell]:
    """Every cell, first seeds first."""
    ways = FORGOTTEN if given.forget else ADAPTED
    return [
        Cell(given.base, data, way, seed, given.forget)
        for seed in range(given.seeds)
        for data in given.data
        for way in ways
    ]


def adapted(cell: Cell, steps: int) -> dict[str, float]:
    """Accuracy on held-out clouds in %, and bytes of what is stored beside the base."""
    train, held_out = read_labelled_clouds(cell.data).split()
    saved = load_classifier(weights_file(cell.base, "--base"))
    if cell.way == "head" or cell.way.startswith("all"):
        return _without_adapter(cell, saved.model, train, held_out, steps)
    kind: Any = cell.way
    config = FitConfig(steps=steps, rate=ADAPTER_RATE, weight_decay=0.0, seed=cell.seed, **CHANGES)
    adaptation, train = adapting.begin(
        saved, train, AdapterConfig(kind, RANK, 2.0 * RANK), cell.seed
    )
    adapting.adapt(adaptation, train, config)
    held_out = held_out.relabelled(adaptation.classes)
    found = {"full_precision": _percent(adaptation.model, held_out)}
    with tempfile.TemporaryDirectory() as folder:
        size = adaptation.save(Path(folder) / "adapter", BITS)
    return found | {"accuracy": _percent(adaptation.model, held_out), "bytes": size}


def _without_adapter(
    cell: Cell, model: Any, train: LabelledClouds, held_out: LabelledClouds, steps: int
) -> dict[str, float]:
    import torch

    generator = torch.Generator().manual_seed(cell.seed)
    model.head = adapting.fitted_head(features(model, train.clouds), train, generator)
    changed = sum(value.numel() for value in model.head.parameters())
    if cell.way != "head":
        rate = float(cell.way.removeprefix("all-"))
        config = FitConfig(steps=steps, rate=rate, seed=cell.seed, **CHANGES)
        fit(initial_state(model.requires_grad_(True), config), train, config)
        changed = sum(value.numel() for value in model.parameters())
    return {"accuracy": _percent(model, held_out), "bytes": 4 * changed}


def forgotten(cell: Cell, steps: int) -> dict[str, float]:
    """Accuracy on clouds of the class and on the others in % before and after, and the largest
    share of its bound that a weight's change reached."""
    saved = load_classifier(weights_file(cell.base, "--base"))
    data = read_labelled_clouds(cell.data).relabelled(saved.classes)
    train, held_out = data.split()
    parts = parted(held_out, (cell.forget,))
    before = [_percent(saved.model, part) for part in parts]
    kind: Any = cell.way
    config = bounded(saved.model.config, kind, RANK)
    unlearning = UnlearningConfig(steps, RATE, RETAIN_WEIGHT)
    forget(saved.model, train, (cell.forget,), config, unlearning, seed=cell.seed)
    after = [_percent(saved.model, part) for part in parts]
    low_rank = low_rank_parts(adapters_of(saved.model)).values()
    bounds = [config.alpha / RANK * len(part.b) ** 0.5 for part in low_rank]
    norms = [float(part.delta().detach().norm()) for part in low_rank]
    return {
        "forget_before": before[0],
        "retain_before": before[1],
        "forget": after[0],
        "retain": after[1],
        "share_of_bound": float(np.max(np.array(norms) / bounds)),
    }


def _percent(model: Any, data: LabelledClouds) -> float:
    return 100 * accuracy(model, data).overall


def rows_of(found: Sequence[dict[str, Any]]) -> list[list[str]]:
    """A row for each task and way: means over seeds, lowest to highest."""
    groups: dict[tuple[str, str], list[dict[str, float]]] = {}
    for one in found:
        groups.setdefault((one["task"], one["way"]), []).append(one["figures"])
    rows = []
    for (task, way), seeds in groups.items():
        said = []
        for name in seeds[0]:
            values = [seed[name] for seed in seeds]
            spread = f" ({min(values):.1f} to {max(values):.1f})" if np.ptp(values) > 0 else ""
            said.append(f"{name} {np.mean(values):,.1f}{spread}")
        rows.append([task, way, str(len(seeds)), "; ".join(said)])
    return rows


def main() -> None:
    wanted = parser(__doc__)
    wanted.add_argument("--base", default="3dgpe", help="a model of the package, or a file")
    wanted.add_argument("--data", type=Path, nargs="+", default=[], help=".npz, or folders")
    wanted.add_argument("--forget", default="", metavar="CLASS", help="instead of adapting")
    wanted.add_argument("--steps", type=int, default=300)
    wanted.add_argument("--seeds", type=int, default=3)
    wanted.add_argument("--folder", type=Path, default=RESULTS / "cloud_adapting")
    wanted.add_argument("--table", action="store_true", help="print what stands, train nothing")
    given = wanted.parse_args()
    cells, steps = queue(given), 2 if given.quick else given.steps
    for number, cell in enumerate(cells[:2] if given.quick else cells):
        place = given.folder / f"{cell.stem}.json"
        if given.table or place.exists():
            continue
        figures = (forgotten if cell.forget else adapted)(cell, steps)
        head = {"benchmark": "cloud_adapting", "machine": facts(), "steps": steps}
        task = cell.stem.rpartition(f"-{cell.way}-")[0]
        write_json(place, head | {"task": task, "way": cell.way, "figures": figures})
        print(f"{number + 1}/{len(cells)} {cell.stem}", flush=True)
    standing = [json.loads(place.read_text()) for place in sorted(given.folder.glob("*.json"))]
    print_table(["task", "way", "seeds", "figures"], rows_of(standing))
    if given.json:
        write_json(given.json, {"benchmark": "cloud_adapting", "cells": standing})


if __name__ == "__main__":
    main()
