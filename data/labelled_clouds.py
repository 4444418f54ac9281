"""Point clouds with classes: a folder of one sub-folder a class, or an .npz of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int64

from data.errors import UserError
from data.labelled_folders import labelled_folders
from data.npz import read_arrays
from data.thinned_clouds import thinned_clouds

_SPLIT_SEED = 8995
"""Of what is held out: fixed, so that every command holds the same clouds out of the same data."""
_WHOLE = 32767.0
"""int16 coordinates are in units of 1 / this."""


@dataclass(frozen=True, eq=False)
class LabelledClouds:
    """Clouds of any numbers of points, each of one class."""

    clouds: Sequence[Float[np.ndarray, "n 3"]]
    labels: Int64[np.ndarray, "count"]
    classes: tuple[str, ...]
    groups: Int64[np.ndarray, "count"]
    """Clouds of one group are near-copies of each other and stay on one side of a split."""
    refused: tuple[str, ...] = ()
    """Why files were left out, a line each."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> LabelledClouds:
        """The clouds at `rows`, indices or a mask."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        clouds = [self.clouds[row] for row in rows]
        return replace(self, clouds=clouds, labels=self.labels[rows], groups=self.groups[rows])

    def relabelled(self, classes: tuple[str, ...]) -> LabelledClouds:
        """The same clouds with labels among `classes`; ValueError where one is not among them."""
        places = np.array([classes.index(name) for name in self.classes], np.int64)
        return replace(self, labels=places[self.labels], classes=classes)

    def split(self, share: float = 0.2) -> tuple[LabelledClouds, LabelledClouds]:
        """(To train on, held out): `share` of each class, whole groups, the same every time.

        UserError for a class with fewer than two groups.
        """
        generator = np.random.default_rng(_SPLIT_SEED)
        held = np.zeros(len(self), bool)
        for label, name in enumerate(self.classes):
            rows = np.flatnonzero(self.labels == label)
            groups = generator.permutation(np.unique(self.groups[rows]))
            if len(groups) == 0:
                continue
            if len(groups) == 1:
                raise UserError(
                    f"class {name}: expected 2 or more clouds that are no copies of each other, so"
                    f" that one can be held out, found {len(rows)}"
                )
            count = min(max(1, round(share * len(groups))), len(groups) - 1)
            held[rows[np.isin(self.groups[rows], groups[:count])]] = True
        return self.take(~held), self.take(held)


def read_labelled_clouds(
    path: str | Path, rows: Literal["train", "test"] = "train"
) -> LabelledClouds:
    """The clouds of a folder (see `labelled_folders`) or an .npz archive.

    Clouds of a folder are thinned and kept in the user's cache; files that cannot be read are left
    out and counted in `refused`.

    The archive holds `points`, (count, n, 3), or (all points, 3) cut by `offsets`; int16 means
    1 / 32767; `label` and `classes`; and, if it likes, `is_test` and `dup_group`. Rows marked as
    test are left out: only a benchmark asks for them, with `rows="test"`.
    """
    path = Path(path)
    if path.is_dir():
        found = _from_folder(path, rows)
    elif path.is_file() and path.suffix.lower() == ".npz":
        found = _from_npz(path, rows)
    else:
        raise UserError(
            f"{path}: expected a folder with a sub-folder of clouds for each class, or an .npz,"
            f" found {'another file' if path.exists() else 'nothing there'}"
        )
    if len(np.unique(found.labels)) < 2:
        raise UserError(f"{path}: expected clouds of 2 or more classes, found fewer")
    return found


def _from_folder(path: Path, rows: Literal["train", "test"]) -> LabelledClouds:
    by_class = labelled_folders(path, rows)
    classes = tuple(by_class)
    files = [(label, file) for label, name in enumerate(classes) for file in by_class[name]]
    clouds, labels = [], []
    refused: dict[int, list[str]] = {}
    found = thinned_clouds([file for _, file in files])
    for (label, _), cloud in zip(files, found, strict=True):
        if isinstance(cloud, UserError):
            refused.setdefault(label, []).append(str(cloud))
            continue
        clouds.append(cloud)
        labels.append(label)
    for label in refused.keys() - set(labels):
        raise UserError(
            f"{path}: expected point-cloud files of the class {classes[label]}, found none that can"
            f" be read, the first: {refused[label][0]}"
        )
    groups, reasons = np.arange(len(labels)), tuple(chain.from_iterable(refused.values()))
    return LabelledClouds(clouds, np.array(labels, np.int64), classes, groups, reasons)


def _from_npz(path: Path, rows: Literal["train", "test"]) -> LabelledClouds:
    arrays = read_arrays(path)
    missing = [name for name in ("points", "label", "classes") if name not in arrays]
    if missing:
        raise UserError(
            f"{path}: expected arrays points, label and classes, found no {', '.join(missing)}"
        )
    labels, classes = arrays["label"], tuple(map(str, arrays["classes"].ravel()))
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
        raise UserError(
            f"{path}: expected whole numbers `label` of shape (count,), found {labels.dtype} of"
            f" shape {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= len(classes):
        raise UserError(
            f"{path}: expected labels 0 to {len(classes) - 1}, found {labels.min()} to"
            f" {labels.max()}"
        )
    groups = arrays.get("dup_group", np.arange(len(labels)))
    is_test = _mask(arrays.get("is_test"), len(labels), path)
    if groups.shape != labels.shape:
        raise UserError(f"{path}: expected {len(labels)} dup_group, found shape {groups.shape}")
    clouds = _clouds(arrays["points"], arrays.get("offsets"), len(labels), path)
    whole = LabelledClouds(clouds, labels.astype(np.int64), classes, groups.astype(np.int64))
    return whole.take(is_test if rows == "test" else ~is_test)


def _mask(is_test: np.ndarray | None, count: int, path: Path) -> Bool[np.ndarray, "count"]:
    if is_test is None:
        return np.zeros(count, bool)
    if is_test.shape != (count,) or is_test.dtype != bool:
        raise UserError(f"{path}: expected {count} true or false in is_test, found others")
    return is_test


def _clouds(
    points: np.ndarray, offsets: np.ndarray | None, count: int, path: Path
) -> Sequence[Float[np.ndarray, "n 3"]]:
    ragged = offsets is not None
    shape = "(all points, 3)" if ragged else f"({count}, n, 3)"
    if points.ndim != 3 - ragged or points.shape[-1:] != (3,) or points.dtype.kind not in "iuf":
        raise UserError(
            f"{path}: expected points of shape {shape}, found {points.dtype} of {points.shape}"
        )
    if points.dtype == np.int16:
        points = points / np.float32(_WHOLE)
    if not np.isfinite(points).all():
        raise UserError(f"{path}: expected finite points, found some that are not")
    if offsets is None:
        if len(points) != count or not points.shape[1]:
            raise UserError(f"{path}: expected points of shape {shape}, found {points.shape}")
        return list(points)
    fits = offsets.shape == (count + 1,) and offsets.dtype.kind in "iu"
    if not fits or (np.diff(offsets) < 1).any() or (offsets[0], offsets[-1]) != (0, len(points)):
        raise UserError(
            f"{path}: expected {count + 1} rising offsets from 0 to {len(points)}, found others"
        )
    return np.split(points, offsets[1:-1])
