"""How often trained classifiers of clouds are right, on clouds as they are and as they come.

    python -m benchmarks.cloud_accuracy modelnet40.npz --weights FILE ... [--test] [--changes]
        [--others FILE ...]
    python -m benchmarks.cloud_accuracy modelnet40.npz --table

One JSON a file of weights in `benchmarks/results/cloud_accuracy/`, named by its contents; what
stands is not asked again, so the test rows of an archive are looked at once a model. Without
--test the clouds are those that `darb3d fit` of the same --hold-out has not seen. Files of one
model and several seeds (`NAME-seed1.safetensors`) are means of each other; two models are compared
cloud by cloud, by the seeds that both have. --others are data of other classes: how much of them is
said to be unlike the training data.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.up_axes import TURNS, turned, voted
from benchmarks.cloud_changes import Change, changed, changes
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from data.labelled_clouds import LabelledClouds, read_labelled_clouds
from pointcloud.accuracy import accuracy_of
from pointcloud.predictor import Predictor, load_predictor

_AT_A_TIME = 64
_MOST_CLASSES = 10
"""Of other data that get a row each."""
_SURE = 1.96
"""Standard errors on either side of a difference."""


@dataclass(frozen=True)
class Difference:
    """Between two models on the same clouds, in points of accuracy."""

    points: float
    low: float
    high: float


def paired(first: np.ndarray, second: np.ndarray) -> Difference:
    """Accuracy of `first` minus that of `second`, each true where its model is right, with the 95 %
    interval of McNemar's discordant pairs (Agresti, Categorical Data Analysis, 10.1)."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n = len(first)
    mean = (only_first - only_second) / n
    error = np.sqrt((only_first + only_second) - (only_first - only_second) ** 2 / n) / n
    return Difference(100 * mean, 100 * (mean - _SURE * error), 100 * (mean + _SURE * error))


def measured(predictor: Predictor, data: LabelledClouds, with_changes: bool) -> dict[str, Any]:
    """Accuracy, each cloud's answer, and accuracy under every change."""
    given = predictor.predict(list(data.clouds))
    found = accuracy_of(given, data)
    figures: dict[str, Any] = {"overall": found.overall, "mean_class": found.mean_class}
    figures |= {"clouds": len(data), "said": given.argmax(1).tolist()}
    if with_changes:
        figures["changes"] = {
            name: accuracy_of(_given(predictor, data, change), data).overall
            for name, change in changes().items()
        }
        figures["changes"]["--up auto"] = _right_by_vote(predictor, data)
    return figures


def flagged(predictor: Predictor, data: LabelledClouds) -> dict[str, float]:
    """Share of clouds said to be unlike the training data: of all, and of each class."""
    unlike = predictor.unlike(list(data.clouds))
    shares = {"all": float(unlike.mean())}
    for label in np.unique(data.labels):
        shares[data.classes[label]] = float(unlike[data.labels == label].mean())
    return shares


def _given(predictor: Predictor, data: LabelledClouds, change: Change) -> np.ndarray:
    """Probabilities of all clouds under `change`, few at a time: a large one times all is GBs."""
    parts = []
    for first in range(0, len(data), _AT_A_TIME):
        rows = range(first, min(first + _AT_A_TIME, len(data)))
        parts.append(predictor.predict([changed(data.clouds[row], row, change) for row in rows]))
    return np.concatenate(parts)


def _right_by_vote(predictor: Predictor, data: LabelledClouds) -> float:
    """Share of upright clouds that are right when their axis is asked for."""
    positions = [turned(cloud, up) for cloud in data.clouds for up in TURNS]
    given = predictor.predict(positions).reshape(len(data), len(TURNS), -1)
    axes = [list(TURNS).index(voted(of_cloud)) for of_cloud in given]
    said = given[np.arange(len(data)), axes].argmax(1)
    return float((said == data.labels).mean())


