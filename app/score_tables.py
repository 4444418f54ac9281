"""A score in a terminal: both accuracies, a table of classes, the confusion matrix or its worst."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from app.scoring import Score

_MOST_COLUMNS = 12
_MISTAKES = 10


def print_score(console: Console, score: Score) -> None:
    """All of it; of many classes the most frequent mistakes in place of the matrix."""
    clouds = int(score.confusion.sum())
    console.print(
        f"accuracy {100 * score.accuracy:.1f} % of {clouds:,} clouds,"
        f" {100 * score.mean_class:.1f} % mean of {len(score.classes)} classes"
    )
    table = Table("class", box=None)
    for name in ("clouds", "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for one in score.classes:
        precision = "-" if one.precision is None else f"{100 * one.precision:.1f} %"
        shares = precision, f"{100 * one.recall:.1f} %", f"{100 * one.f1:.1f} %"
        table.add_row(one.name, f"{one.clouds:,}", *shares)
    console.print(table)
    if len(score.labels) <= _MOST_COLUMNS:
        console.print(_matrix(score))
    else:
        for truth, said, count in score.mistakes(_MISTAKES):
            console.print(f"{truth} taken for {said}: {count:,}")


def _matrix(score: Score) -> Table:
    table = Table("class, said to be", box=None)
    for name in score.labels:
        table.add_column(name, justify="right")
    for name, row in zip(score.labels, score.confusion.tolist(), strict=True):
        table.add_row(name, *(f"{count:,}" if count else "." for count in row))
    return table
