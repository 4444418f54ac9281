"""COCO's .json: pictures, and animals with `keypoints` [x, y, v] for the names of their category.

A sequence is the pictures in the order of their names; an animal is followed by `track_id`, or else
by its place in its picture. Pictures of several sizes without tracks are no film. A skeleton counts
its joints from 1, but some files count from 0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import UserError
from data.keypoints import Keypoints2D, frame_numbers

_TRACK = ("track_id", "tracking_id", "instance_id")
_MOST_BYTES = 500_000_000


def load_json(path: Path) -> Any:
    """The content of a .json; UserError for a broken one."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES:,} bytes")
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected a file of JSON, found: {error!s:.100}") from None


def read(path: Path) -> list[Keypoints2D] | None:
    """The animals of a file; None for other JSON."""
    content = load_json(path)
    if not isinstance(content, dict) or "annotations" not in content:
        return None
    try:
        return _animals(content)
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise UserError(
            f"{path}: expected COCO's images, categories with keypoints, and annotations, found"
            f" one without ({error!r:.80})"
        ) from None


def skeleton_edges(pairs: list[Any], joints: int) -> np.ndarray | None:
    """Edges of a category's `skeleton`, from 0; None for an empty one.

    >>> skeleton_edges([[1, 2], [2, 3]], 3).tolist()
    [[0, 1], [1, 2]]
    >>> skeleton_edges([[0, 1], [1, 2]], 3).tolist()
    [[0, 1], [1, 2]]
    """
    edges = np.array([(int(a), int(b)) for a, b in pairs], np.int64).reshape(-1, 2)
    if not len(edges):
        return None
    return edges - (edges.min() >= 1)


def _animals(content: dict[str, Any]) -> list[Keypoints2D]:
    categories = {int(category["id"]): category for category in content["categories"]}
    images = {image["id"]: str(image["file_name"]) for image in content["images"]}
    places = _frames(images)
    tracks: dict[tuple[str, int, str], dict[int, np.ndarray]] = {}
    seen: dict[tuple[Any, int], int] = {}
    for annotation in content["annotations"]:
        category = int(annotation["category_id"])
        block = np.array(annotation["keypoints"], np.float64)
        known = _category(categories, category, len(block) // 3)
        block = block.reshape(len(known["keypoints"]), 3)
        image = annotation["image_id"]
        track = next((str(annotation[key]) for key in _TRACK if key in annotation), None)
        if track is None:
            place = seen[image, category] = seen.get((image, category), 0) + 1
            track = str(place)
        clip, frame = places[image]
        here = tracks.setdefault((clip, category, track), {})
        if frame in here:
            raise ValueError(
                f"expected an animal once a picture, found {track} twice in {images[image]}"
            )
        block[block[:, 2] == 0] = np.nan
        here[frame] = block
    sizes = {(image.get("width"), image.get("height")) for image in content["images"]}
    tracked = any(key in annotation for annotation in content["annotations"] for key in _TRACK)
    return [
        _animal(categories[category], frames, clip, track, len(sizes) > 1 and not tracked)
        for (clip, category, track), frames in tracks.items()
        if any(np.isfinite(block[:, 0]).any() for block in frames.values())
    ]


def _animal(
    category: dict[str, Any], frames: dict[int, np.ndarray], clip: str, track: str, stills: bool
) -> Keypoints2D:
    order = sorted(frames)
    block = np.array([frames[frame] for frame in order])
    # v is 2 for a visible point and 1 for one that is hidden and was guessed
    confidence = np.nan_to_num(np.minimum(block[..., 2], 2.0) / 2.0)
    return Keypoints2D(
        block[..., :2],
        confidence,
        tuple(map(str, category["keypoints"])),
        skeleton_edges(category.get("skeleton") or [], len(category["keypoints"])),
        frames=np.array(order, np.int64),
        individual=f"{category['name']} {track}",
        clip=clip,
        stills=stills,
    )


def _category(categories: dict[int, dict[str, Any]], category: int, joints: int) -> dict[str, Any]:
    """The category itself; for one that is not listed, the first of as many joints."""
    if category not in categories:
        alike = (c for c in categories.values() if len(c["keypoints"]) == joints)
        found = next(alike, None)
        if found is None:
            raise ValueError(f"expected a category {category} of {joints} joints, found none")
        categories[category] = {**found, "name": f"category {category}"}
    return categories[category]


def _frames(images: dict[Any, str]) -> dict[Any, tuple[str, int]]:
    """Clip (folder, where there are several) and frame of each picture: the number in its name, or
    its place among the sorted names."""
    folders = {key: name.replace("\\", "/").rpartition("/")[0] for key, name in images.items()}
    several = len(set(folders.values())) > 1
    found: dict[Any, tuple[str, int]] = {}
    for folder in dict.fromkeys(folders.values()):
        keys = sorted((key for key in images if folders[key] == folder), key=lambda k: images[k])
        try:
            numbers = frame_numbers([images[key] for key in keys]).tolist()
        except ValueError:
            numbers = []
        if len(set(numbers)) < len(keys):
            numbers = list(range(len(keys)))
        clip = folder if several else ""
        found |= {key: (clip, n) for key, n in zip(keys, numbers, strict=True)}
    return found
