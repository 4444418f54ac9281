"""Polynomial attention (2410.18613): growth of the weights' norm with the number of tokens, what
1 / sqrt(N) does to it in training, and accuracy against softmax."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from backbones.config import BackboneConfig
from benchmarks.backbone_cells import (
    HOLDS,
    IN_PART,
    NOT_SHOWN,
    OPEN,
    SEEDS,
    Cell,
    Claim,
    Found,
    interval,
    judge,
    over_seeds,
    together,
    told,
)
from benchmarks.backbone_data import NEIGHBOURS, TOKENS, point_tokens
from benchmarks.backbone_tasks import PointClassifier

ARXIV = "2410.18613"
DATA = "ModelNet40, 40 classes, N = 32"
SIZES = (32, 64, 128, 256, 512, 1024)
POLY2, POLY3 = {"attention": "poly2"}, {"attention": "poly3"}
LEARNED = {"attention": "poly2", "attention_scale": "learned"}
UNSCALED = {"attention": "poly3", "attention_scale": "none"}


def norms_task(cell: Cell, shared: Path) -> dict[str, Any]:
    """Frobenius norms of first-block weights over the number of real tokens: tokens of clouds of
    one class are put together."""
    torch.manual_seed(cell.seed)
    train, _ = point_tokens(shared)
    rows = (train.labels == cell.seed).nonzero().flatten()[: SIZES[-1] // TOKENS]
    some = train.take(rows)
    model = PointClassifier(BackboneConfig(depth=1))
    block = model.encoder.blocks[0]
    groups = some.groups.reshape(1, -1, NEIGHBOURS, 3)
    with torch.no_grad():
        tokens = model.tokens(groups, some.centres.reshape(1, -1, 3))
        tokens = tokens[:, torch.randperm(tokens.shape[1])]
        found: dict[str, list[float]] = {"softmax": [], "cubed": [], "scaled": []}
        for size in SIZES:
            normal = block.mixer_norm(tokens[:, :size])  # type: ignore[operator]
            scores = block.mixer.scores(normal).double()  # type: ignore[union-attr, operator]
            cubed = float((scores**3).norm(dim=(-2, -1)).mean())
            found["softmax"].append(float(scores.softmax(-1).norm(dim=(-2, -1)).mean()))
            found["cubed"].append(cubed)
            found["scaled"].append(cubed / size**0.5)
    return {
        f"slope_{name}": float(np.polyfit(np.log(SIZES), np.log(norms), 1)[0])
        for name, norms in found.items()
    }


TASKS = {"norms": norms_task}


def cells() -> list[Cell]:
    trained = over_seeds("points", {}, POLY2, POLY3, LEARNED, UNSCALED)
    return [*over_seeds("norms", {}), *trained]


def _slope(found: Found, name: str, middle: float) -> str:
    slopes = found.values(f"slope_{name}", "norms")
    if len(slopes) < len(SEEDS):
        return OPEN
    low, high = interval(slopes)
    if middle - 0.1 <= low and high <= middle + 0.1:
        return HOLDS
    return IN_PART if low > 0 and abs(slopes.mean() - middle) <= 0.1 else NOT_SHOWN


def claims(found: Found) -> list[Claim]:
    slopes = {n: found.values(f"slope_{n}", "norms") for n in ("softmax", "cubed", "scaled")}
    scaled, unscaled = found.pair("weights_norm", "points", POLY3, UNSCALED)
    ratio = np.log10(unscaled / scaled)
    rows = [
        Claim(
            ARXIV,
            "the norm of x^3 grows like N, with 1 / sqrt(N) like sqrt(N) (exponents to 0.1)",
            "O(N) and O(sqrt N) in expectation",
            f"x^3 {told(slopes['cubed'], '.2f')}; scaled {told(slopes['scaled'], '.2f')}; softmax "
            f"{told(slopes['softmax'], '.2f')}; ModelNet40 tokens, N = 32 to 1024, at the start",
            together(_slope(found, "cubed", 1.0), _slope(found, "scaled", 0.5)),
        ),
        Claim(
            ARXIV,
            "1 / sqrt(N) keeps the trained weights at least 5 times smaller",
            "unscaled cubes can diverge",
            f"log10 of the ratio {told(ratio, '.2f')}; {DATA}",
            judge(ratio, np.log10(5.0)),
        ),
    ]
    for name, options in (("x^2", POLY2), ("x^2, learned scale", LEARNED), ("x^3", POLY3)):
        softmax, poly = found.pair("accuracy", "points", {}, options)
        rows.append(
            Claim(
                ARXIV,
                f"accuracy on a par with softmax, at most 1 point lower ({name})",
                "ImageNet, COCO, LRA on a par",
                f"{told(poly - softmax, '+.1f', ' points')}; {DATA}",
                judge(poly - softmax, -1.0),
            )
        )
    return rows
