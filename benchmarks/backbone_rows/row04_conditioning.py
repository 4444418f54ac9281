"""Conditioned tokens (2505.12789): the formula on real tokens, the conditioning of the first
attention, and accuracy at strengths 0.1 and 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from backbones.conditioning import condition
from backbones.config import BackboneConfig
from backbones.spectra import attention_kappa, kappa
from benchmarks.backbone_cells import (
    HOLDS,
    NOT_SHOWN,
    OPEN,
    SEEDS,
    Cell,
    Claim,
    Found,
    judge,
    over_seeds,
    told,
)
from benchmarks.backbone_data import point_tokens
from benchmarks.backbone_tasks import PointClassifier

ARXIV = "2505.12789"
DATA = "ModelNet40, 40 classes"
STRENGTHS = (0.1, 0.5, 1.0)
WEAK, FULL = {"conditioning": 0.1}, {"conditioning": 1.0}


def conditioned_task(cell: Cell, shared: Path) -> dict[str, Any]:
    """Condition numbers of real tokens and of the first attention before and after."""
    torch.manual_seed(cell.seed)
    _, test = point_tokens(shared)
    some = test.take(torch.arange(0, len(test), len(test) // 64)[:64])
    model = PointClassifier(BackboneConfig(depth=1))
    with torch.no_grad():
        tokens = model.tokens(some.groups, some.centres)
    before, errors = kappa(tokens), []
    for strength in STRENGTHS:
        expected = (1 + strength) / (strength + 1 / before)
        errors.append(float((kappa(condition(tokens, strength)) / expected - 1).abs().max()))
    plain = attention_kappa(model.encoder, tokens)[0]
    after = attention_kappa(model.encoder, condition(tokens, 1.0))[0]
    return {"error": max(errors), "kappa_tokens": float(before.median()), "fall": plain / after}


TASKS = {"conditioned": conditioned_task}


def cells() -> list[Cell]:
    return [*over_seeds("conditioned", {}), *over_seeds("points", {}, WEAK, FULL)]


def claims(found: Found) -> list[Claim]:
    error, fall = found.values("error", "conditioned"), found.values("fall", "conditioned")
    exact = OPEN if len(error) < len(SEEDS) else HOLDS if error.max() <= 0.01 else NOT_SHOWN
    weak = np.subtract(*reversed(found.pair("accuracy", "points", {}, WEAK)))
    full = np.subtract(*reversed(found.pair("accuracy", "points", {}, FULL)))
    return [
        Claim(
            ARXIV,
            "kappa(X + tC) is (1 + t) / (t + 1 / kappa(X)) to 1 %",
            "at most 2 at t = 1",
            f"largest error {told(100 * error, '.2f', ' %')}; kappa(X) = "
            f"{told(found.values('kappa_tokens', 'conditioned'), '.0f')}, {DATA}, t = 0.1, 0.5, 1",
            exact,
        ),
        Claim(
            ARXIV,
            "the first attention is conditioned at least 1000 times better at t = 1",
            "1e3 -> 1e1 over training",
            f"log10 of the fall {told(np.log10(fall), '.2f')}; {DATA}, at the start",
            judge(np.log10(fall), 3.0),
        ),
        Claim(
            ARXIV,
            "accuracy at t = 0.1 falls by no more than 1 point",
            "not tried there",
            f"{told(weak, '+.1f', ' points')}; {DATA}",
            judge(weak, -1.0),
        ),
        Claim(
            ARXIV,
            "accuracy rises at t = 1, the paper's form",
            "ImageNet ViT-B 80.3 -> 81.3",
            f"{told(full, '+.1f', ' points')}; {DATA}",
            judge(full),
        ),
    ]
