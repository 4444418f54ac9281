"""AlphaTracker's .json: a list of pictures, in each a box `Face` and then its points, animal by
animal; points have no names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from data.errors import UserError
from data.keypoints import Keypoints2D, frame_numbers
from data.keypoints_coco import load_json


def read(path: Path) -> list[Keypoints2D] | None:
    """The animals of a file, by their place in each picture; None for other JSON."""
    content = load_json(path)
    if not isinstance(content, list) or not content:
        return None
    if not all(isinstance(x, dict) and isinstance(x.get("annotations"), list) for x in content):
        return None
    try:
        pictures = [_animals(picture["annotations"]) for picture in content]
        numbers = frame_numbers([str(picture["filename"]) for picture in content])
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: expected AlphaTracker's boxes and points, found one without {error!s:.80}"
        ) from None
    counts = {len(points) for animals in pictures for points in animals}
    if len(counts) != 1 or 0 in counts:
        raise UserError(
            f"{path}: expected as many points for each animal, found {sorted(counts)[:5]}"
        )
    names = tuple(f"point {k + 1}" for k in range(counts.pop()))
    found = []
    for animal in range(max(len(animals) for animals in pictures)):
        rows = [k for k, animals in enumerate(pictures) if animal < len(animals)]
        xy = np.array([pictures[k][animal] for k in rows], np.float64)
        order = np.argsort(numbers[rows], kind="stable")
        found.append(
            Keypoints2D(
                xy[order],
                np.ones(xy.shape[:2]),
                names,
                frames=numbers[rows][order],
                individual=f"animal {animal + 1}",
            )
        )
    return found


def _animals(annotations: list[dict[str, Any]]) -> list[list[tuple[float, float]]]:
    animals: list[list[tuple[float, float]]] = []
    for part in annotations:
        if part["class"] != "point":
            animals.append([])
        elif animals:
            animals[-1].append((float(part["x"]), float(part["y"])))
    return animals
