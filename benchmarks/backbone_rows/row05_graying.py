"""Token graying (2505.01996): the exact law of the SVD form, the fall of kappa with the DCT form,
and the loss after four epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from backbones.config import BackboneConfig
from backbones.graying import gray_dct, gray_svd
from backbones.spectra import kappa
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

ARXIV = "2505.01996"
DATA = "ModelNet40, 40 classes"
POWERS = (0.95, 0.9, 0.7, 0.5)
VARIANTS = {
    "SVD, 0.7": {"graying": "svd"},
    "DCT, 0.95": {"graying": "dct"},
    "DCT, 0.7": {"graying": "dct", "graying_power": 0.7},
}
PAPER = {"SVD, 0.7": "ViT-B 81.0 -> 81.4", "DCT, 0.95": "ViT-B 81.0 -> 81.3", "DCT, 0.7": "-"}


def grayed_task(cell: Cell, shared: Path) -> dict[str, Any]:
    """Condition numbers of real tokens, grayed by both forms."""
    torch.manual_seed(cell.seed)
    _, test = point_tokens(shared)
    some = test.take(torch.arange(0, len(test), len(test) // 64)[:64])
    model = PointClassifier(BackboneConfig(depth=1))
    with torch.no_grad():
        tokens = model.tokens(some.groups, some.centres)
    before = kappa(tokens)
    ratios = [kappa(gray_svd(tokens, power)).log() / before.log() - power for power in POWERS]
    falls = [float(kappa(gray_dct(tokens, power)).median()) for power in (1.0, *POWERS)]
    return {"svd_error": float(torch.stack(ratios).abs().max()), "dct_kappas": falls}


TASKS = {"grayed": grayed_task}


def cells() -> list[Cell]:
    return [*over_seeds("grayed", {}), *over_seeds("points", {}, *VARIANTS.values())]


def claims(found: Found) -> list[Claim]:
    error = found.values("svd_error", "grayed")
    curves = found.values("dct_kappas", "grayed").reshape(-1, 1 + len(POWERS))
    measured = len(error) == len(SEEDS)
    exact = measured and bool(error.max() <= 1e-3)
    falling = measured and bool((np.diff(curves, axis=1) < 0).all())
    kappas = " -> ".join(f"{k:.0f}" for k in curves.mean(0)) if measured else OPEN
    rows = [
        Claim(
            ARXIV,
            "SVD graying multiplies ln kappa by eps to 1e-3",
            "6.72 -> 6.15 at 0.7",
            f"largest error {told(error, '.0e')}; {DATA}, eps = 0.95 to 0.5",
            OPEN if not measured else HOLDS if exact else NOT_SHOWN,
        ),
        Claim(
            ARXIV,
            "kappa falls with eps in the DCT form",
            "not told",
            f"{kappas} at eps 1, 0.95, 0.9, 0.7, 0.5, n = {len(error)}, each falling; {DATA}",
            OPEN if not measured else HOLDS if falling else NOT_SHOWN,
        ),
    ]
    for name, options in VARIANTS.items():
        plain, grayed = found.pair("loss_epoch_4", "points", {}, options)
        before, after = found.pair("accuracy", "points", {}, options)
        rows.append(
            Claim(
                ARXIV,
                f"the loss after 4 epochs is lower ({name})",
                f"accuracy: {PAPER[name]}",
                f"lower by {told(plain - grayed, '+.3f')}; accuracy "
                f"{told(after - before, '+.1f', ' points')}; {DATA}",
                judge(plain - grayed),
            )
        )
    return rows
