"""Keypoints2D: the points of one animal in the frames of one camera, as tracking tools give them.

`read_keypoints` knows a file by what is in it, not by its name alone. Each format is one file
beside this one; what they share, the checks, is here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from data.errors import UserError

READ = (".csv", ".tsv", ".txt", ".h5", ".hdf5", ".hdf", ".slp", ".json", ".npz")
"""Endings of the files that are read."""
LARGEST_PX = 1e7
"""Coordinates beyond this are no pixels of a picture."""
_WHOLE = re.compile(r"(\d{1,18})(?:\.0+)?")
_PICTURE = re.compile(r"(\d{1,18})(?:\.[A-Za-z]\w*)?$")


@dataclass(frozen=True, eq=False)
class Keypoints2D:
    """One animal in one clip. ValueError where shapes do not agree or numbers make no sense."""

    xy: Float64[np.ndarray, "t j 2"]
    """Pixels, x right and y down, both NaN where a point is missing."""
    confidence: Float64[np.ndarray, "t j"]
    """As the tool gives it, of any range; 1 where it gives none, 0 where the point is missing."""
    names: tuple[str, ...]
    edges: Int64[np.ndarray, "e 2"] | None = None
    """Pairs of joints, from 0; None where the file has none."""
    fps: float | None = None
    frames: Int64[np.ndarray, "t"] | None = None
    """Rising numbers of the frames in their video; 0, 1, 2, ... where the file gives none."""
    individual: str = ""
    clip: str = ""
    """Which video, where a file holds several."""
    stills: bool = False
    """Whether its frames are known to be pictures of their own, and no film."""

    def __post_init__(self) -> None:
        xy = np.array(self.xy, np.float64)
        names = tuple(str(name).strip() for name in self.names)
        if xy.ndim != 3 or xy.shape[1:] != (len(names), 2) or not xy.size:
            raise ValueError(
                f"expected xy of shape (frames, {len(names)} joints, 2), found {xy.shape}"
            )
        if not all(names) or len(set(names)) < len(names):
            raise ValueError(f"expected a name of its own for each joint, found {_doubled(names)}")
        if np.isinf(xy).any() or (np.abs(xy) > LARGEST_PX).any():
            raise ValueError(f"expected pixels below {LARGEST_PX:.0e}, found larger ones")
        missing = np.isnan(xy).any(axis=2)
        xy[missing] = np.nan
        confidence = np.array(self.confidence, np.float64)
        if confidence.shape != xy.shape[:2] or np.isinf(confidence).any():
            raise ValueError(
                f"expected finite confidences of shape {xy.shape[:2]}, found {confidence.shape}"
            )
        confidence[missing | np.isnan(confidence)] = 0.0
        frames = np.arange(len(xy)) if self.frames is None else np.asarray(self.frames)
        if frames.shape != (len(xy),) or frames.dtype.kind not in "iu":
            raise ValueError(f"expected {len(xy)} whole numbers of frames, found {frames.shape}")
        frames = frames.astype(np.int64)
        if (falls := np.flatnonzero(np.diff(frames) <= 0)).size:
            raise ValueError(_out_of_order(frames, int(falls[0])))
        if self.edges is not None:
            object.__setattr__(self, "edges", checked_edges(self.edges, len(names)))
        if self.fps is not None and not (np.isfinite(self.fps) and 0 < self.fps <= 1e6):
            raise ValueError(f"expected frames per second above 0, found {self.fps}")
        for name, value in {"xy": xy, "confidence": confidence, "names": names}.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "frames", frames)

    def __len__(self) -> int:
        return len(self.xy)

    @property
    def label(self) -> str:
        """What tells it from the others of its file."""
        return "/".join(part for part in (self.clip, self.individual) if part)

    def joints(self, which: Iterable[int]) -> Keypoints2D:
        """Only the joints `which`; edges between others are dropped."""
        rows = list(which)
        edges = self.edges
        if edges is not None:
            place = {joint: row for row, joint in enumerate(rows)}
            kept = [(place[a], place[b]) for a, b in edges.tolist() if a in place and b in place]
            edges = np.array(kept, np.int64).reshape(-1, 2)
        names = tuple(self.names[row] for row in rows)
        xy, confidence = self.xy[:, rows], self.confidence[:, rows]
        return replace(self, xy=xy, confidence=confidence, names=names, edges=edges)


def read_keypoints(path: str | Path) -> list[Keypoints2D]:
    """The animals of a file, one or more, in its order.

    DeepLabCut and Lightning Pose (.csv, .h5, labels and predictions, one animal or several), SLEAP
    (.slp, .analysis.h5, .csv), COCO (.json), AlphaTracker (.json), plain tables (.csv, .npz).
    UserError for anything else, and for 3D points, which need no lifting.
    """
    from data import (
        keypoints_alphatracker,
        keypoints_coco,
        keypoints_dlc,
        keypoints_npz,
        keypoints_sleap,
        keypoints_table,
    )

    path = Path(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "none"
        raise UserError(f"{path}: expected a file of 2D keypoints, found {found}")
    readers: dict[str, list[Callable[[Path], list[Keypoints2D] | None]]] = {
        ".csv": [keypoints_dlc.read_csv, keypoints_table.read],
        ".tsv": [keypoints_table.read],
        ".txt": [keypoints_dlc.read_csv, keypoints_table.read],
        ".h5": [keypoints_sleap.read_analysis, keypoints_dlc.read_h5],
        ".hdf5": [keypoints_sleap.read_analysis, keypoints_dlc.read_h5],
        ".hdf": [keypoints_sleap.read_analysis, keypoints_dlc.read_h5],
        ".slp": [keypoints_sleap.read_slp],
        ".json": [keypoints_coco.read, keypoints_alphatracker.read],
        ".npz": [keypoints_npz.read],
    }
    if path.suffix.lower() not in readers:
        raise UserError(
            f"{path}: expected 2D keypoints as {', '.join(readers)}, found"
            f" {path.suffix or 'no ending'}"
        )
    for reader in readers[path.suffix.lower()]:
        try:
            found = reader(path)
        except ValueError as error:
            raise UserError(f"{path}: {error}") from None
        if found is not None:
            if not found:
                raise UserError(f"{path}: expected points of an animal, found none in any frame")
            return found
    raise UserError(
        f"{path}: expected keypoints of DeepLabCut, Lightning Pose, SLEAP, COCO or AlphaTracker,"
        " or a table with columns like nose_x, nose_y, found another file"
    )


def checked_edges(edges: np.ndarray, joints: int) -> Int64[np.ndarray, "e 2"]:
    """Edges as pairs of joints from 0, once each; ValueError where they lead nowhere."""
    pairs = np.asarray(edges)
    if not pairs.size:
        return np.zeros((0, 2), np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(
            f"expected edges as pairs of joints, whole numbers of shape (edges, 2), found"
            f" {pairs.dtype} of shape {pairs.shape}"
        )
    if pairs.min() < 0 or pairs.max() >= joints:
        counted = "; are they counted from 1?" if pairs.min() >= 1 and pairs.max() == joints else ""
        raise ValueError(
            f"expected edges between joints 0 to {joints - 1}, found {pairs.min()} to"
            f" {pairs.max()}{counted}"
        )
    if (pairs[:, 0] == pairs[:, 1]).any():
        loop = int(pairs[pairs[:, 0] == pairs[:, 1]][0, 0])
        raise ValueError(f"expected edges between two joints, found joint {loop} tied to itself")
    seen: dict[frozenset[int], tuple[int, int]] = {}
    for a, b in pairs.tolist():
        seen.setdefault(frozenset((a, b)), (a, b))
    return np.array(list(seen.values()), np.int64)


def frame_numbers(index: list[str]) -> Int64[np.ndarray, "t"]:
    """Numbers of frames as a table gives them: whole numbers, or the digits at the end of the names
    of pictures.

    >>> frame_numbers(["img005.png", "img020.png"]).tolist()
    [5, 20]
    """
    numbers = []
    for row, cell in enumerate(index):
        found = _WHOLE.fullmatch(cell.strip()) or _PICTURE.search(cell.strip())
        if not found:
            raise ValueError(
                f"expected a number of the frame, or a picture's name that ends in one, found"
                f" {cell!r:.60} in row {row + 1} of the points"
            )
        numbers.append(int(found[1]))
    return np.array(numbers, np.int64)


def _doubled(names: tuple[str, ...]) -> str:
    if not all(names):
        return "an empty one"
    return f"{next(name for name in names if names.count(name) > 1)!r:.60} twice"


def _out_of_order(frames: np.ndarray, place: int) -> str:
    before, after = int(frames[place]), int(frames[place + 1])
    if before == after:
        return (
            f"expected one row a frame, found frame {after} twice; two animals need a file that"
            " names individuals"
        )
    return (
        f"expected frames in rising order, found {after} after {before}; sort the rows by their"
        " frame"
    )
