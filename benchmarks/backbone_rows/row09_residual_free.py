"""Residual-free transformers (2510.00345): eight blocks with skips, without, and without but with
the weights that make up for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from backbones.spectra import kappa
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
    told,
)
from benchmarks.backbone_data import point_tokens
from benchmarks.backbone_tasks import CLASSES, PointClassifier

ARXIV = "2510.00345"
DATA = "ModelNet40, 40 classes, 8 blocks"
SKIPS = {"depth": 8}
BARE = {"depth": 8, "skips": "none", "skip_free_init": False}
STARTED = {"depth": 8, "skips": "none"}
CHANCE = 100.0 / CLASSES


def start_task(cell: Cell, shared: Path) -> dict[str, Any]:
    """The start of a block: its value-output product, and attention on the diagonal."""
    generator = torch.Generator().manual_seed(cell.seed)
    encoder = Encoder(BackboneConfig(skips="none", depth=1), generator)
    mixer = encoder.blocks[0].mixer
    product = mixer.out_proj.weight @ mixer.v_proj.weight  # type: ignore[union-attr, operator]
    noise = torch.randn(4, 64, 64, generator=generator)
    _, test = point_tokens(shared)
    torch.manual_seed(cell.seed)
    some = test.take(torch.arange(64))
    with torch.no_grad():
        tokens = PointClassifier(encoder.config).tokens(some.groups, some.centres)
        tokens = encoder.blocks[0].mixer_norm(tokens)  # type: ignore[operator]
        diagonals = [
            float(mixer.scores(x).softmax(-1).diagonal(dim1=-2, dim2=-1).mean())  # type: ignore[union-attr, operator]
            for x in (noise, tokens)
        ]
    found = {"kappa": float(kappa(product)), "noise": diagonals[0], "points": diagonals[1]}
    return found


TASKS = {"start": start_task}


def cells() -> list[Cell]:
    return [*over_seeds("start", {}), *over_seeds("points", SKIPS, BARE, STARTED)]


def claims(found: Found) -> list[Claim]:
    product, diagonal = found.values("kappa", "start"), found.values("noise", "start")
    measured = len(product) == len(SEEDS)
    exact = measured and abs(product - 1).max() <= 1e-3 and interval(diagonal)[0] >= 0.5
    bare = found.values("accuracy", "points", **BARE)
    skips, started = found.pair("accuracy", "points", SKIPS, STARTED)
    _, better = found.pair("accuracy", "points", BARE, STARTED)
    gain = better - bare[: len(better)]
    close = judge(started - skips, -3.0)
    if close == NOT_SHOWN and judge(gain) == HOLDS:
        close = IN_PART
    at_chance = len(bare) == len(SEEDS) and interval(bare)[1] <= CHANCE + 10
    return [
        Claim(
            ARXIV,
            "at the start kappa(W_V W_O) = 1 to 1e-3 and the diagonal holds half the attention",
            "by construction",
            f"kappa - 1 {told(product - 1, '.0e')}; diagonal {told(diagonal, '.2f')} on noise, "
            f"{told(found.values('points', 'start'), '.2f')} on ModelNet40 tokens; width 64",
            OPEN if not measured else HOLDS if exact else NOT_SHOWN,
        ),
        Claim(
            ARXIV,
            f"without skips the usual start stays within 10 points of chance ({CHANCE} %)",
            "ViT-B 80.3 -> 61.4",
            f"{told(bare, '.1f', ' %')}; {DATA}",
            OPEN if len(bare) < len(SEEDS) else HOLDS if at_chance else NOT_SHOWN,
        ),
        Claim(
            ARXIV,
            "with its own start it comes within 3 points of the version with skips",
            "ViT-B 78.1 against 80.3 (AdamW)",
            f"{told(started - skips, '+.1f', ' points')}, {told(gain, '+.1f', ' points')} over the "
            f"usual start; {DATA}",
            close,
        ),
    ]
