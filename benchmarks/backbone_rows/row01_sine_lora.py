"""Sine-LoRA and quantised adapters (2505.21895): a classifier of upright clouds adapted to clouds
that lie on their side, which is what a file with y up looks like to it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from backbones.adapters import AdapterConfig, adapters_of, attach, low_rank_parts
from backbones.quantised_adapters import quantise_adapters
from backbones.spectra import stable_rank
from benchmarks.backbone_bases import base, drawn, loss, parts
from benchmarks.backbone_cells import (
    IN_PART,
    NOT_SHOWN,
    OPEN,
    Cell,
    Claim,
    Found,
    judge,
    over_seeds,
    together,
    told,
)
from benchmarks.backbone_data import Points
from benchmarks.backbone_tasks import PointClassifier, accuracy

ARXIV = "2505.21895"
DATA = "ModelNet40, z up to y up, 960 clouds"
LYING = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
STEPS = 300
OMEGA = 100.0
RATES = {"lora": 1e-2, "sine-lora": 3e-3}
"""Best of 1e-3, 3e-3, 1e-2 and 3e-2 on held-out training clouds, at rank 4."""
RANKS = (1, 2, 4, 8)
BITS = (1, 2, 3, 4, 5, 8)


def adapt_task(cell: Cell, shared: Path) -> dict[str, Any]:
    """Adapt; accuracy in full precision and at each number of bits, stable rank of the deltas."""
    train, _, test = (_lying(part) for part in parts(shared))
    few = train.take(torch.arange(0, len(train), 2))
    kind, rank = str(cell.options["kind"]), int(cell.options["rank"])
    model = base(shared, cell.seed)
    before = accuracy(model, test)
    config = AdapterConfig(kind, rank, 2.0 * rank, OMEGA)  # type: ignore[arg-type]
    attach(model, config, torch.Generator().manual_seed(cell.seed))
    _train(model, few, RATES[kind], cell.seed)
    adapters = low_rank_parts(adapters_of(model))
    found: dict[str, Any] = {"before": before, "accuracy": accuracy(model, test)}
    found["stable_rank"] = float(np.median([_rank(part.delta()) for part in adapters.values()]))
    phases = [OMEGA * float(part.product().detach().std()) for part in adapters.values()]
    found["phase_rad"] = float(np.median(phases))
    whole = {name: value.clone() for name, value in model.state_dict().items()}
    for method in ("kmeans", "uniform"):
        for bits in BITS:
            model.load_state_dict(whole)
            quantise_adapters(adapters_of(model), bits, method)
            found[f"{method}_{bits}"] = accuracy(model, test)
            found[f"{method}_{bits}_lost"] = found["accuracy"] - found[f"{method}_{bits}"]
    return found


def _lying(clouds: Points) -> Points:
    return Points(clouds.groups @ LYING.T, clouds.centres @ LYING.T, clouds.labels)


def _train(model: PointClassifier, clouds: Points, rate: float, seed: int) -> None:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, STEPS, pct_start=0.1)
    for step in range(STEPS):
        optimiser.zero_grad()
        loss(model, drawn(clouds, step, seed)).backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()


def _rank(delta: torch.Tensor) -> float:
    return float(stable_rank(delta))


TASKS = {"adapt": adapt_task}
SINE, LINEAR = (functools.partial(dict, kind=kind) for kind in ("sine-lora", "lora"))


def cells() -> list[Cell]:
    return over_seeds("adapt", *(kind(rank=rank) for rank in RANKS for kind in (LINEAR, SINE)))


def claims(found: Found) -> list[Claim]:
    def pair(key: str, rank: int) -> tuple[np.ndarray, np.ndarray]:
        return found.pair(key, "adapt", LINEAR(rank=rank), SINE(rank=rank))

    linear, sine = pair("stable_rank", 4)
    ratio = sine / linear
    lost = found.values("kmeans_4_lost", "adapt", **SINE(rank=4))
    gains, verdicts = [], []
    for rank in RANKS[1:]:
        for name, key in (("full precision", "accuracy"), ("4 bits", "kmeans_4")):
            plain, bent = pair(key, rank)
            gains.append(f"rank {rank}, {name} {told(bent - plain, '+.1f', ' points')}")
            verdicts.append(judge(bent - plain))
    low = {bits: pair(f"kmeans_{bits}", 4) for bits in (2, 3)}
    coarse = [bent - plain for plain, bent in low.values()]
    even = [
        found.pair(f"{method}_2", "adapt", SINE(rank=4), SINE(rank=4))[0]
        for method in ("kmeans", "uniform")
    ]
    before = found.values("before", "adapt", **SINE(rank=4))
    plain, bent = pair("accuracy", 4)
    return [
        Claim(
            ARXIV,
            "the sine raises the stable rank of trained deltas at rank 4 by 1.3 or more",
            "rank beyond r by theorem",
            f"{told(ratio, '.2f')} times, from {told(linear, '.2f')}; {DATA}",
            judge(ratio - 1.0, 0.3),
        ),
        Claim(
            ARXIV,
            "four bits by k-means cost at most 2 points",
            "2 to 5 bits usable",
            f"{told(lost, '+.1f', ' points')} lost; {DATA}",
            judge(-lost, -2.0),
        ),
        Claim(
            ARXIV,
            "sine-LoRA beats LoRA of the same size from rank 2 on, in full precision and 4 bits",
            "LLaMA-3-8B, rank 8: 80.8 -> 83.7",
            f"{'; '.join(gains)}; at rank 4 from {told(before, '.1f', ' %')} to "
            f"{told(bent, '.1f', ' %')}, LoRA {told(plain, '.1f', ' %')}; {DATA}",
            _of_many(verdicts),
        ),
        Claim(
            ARXIV,
            "it does so at 2 and 3 bits, too",
            "LLaMA-3-8B, 2 bits: 71.0 -> 73.7",
            f"rank 4: 2 bits {told(coarse[0], '+.1f', ' points')}, 3 bits "
            f"{told(coarse[1], '+.1f', ' points')}; {DATA}",
            together(*(judge(part) for part in coarse)),
        ),
        Claim(
            ARXIV,
            "k-means levels beat evenly spaced ones at 2 bits",
            "k-means chosen",
            f"{told(even[0] - even[1], '+.1f', ' points')}, rank 4; {DATA}",
            judge(even[0] - even[1]),
        ),
    ]


def _of_many(verdicts: list[str]) -> str:
    """As `together`, but nothing shown in most is not shown."""
    found = together(*verdicts)
    few = sum(verdict != NOT_SHOWN for verdict in verdicts)
    return NOT_SHOWN if found == IN_PART and OPEN not in verdicts and few < 2 else found
