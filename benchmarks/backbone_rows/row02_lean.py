"""More heads, less depth (2505.20802): conditioning of the heads, and half the depth with the same
heads as a control."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from backbones.config import BackboneConfig
from backbones.spectra import attention_kappa
from benchmarks.backbone_cells import Cell, Claim, Found, judge, over_seeds, together, told
from benchmarks.backbone_data import point_tokens
from benchmarks.backbone_tasks import PointClassifier

ARXIV = "2505.20802"
DATA = "ModelNet40 tokens, N = 32"
DEEP = {"depth": 6, "heads": 2, "head_dim": 32}
LEAN = {**DEEP, "lean": True, "tokens": 32}
CONTROL = {"depth": 3, "heads": 2, "head_dim": 32}
HEADS = (1, 2, 4, 8, 16)


def heads_task(cell: Cell, shared: Path) -> dict[str, Any]:
    """Condition number of the first block's heads on real tokens, by heads of 32 at the start."""
    torch.manual_seed(cell.seed)
    _, test = point_tokens(shared)
    some = test.take(torch.arange(0, len(test), len(test) // 64)[:64])
    found = {}
    for heads in HEADS:
        config = BackboneConfig(depth=1, heads=heads, head_dim=32)
        model = PointClassifier(config)
        with torch.no_grad():
            tokens = model.tokens(some.groups, some.centres)
        found[f"kappa_{heads}"] = attention_kappa(model.encoder, tokens)[0]
    return found


TASKS = {"heads": heads_task}


def cells() -> list[Cell]:
    return [*over_seeds("heads", {}), *over_seeds("points", DEEP, LEAN, CONTROL)]


def claims(found: Found) -> list[Claim]:
    two, eight = found.values("kappa_2", "heads"), found.values("kappa_8", "heads")
    fall = np.log10(two / eight)
    deep, lean = found.pair("accuracy", "points", DEEP, LEAN)
    control, with_heads = found.pair("accuracy", "points", CONTROL, LEAN)
    parameters = [found.values("parameters", "points", **shape) for shape in (DEEP, LEAN)]
    sizes = [f"{x.mean() / 1e3:.0f}k" if len(x) else "-" for x in parameters]
    half = judge(lean - deep, -1.0)
    heads = judge(with_heads - control)
    return [
        Claim(
            ARXIV,
            "8 heads are conditioned at least 10 times better than 2 where h d_h > N",
            "kappa -> 1 with h (theorem 3.2)",
            f"log10 of the fall {told(fall, '.2f')}; {DATA}, d_h = 32, at the start",
            judge(fall, 1.0),
        ),
        Claim(
            ARXIV,
            "half the depth with twice the heads loses no accuracy (at most 1 point)",
            "XCiT-M 24L/8h 81.4 -> 12L/16h 81.7, 84 -> 59M",
            f"{told(lean - deep, '+.1f', ' points')}; {sizes[0]} -> {sizes[1]} parameters, {DATA}",
            half,
        ),
        Claim(
            ARXIV,
            "and it is the heads that do it: better than the same depth with few heads",
            "not separated there",
            f"{told(with_heads - control, '+.1f', ' points')}; 3L/4h against 3L/2h, {DATA}",
            together(heads),
        ),
    ]
