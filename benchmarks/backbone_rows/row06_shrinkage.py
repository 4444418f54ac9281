"""Gradient descent as shrinkage (2504.18207): the mask, and how many components of a joint's path a
training learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backbones import shrinkage
from benchmarks.backbone_cells import (
    HOLDS,
    NOT_SHOWN,
    OPEN,
    SEEDS,
    Cell,
    Claim,
    Found,
    interval,
    over_seeds,
    told,
)
from benchmarks.backbone_data import motions

ARXIV = "2504.18207"
SAMPLES, UNITS = 64, 256
STEPS = tuple(40 * 2**k for k in range(18))
FEWEST, MOST = 2, 32
"""Learned components between which growth is told: one is none, 64 is all."""
SLOPES = {"step": (0.45, 0.55), "relu": (0.2, 0.3)}
SINC_WIDTH = 0.06


def shrinkage_task(cell: Cell, shared: Path) -> dict[str, Any]:
    """Gradient descent against the mask, on the path of one joint; knots at random."""
    rng = np.random.default_rng(cell.seed)
    windows = motions(shared, cell.seed)[0].windows.numpy()
    window, joint = rng.integers(len(windows)), rng.integers(1, windows.shape[2])
    path = windows[window, :, joint].reshape(-1)[:SAMPLES].astype(np.float64)
    y = np.resize(path - path.mean(), SAMPLES)
    x, knots = np.linspace(-1, 1, SAMPLES), np.sort(rng.uniform(-1.1, 1.1, UNITS))
    found: dict[str, Any] = {}
    errors = []
    for name in ("step", "relu", "tanh", "gaussian", "sinc"):
        basis = shrinkage.spline_basis(x, knots, name, SINC_WIDTH)
        u, s, _ = np.linalg.svd(basis, full_matrices=False)
        rate, w = 1.0 / s[0] ** 2, np.zeros(UNITS)
        for _ in range(500):
            w -= rate * basis.T @ (basis @ w - y)
        errors.append(np.abs(basis @ w - u @ (shrinkage.mask(s, rate, 500) * (u.T @ y))).max())
        active = [shrinkage.bandwidth(s, rate, steps) for steps in STEPS]
        pairs = list(zip(STEPS, active, strict=True))
        if name in SLOPES:
            pairs = [(steps, count) for steps, count in pairs if FEWEST <= count <= MOST]
        steps, counts = np.log(np.array(pairs, float)).T
        found[f"slope_{name}"] = float(np.polyfit(steps, counts, 1)[0])
        found[f"active_{name}"] = active
    return {"error": float(max(errors)), **found}


TASKS = {"shrinkage": shrinkage_task}


def cells() -> list[Cell]:
    return over_seeds("shrinkage", {})


def claims(found: Found) -> list[Claim]:
    error = found.values("error", "shrinkage")
    measured = len(error) == len(SEEDS)
    where = "paths of animals' joints, 64 samples, 256 units, knots at random"
    rows = [
        Claim(
            ARXIV,
            "gradient descent fits the share 1 - (1 - a s^2)^q of each component, to 1e-8",
            "equation",
            f"largest error {told(error, '.0e')}; five activations, {where}",
            OPEN if not measured else HOLDS if error.max() <= 1e-8 else NOT_SHOWN,
        )
    ]
    for name, (low, high) in SLOPES.items():
        slope = found.values(f"slope_{name}", "shrinkage")
        left, right = interval(slope)
        inside = low <= left and right <= high
        rows.append(
            Claim(
                ARXIV,
                f"learned components grow as steps^(1 / 2p), {name}: exponent {low} to {high}",
                "sqrt(q) for the step",
                f"{told(slope, '.3f')}; {where}",
                OPEN if not measured else HOLDS if inside else NOT_SHOWN,
            )
        )
    slope = found.values("slope_sinc", "shrinkage")
    rows.append(
        Claim(
            ARXIV,
            "with sinc the length of training sets no band: exponent below 0.05",
            "scale is the bandwidth",
            f"{told(slope, '.3f')}; {where}",
            OPEN if not measured else HOLDS if interval(slope)[1] < 0.05 else NOT_SHOWN,
        )
    )
    return rows
