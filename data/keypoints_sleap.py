"""SLEAP's files: projects (.slp), analyses (.analysis.h5); its .csv is a plain table.

In a project a frame has instances, of a track or of none, by hand or predicted; an instance has a
row of points for the nodes of its skeleton, in the order of the skeleton's own list.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import UserError
from data.hdf import array_of, open_hdf, texts
from data.keypoints import Keypoints2D, checked_edges

_PREDICTED = 1
_BODY_EDGE = 1
_SHIFTED_BEFORE = 1.1
"""Projects older than this format count a hand-placed point from the corner of the picture."""


@dataclass(frozen=True, eq=False)
class _Skeleton:
    names: tuple[str, ...]
    edges: np.ndarray


def read_analysis(path: Path) -> list[Keypoints2D] | None:
    """The tracks of an .analysis.h5; None for another HDF5 file, UserError for 3D points."""
    with open_hdf(path) as file:
        if "tracks" not in file:
            return None
        if "node_names" not in file:
            raise UserError(
                f"{path}: expected 2D tracks with node_names, found tracks alone: 3D points, which"
                " need no lifting"
            )
        tracks = array_of(file, "tracks", path)
        names = tuple(texts(array_of(file, "node_names", path)))
        labels = texts(array_of(file, "track_names", path)) if "track_names" in file else []
        edges = array_of(file, "edge_inds", path) if "edge_inds" in file else None
        scores = array_of(file, "point_scores", path) if "point_scores" in file else None
    if tracks.ndim != 4 or tracks.shape[1:3] != (2, len(names)) or tracks.dtype.kind != "f":
        raise UserError(
            f"{path}: expected tracks of shape (tracks, 2, {len(names)} nodes, frames), found"
            f" {tracks.shape}"
        )
    if scores is not None and scores.shape != (len(tracks), *tracks.shape[2:]):
        raise UserError(
            f"{path}: expected point_scores of shape {(len(tracks), *tracks.shape[2:])}, found"
            f" {scores.shape}"
        )
    found = []
    for k, track in enumerate(tracks):
        xy = track.transpose(2, 1, 0)
        if np.isnan(xy).any(axis=2).all():
            continue
        confidence = np.ones(xy.shape[:2]) if scores is None else scores[k].T
        label = labels[k] if k < len(labels) else f"track {k}"
        pairs = None if edges is None or not edges.size else edges
        found.append(Keypoints2D(xy, confidence, names, pairs, individual=label))
    return found


def read_slp(path: Path) -> list[Keypoints2D]:
    """The animals of a project, one for each track and video; instances of no track are numbered in
    each frame."""
    with open_hdf(path) as file:
        if "metadata" not in file or "frames" not in file:
            raise UserError(f"{path}: expected a project of SLEAP, found no metadata and frames")
        skeletons = _skeletons(path, file["metadata"].attrs.get("json", b""))
        version = float(file["metadata"].attrs.get("format_id", 1.0) or 1.0)
        wanted = {
            "frames": ("video", "frame_idx", "instance_id_start", "instance_id_end"),
            "instances": (
                *("instance_type", "skeleton", "track", "from_predicted"),
                *("point_id_start", "point_id_end"),
            ),
            "points": ("x", "y", "visible"),
            "pred_points": ("x", "y", "visible", "score"),
        }
        rows = {name: _rows(file, name, fields, path) for name, fields in wanted.items()}
        stored = file.get("tracks_json")
        tracks = texts(array_of(file, "tracks_json", path)) if stored is not None else []
    slots = _slots(path, rows)
    found = []
    videos = {video for video, _, _, _ in slots}
    for (video, skeleton, track, spare), placed in sorted(slots.items()):
        if skeleton >= len(skeletons):
            raise UserError(
                f"{path}: expected instances of {len(skeletons)} skeletons, found skeleton"
                f" {skeleton}"
            )
        names, edges = skeletons[skeleton].names, skeletons[skeleton].edges
        frames = sorted(placed)
        block = np.full((len(frames), len(names), 3), np.nan)
        for k, frame in enumerate(frames):
            block[k] = _points(path, rows, placed[frame], len(names), version)
        if np.isnan(block[..., :2]).any(axis=2).all():
            continue
        label = _track_name(tracks, track) if track >= 0 else f"instance {spare + 1}"
        clip = f"video {video}" if len(videos) > 1 else ""
        numbers = np.array(frames, np.int64)
        found.append(
            Keypoints2D(
                block[..., :2],
                block[..., 2],
                names,
                edges if len(edges) else None,
                frames=numbers,
                individual=label,
                clip=clip,
            )
        )
    return found


def _slots(path: Path, rows: dict[str, np.ndarray]) -> dict[tuple[int, int, int, int], dict]:
    """Instances by (video, skeleton, track, place among those of no track) and frame; one placed by
    hand hides the prediction it was made from."""
    slots: dict[tuple[int, int, int, int], dict[int, int]] = {}
    kinds = rows["instances"]
    for frame in rows["frames"]:
        first, last = int(frame["instance_id_start"]), int(frame["instance_id_end"])
        if not 0 <= first <= last <= len(kinds):
            raise UserError(
                f"{path}: expected instances 0 to {len(kinds)}, found {first} to {last} in a frame"
            )
        number = int(frame["frame_idx"])
        if number >= 2**62:
            raise UserError(f"{path}: expected numbers of frames, found {number}")
        here = range(first, last)
        replaced = {
            int(kinds[i]["from_predicted"]) for i in here if kinds[i]["instance_type"] != _PREDICTED
        }
        spare: dict[int, int] = {}
        for i in sorted(here, key=lambda i: int(kinds[i]["instance_type"])):
            if i in replaced:
                continue
            track, skeleton = int(kinds[i]["track"]), int(kinds[i]["skeleton"])
            place = -1
            if track < 0:
                place = spare.get(skeleton, 0)
                spare[skeleton] = place + 1
            slot = slots.setdefault((int(frame["video"]), skeleton, max(track, -1), place), {})
            slot.setdefault(number, i)  # by hand first, so that it wins over a prediction
    return slots


def _points(
    path: Path, rows: dict[str, np.ndarray], instance: int, nodes: int, version: float
) -> np.ndarray:
    """(nodes, 3): x, y, score of an instance."""
    kind = rows["instances"][instance]
    predicted = kind["instance_type"] == _PREDICTED
    table = rows["pred_points" if predicted else "points"]
    first, last = int(kind["point_id_start"]), int(kind["point_id_end"])
    if not (0 <= first <= last <= len(table)) or last - first != nodes:
        raise UserError(
            f"{path}: expected {nodes} points of an instance among {len(table)}, found {first} to"
            f" {last}"
        )
    rows_here = table[first:last]
    block = np.ones((nodes, 3))
    block[:, 0], block[:, 1] = rows_here["x"], rows_here["y"]
    if predicted:
        block[:, 2] = rows_here["score"]
    elif version < _SHIFTED_BEFORE:
        block[:, :2] -= 0.5
    block[~rows_here["visible"].astype(bool)] = np.nan
    return block


def _rows(file: Any, name: str, fields: tuple[str, ...], path: Path) -> np.ndarray:
    table = array_of(file, name, path)
    missing = [field for field in fields if field not in (table.dtype.names or ())]
    if missing or table.ndim != 1:
        raise UserError(f"{path}: expected {name} with {', '.join(fields)}, found another table")
    numbers = [table.dtype[field].kind in "iufb" for field in fields]
    if not all(numbers):
        raise UserError(f"{path}: expected numbers in {name}, found {table.dtype}")
    return table


def _skeletons(path: Path, raw: Any) -> list[_Skeleton]:
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    try:
        content = json.loads(text)
        known = [str(node["name"]) for node in content["nodes"]]
        return [_skeleton(part, known) for part in content["skeletons"]]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path}: expected skeletons in the project's metadata, found: {error!s:.100}"
        ) from None


def _skeleton(part: dict[str, Any], known: list[str]) -> _Skeleton:
    """Nodes in the skeleton's own order, and the edges of its body (not those of symmetry)."""
    ids = [int(node["id"]) for node in part["nodes"]]
    if min(ids, default=0) < 0:
        raise ValueError("a node below 0")
    place = {node: row for row, node in enumerate(ids)}
    kinds: list[int] = []  # jsonpickle writes a kind once, and then its number

    def kind(found: dict[str, Any]) -> int:
        if "py/reduce" in found:
            kinds.append(int(found["py/reduce"][1]["py/tuple"][0]))
            return kinds[-1]
        number = int(found.get("py/id", 1))
        return kinds[number - 1] if 1 <= number <= len(kinds) else number

    order: Callable[[dict[str, Any]], int] = lambda link: int(link.get("edge_insert_idx", 0))  # noqa: E731
    links = [
        (order(link), place[int(link["source"])], place[int(link["target"])])
        for link in part["links"]
        if kind(link.get("type", {})) == _BODY_EDGE
    ]
    edges = np.array([pair for _, *pair in sorted(links)], np.int64).reshape(-1, 2)
    return _Skeleton(tuple(known[node] for node in ids), checked_edges(edges, len(ids)))


def _track_name(tracks: list[str], track: int) -> str:
    """The name in `tracks_json`, a list of the frame it begins in and its name."""
    try:
        return str(json.loads(tracks[track])[1])
    except (ValueError, IndexError, KeyError, TypeError):
        return f"track {track}"
