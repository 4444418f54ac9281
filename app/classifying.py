"""Files in, answers out: read ahead, thinned, turned upright, predicted in batches.

A file that cannot be read becomes a `Refusal`; the rest is done.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Float32

from app.classify_options import ClassifyOptions
from app.predictors import CloudClassifier, FamiliarClassifier, points_seen
from app.thinning import draws_of
from app.up_axes import TURNS, turned, voted
from data.clouds import read_cloud
from data.errors import UserError

TOP = 5
_FILES_AT_A_TIME = 16
_READERS = 2
_T = TypeVar("_T")


@dataclass(frozen=True)
class Answer:
    """What a predictor says of a file."""

    file: str
    top: tuple[tuple[str, float], ...]
    """The five most probable classes, the first is the answer."""
    points: int
    """In the file, or drawn from a mesh's surface."""
    draws: int
    """Parts of the cloud that were looked at."""
    agreeing: int
    """Parts that, alone, give the same answer."""
    spread: float
    """Standard deviation of the answer's probability between parts; 0 for one part."""
    up: str
    unlike: bool | None
    """Whether the cloud is unlike the training data; None where the model does not know."""

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.top[0][0]


@dataclass(frozen=True)
class Refusal:
    """A file that could not be read, and why."""

    file: str
    reason: str


@dataclass(frozen=True, eq=False)
class _Thinned:
    file: str
    points: int
    draws: list[Float32[np.ndarray, "_ 3"]]


def classified(
    predictor: CloudClassifier, paths: Sequence[Path], options: ClassifyOptions
) -> Iterator[Answer | Refusal]:
    """An answer for each path, in their order."""
    seen = points_seen(predictor)
    for group in _grouped(_read_ahead(paths, seen, options.draws), _FILES_AT_A_TIME):
        clouds = [one for one in group if isinstance(one, _Thinned)]
        answers = iter(_answers(predictor, clouds, options))
        for one in group:
            yield one if isinstance(one, Refusal) else next(answers)


def _read_ahead(paths: Sequence[Path], seen: int, draws: int) -> Iterator[_Thinned | Refusal]:
    """Files in their order, the next ones read meanwhile; whole clouds are let go of at once."""
    with ThreadPoolExecutor(_READERS) as pool:
        waiting = iter(paths)
        window = [pool.submit(_thinned, p, seen, draws) for p in _first(waiting, _FILES_AT_A_TIME)]
        try:
            while window:
                yield window.pop(0).result()
                window += [pool.submit(_thinned, p, seen, draws) for p in _first(waiting, 1)]
        finally:
            for future in window:
                future.cancel()


def _thinned(path: Path, seen: int, draws: int) -> _Thinned | Refusal:
    try:
        xyz = read_cloud(path).xyz
        return _Thinned(str(path), len(xyz), draws_of(xyz, seen, draws, path))
    except UserError as error:
        return Refusal(str(path), str(error))
    except (OSError, MemoryError) as error:
        return Refusal(str(path), f"{path}: expected a readable file, found: {error}")


def _answers(
    predictor: CloudClassifier, clouds: list[_Thinned], options: ClassifyOptions
) -> list[Answer]:
    if not clouds:
        return []
    ups: list[str] = [options.up] * len(clouds)
    if options.up == "auto":
        looked_at = [turned(cloud.draws[0], up) for cloud in clouds for up in TURNS]
        given = predictor.predict(looked_at).reshape(len(clouds), len(TURNS), -1)
        ups = [voted(of_cloud) for of_cloud in given]
    upright = [
        [turned(draw, up) for draw in cloud.draws] for cloud, up in zip(clouds, ups, strict=True)
    ]
    unlike: Sequence[bool | None] = [None] * len(clouds)
    if isinstance(predictor, FamiliarClassifier):
        unlike = predictor.unlike([draws[0] for draws in upright]).tolist()
    given = predictor.predict(list(itertools.chain.from_iterable(upright)))
    answers, place = [], 0
    for cloud, up, strange in zip(clouds, ups, unlike, strict=True):
        of_cloud = given[place : place + len(cloud.draws)]
        place += len(cloud.draws)
        answers.append(_answer(predictor.labels, cloud, of_cloud, up, strange))
    return answers


def _answer(
    labels: tuple[str, ...],
    cloud: _Thinned,
    given: Float[np.ndarray, "draws classes"],
    up: str,
    unlike: bool | None,
) -> Answer:
    mean = given.mean(0)
    best = np.argsort(-mean, kind="stable")[:TOP]
    return Answer(
        cloud.file,
        tuple((labels[k], float(mean[k])) for k in best),
        cloud.points,
        len(given),
        int((given.argmax(1) == best[0]).sum()),
        float(given[:, best[0]].std()),
        up,
        unlike,
    )


def _first(items: Iterator[_T], count: int) -> list[_T]:
    return list(itertools.islice(items, count))


def _grouped(items: Iterable[_T], count: int) -> Iterator[list[_T]]:
    source = iter(items)
    while group := _first(source, count):
        yield group
