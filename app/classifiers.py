"""What the commands that train classifiers share: threads, data, words for scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from data.labelled_clouds import LabelledClouds
    from pointcloud.prediction import Accuracy

_MOST_ROWS = 40


def set_threads(threads: int | None) -> None:
    """Of torch; all cores if not given."""
    import os

    import torch

    if threads is not None and threads < 1:
        raise UserError(f"--threads: expected 1 or more, found {threads}")
    torch.set_num_threads(threads or os.cpu_count() or 1)


def new_file(path: Path, option: str) -> Path:
    """`path` if a file may be written there; UserError where one stands or its folder is not."""
    if path.exists():
        raise UserError(f"{option} {path}: expected a new file, found one; name another or move it")
    if not path.parent.is_dir():
        raise UserError(f"{option} {path}: expected its folder to exist, found none; make it first")
    return path


def say_data(console: Console, train: LabelledClouds, held_out: LabelledClouds) -> None:
    """What is trained on and what is held out."""
    console.print(
        f"{len(train):,} clouds of {len(train.classes)} classes to train on,"
        f" {len(held_out):,} held out"
    )
    if train.refused:
        more = "" if len(train.refused) == 1 else f", and {len(train.refused) - 1:,} more"
        console.print(f"left out: {train.refused[0]}{more}")


def percent(found: Accuracy) -> str:
    """Both accuracies in a line."""
    return f"{100 * found.overall:.1f} % of clouds, {100 * found.mean_class:.1f} % mean of classes"


def print_classes(console: Console, columns: dict[str, Accuracy]) -> None:
    """Accuracy of each class in each column, the mean of classes last; nothing for many classes."""
    from rich.table import Table

    names = list(next(iter(columns.values())).by_class)
    if len(names) > _MOST_ROWS:
        return
    table = Table("class", box=None)
    for title in columns:
        table.add_column(title, justify="right")
    for name in names:
        table.add_row(name, *(f"{100 * found.by_class[name]:.0f} %" for found in columns.values()))
    console.print(table)