def grouped_by_model(standing: dict[str, dict[str, Any]]) -> dict[str, dict[int, dict[str, Any]]]:
    """Results of each model by seed: `NAME-seed2` is seed 2 of NAME, another name its seed 0."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for content in standing.values():
        model, _, seed = re.fullmatch(r"(.+?)(-seed(\d+))?", content["name"]).groups()  # type: ignore[union-attr]
        found.setdefault(model, {})[int(seed or 0)] = content
    return found


def accuracy_rows(models: dict[str, dict[int, dict[str, Any]]]) -> list[list[str]]:
    """Means over seeds, and the spread between them."""
    rows = []
    for model, seeds in models.items():
        overall = 100 * np.array([one["figures"]["overall"] for one in seeds.values()])
        by_class = 100 * np.mean([one["figures"]["mean_class"] for one in seeds.values()])
        spread = f"{np.ptp(overall):.1f}" if len(seeds) > 1 else "-"
        rows.append([model, f"{overall.mean():.1f}", f"{by_class:.1f}", spread, str(len(seeds))])
    return rows


def difference_rows(
    models: dict[str, dict[int, dict[str, Any]]], labels: np.ndarray
) -> list[list[str]]:
    """Every model against the first; clouds of all seeds that both have count together."""
    first, *others = models
    rows = []
    for other in others:
        seeds = sorted(models[first].keys() & models[other].keys())
        if not seeds:
            continue
        right = [
            np.concatenate([np.array(models[m][s]["figures"]["said"]) == labels for s in seeds])
            for m in (other, first)
        ]
        found = paired(*right)
        interval = f"{found.low:+.1f} to {found.high:+.1f}"
        rows.append([f"{other} - {first}", f"{found.points:+.2f}", interval, str(len(seeds))])
    return rows


def change_rows(models: dict[str, dict[int, dict[str, Any]]]) -> tuple[list[str], list[list[str]]]:
    """A row for each change, a column for each model that was asked."""
    asked = {
        model: [one["figures"]["changes"] for one in seeds.values() if "changes" in one["figures"]]
        for model, seeds in models.items()
    }
    asked = {model: found for model, found in asked.items() if found}
    names = list(next(iter(asked.values()))[0]) if asked else []
    rows = [
        [name, *(f"{100 * np.mean([one[name] for one in found]):.1f}" for found in asked.values())]
        for name in names
    ]
    return ["change", *asked], rows


def flagged_rows(
    models: dict[str, dict[int, dict[str, Any]]],
) -> tuple[list[str], list[list[str]]]:
    """A row for each class of other data, a column for each model that was asked."""
    shares = {
        model: {
            f"{data}: {name}": share
            for data, by_class in one["figures"]["flagged"].items()
            for name, share in by_class.items()
            if name == "all" or len(by_class) <= _MOST_CLASSES
        }
        for model, seeds in models.items()
        for one in seeds.values()
        if "flagged" in one["figures"]
    }
    names = dict.fromkeys(name for found in shares.values() for name in found)
    rows = [
        [name, *(f"{100 * found.get(name, np.nan):.0f}" for found in shares.values())]
        for name in names
    ]
    return ["said to be unlike, %", *shares], rows


def main() -> None:
    options = parser(__doc__)
    options.add_argument("data", type=Path, help="an .npz or a folder of folders")
    options.add_argument("--weights", type=Path, nargs="+", default=[], help="what to ask")
    options.add_argument("--hold-out", type=float, default=0.2, help="what the fit held out")
    options.add_argument("--test", action="store_true", help="the archive's test rows")
    options.add_argument(
        "--changes", action="store_true", help="also clouds with points missing..."
    )
    options.add_argument("--others", type=Path, nargs="+", default=[], help="data of other classes")
    options.add_argument("--int8", action="store_true", help="weights of 3dgpe rounded to bytes")
    options.add_argument("--folder", type=Path, default=RESULTS / "cloud_accuracy")
    options.add_argument("--table", action="store_true", help="print what stands, measure nothing")
    given = options.parse_args()
    if given.test:
        data = read_labelled_clouds(given.data, "test")
    else:
        data = read_labelled_clouds(given.data).split(given.hold_out)[1]
    rows = "test" if given.test else f"held-out-{given.hold_out:g}"
    split = f"{given.data.stem}-{rows}"
    machine = None if given.table else facts()
    for path in [] if given.table else given.weights:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        name = path.stem + (" int8" if given.int8 else "")
        place = given.folder / f"{split}-{name.replace(' ', '-')}-{digest}.json"
        if place.exists():
            print(f"{place} stands already")
            continue
        predictor = load_predictor(path, int8=given.int8)
        if predictor.labels != data.classes:
            raise SystemExit(f"{path}: expected the classes of {given.data}, found others")
        head = {"benchmark": "cloud_accuracy", "machine": machine, "name": name}
        figures = measured(predictor, data, given.changes)
        figures["flagged"] = {split: flagged(predictor, data)} | {
            other.stem: flagged(predictor, read_labelled_clouds(other)) for other in given.others
        }
        write_json(place, head | {"split": split, "figures": figures})
        print(f"{name}: {100 * figures['overall']:.1f} %", flush=True)
    standing = {
        place.stem: json.loads(place.read_text())
        for place in sorted(given.folder.glob(f"{split}-*.json"))
    }
    if not standing:
        return
    models = grouped_by_model(standing)
    print_table(["model", "OA", "mAcc", "spread of seeds", "seeds"], accuracy_rows(models))
    print_table(["difference", "points", "95 %", "seeds"], difference_rows(models, data.labels))
    print_table(*change_rows(models))
    print_table(*flagged_rows(models))
    if given.json:
        write_json(given.json, {"benchmark": "cloud_accuracy", "cells": standing})


if __name__ == "__main__":
    main()
