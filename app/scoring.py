"""Answers against the names of folders: accuracy, a report of each class, who is taken for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from jaxtyping import Int64

from app.cloud_paths import CloudPath
from data.errors import UserError

SPLITS = ("train", "test", "val", "validation")
"""Folders that hold parts of a data set, not a class."""


@dataclass(frozen=True)
class ClassScore:
    """Of one class; shares from 0 to 1."""

    name: str
    clouds: int
    precision: float | None
    """Of what was said to be of the class; None where nothing was."""
    recall: float
    """Of the clouds of the class."""

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = (self.precision or 0.0) + self.recall
        return 2 * (self.precision or 0.0) * self.recall / both if both else 0.0


@dataclass(frozen=True, eq=False)
class Score:
    """How often answers are right."""

    labels: tuple[str, ...]
    confusion: Int64[np.ndarray, "classes classes"]
    """Clouds of each class (row) that were said to be of each class (column)."""

    @property
    def accuracy(self) -> float:
        """Share of clouds."""
        return float(np.trace(self.confusion) / max(self.confusion.sum(), 1))

    @property
    def mean_class(self) -> float:
        """Mean of the classes' recalls."""
        return float(np.mean([one.recall for one in self.classes]))

    @property
    def classes(self) -> list[ClassScore]:
        """Those that there are clouds of."""
        right, there, said = np.diag(self.confusion), self.confusion.sum(1), self.confusion.sum(0)
        return [
            ClassScore(
                name,
                int(there[k]),
                float(right[k] / said[k]) if said[k] else None,
                float(right[k] / there[k]),
            )
            for k, name in enumerate(self.labels)
            if there[k]
        ]

    def involved(self) -> Score:
        """Without classes that no cloud is of and none was taken for."""
        kept = np.flatnonzero(self.confusion.sum(0) + self.confusion.sum(1))
        return Score(tuple(self.labels[k] for k in kept), self.confusion[np.ix_(kept, kept)])

    def mistakes(self, most: int) -> list[tuple[str, str, int]]:
        """(Class, what it was taken for, how often), the most frequent first."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
        return [(self.labels[i], self.labels[j], int(wrong[i, j])) for i, j in pairs if wrong[i, j]]


def scored(truths: Sequence[str], said: Sequence[str], labels: tuple[str, ...]) -> Score:
    """The score of answers; ValueError for a name that is no label."""
    places = {name: k for k, name in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    for truth, answer in zip(truths, said, strict=True):
        confusion[places[truth], places[answer]] += 1
    return Score(labels, confusion)


def truths_of(paths: Sequence[CloudPath], labels: tuple[str, ...]) -> list[str]:
    """The label of each file: the folder of that name between it and the folder that was given.

    Case, blanks, hyphens and underscores do not matter. UserError for a file outside such folders.
    """
    places = {_plain(label): label for label in labels}
    return [_truth(one, places) for one in paths]


def _truth(one: CloudPath, places: dict[str, str]) -> str:
    if one.root is None:
        raise UserError(
            f"{one.path}: expected a folder of a folder for each class, for --score, found a file"
        )
    folders = one.path.relative_to(one.root).parts[:-1]
    for folder in folders:
        if _plain(folder) in places:
            return places[_plain(folder)]
    named = [folder for folder in folders if folder not in SPLITS]
    if not named:
        raise UserError(
            f"{one.path}: expected it in a folder that names its class, for --score, found it"
            f" straight in {one.root}"
        )
    near = get_close_matches(_plain(named[0]), places, n=1)
    hint = f"; did you mean {places[near[0]]}?" if near else ""
    raise UserError(
        f"{one.root}: expected folders with names among the model's {len(places)} classes, for"
        f" --score, found {named[0]}{hint}"
    )


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter not in " -_")
