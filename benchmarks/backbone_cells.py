"""What the experiments on backbones are made of: cells that are measured once, and claims that are
judged from them.

A module in `benchmarks/backbone_rows/` adds its part by three names: `cells()`, the measurements it
needs; `claims(found)`, what follows from those that stand; and, for measurements of a new kind,
`TASKS`, from a task's name to the function that takes a cell. Cells of the same content in several
modules are measured once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

SEEDS = (0, 1, 2)
HOLDS, IN_PART, NOT_SHOWN = "holds", "holds in part", "does not show"
OPEN = "not measured yet"


@dataclass(frozen=True)
class Cell:
    """One measurement: a task, what it changes, a seed."""

    task: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of BackboneConfig, and the task's own."""
    seed: int = 0

    @property
    def name(self) -> str:
        """Stem of its file."""
        words = [f"{k}={v}" for k, v in sorted(self.options.items())]
        text = "-".join([self.task, *words, f"seed{self.seed}"])
        return "".join(c if c.isalnum() or c in "-=._" else "_" for c in text)


@dataclass(frozen=True)
class Claim:
    """A row of the table."""

    arxiv: str
    claim: str
    paper: str
    ours: str
    verdict: str

    def markdown(self) -> str:
        return f"| {self.arxiv} | {self.claim} | {self.paper} | {self.ours} | {self.verdict} |"


class Found:
    """What stands, by cell."""

    def __init__(self, results: Mapping[str, dict[str, Any]]) -> None:
        self._results = results

    def values(self, key: str, task: str, **options: Any) -> np.ndarray:
        """`key` of the cells of all seeds; fewer numbers while some are missing."""
        cells = [Cell(task, options, seed).name for seed in SEEDS]
        return np.array([self._results[c][key] for c in cells if c in self._results], float)

    def pair(
        self, key: str, task: str, first: Mapping[str, Any], second: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """`key` of two options, at the seeds that both have."""
        both = []
        for seed in SEEDS:
            names = [Cell(task, options, seed).name for options in (first, second)]
            if all(name in self._results for name in names):
                both.append([self._results[name][key] for name in names])
        pairs = np.array(both, float).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]


def over_seeds(task: str, *variants: Mapping[str, Any]) -> list[Cell]:
    """A cell for each seed and variant."""
    return [Cell(task, variant, seed) for seed in SEEDS for variant in variants]


def interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the mean (Student's t); all of the line for fewer than two values."""
    from scipy import stats

    x = np.asarray(values, float)
    if len(x) < 2:
        return -np.inf, np.inf
    half = float(stats.t.ppf(0.975, len(x) - 1)) * float(x.std(ddof=1)) / sqrt(len(x))
    return float(x.mean()) - half, float(x.mean()) + half


def judge(effect: Sequence[float] | np.ndarray, claimed: float = 0.0) -> str:
    """Verdict on an effect that should exceed `claimed`.

    It holds when the interval lies above; in part when it lies above zero but not above what is
    claimed. A negative `claimed` is a loss that is still allowed, which the interval must exclude.
    """
    if len(effect) < len(SEEDS):
        return OPEN
    low, _ = interval(effect)
    if low > claimed:
        return HOLDS
    return IN_PART if low > 0 else NOT_SHOWN


def together(*verdicts: str) -> str:
    """Verdict on a claim of several parts."""
    if OPEN in verdicts:
        return OPEN
    if all(verdict == HOLDS for verdict in verdicts):
        return HOLDS
    return NOT_SHOWN if all(verdict == NOT_SHOWN for verdict in verdicts) else IN_PART


def told(values: Sequence[float] | np.ndarray, form: str = ".1f", unit: str = "") -> str:
    """`mean ± sd (n)`, and the 95 % interval where there is one."""
    x = np.asarray(values, float)
    if not len(x):
        return OPEN
    spread = x.std(ddof=1) if len(x) > 1 else 0.0
    text = f"{x.mean():{form}} ± {spread:{form.lstrip('+')}}{unit}, n = {len(x)}"
    if len(x) > 1:
        low, high = interval(x)
        text += f", 95 % interval {low:{form}} to {high:{form}}"
    return text


Task = Callable[[Cell, Path], dict[str, Any]]
"""Takes a cell and the folder of shared data; returns what is written to the cell's file."""
