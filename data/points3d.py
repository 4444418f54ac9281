"""3D points over time that other tools wrote: training data and comparisons for the lifter.

anipose's .csv (`nose_x`, `nose_y`, `nose_z`, `nose_score`), DeepLabCut's 3D .csv and .h5,
sleap-anipose's points3d.h5, generated or animated rigs as .npz (`positions`, `parents`), and
motions of our own as .npz (`xyz`).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from data.errors import UserError
from data.hdf import array_of, open_hdf
from data.keypoints import frame_numbers
from data.motion import Motion
from data.npz import read_arrays
from data.skeleton import Skeleton
from data.text_tables import number, rows_of

NO_EDGES = np.zeros((0, 2), np.int64)
_AXIS = re.compile(r"(.+)_([xyz])")


def read_points3d(path: str | Path) -> list[Motion]:
    """The clips of a file, one for each animal; UserError for anything else."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected a file of 3D points, found none")
    readers = {".csv": _csv, ".h5": _h5, ".npz": _npz}
    if path.suffix.lower() not in readers:
        raise UserError(
            f"{path}: expected 3D points as {', '.join(readers)}, found {path.suffix or 'others'}"
        )
    try:
        return readers[path.suffix.lower()](path)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def _csv(path: Path) -> list[Motion]:
    rows = rows_of(path)
    header = [cell.strip() for cell in next(rows, [])]
    if header and header[0].lower() in ("scorer", "bodyparts"):
        return _dlc_csv(path)
    names = [match[1] for cell in header if (match := _AXIS.fullmatch(cell)) and match[2] == "x"]
    missing = [f"{n}_{axis}" for n in names for axis in "yz" if f"{n}_{axis}" not in header]
    if not names or missing:
        raise UserError(
            f"{path}: expected columns like nose_x, nose_y, nose_z, found no"
            f" {missing[0] if missing else 'such columns'}"
        )
    places = [header.index(f"{name}_{axis}") for name in names for axis in "xyz"]
    scores = [header.index(f"{n}_score") for n in names if f"{n}_score" in header]
    index = header.index("fnum") if "fnum" in header else None
    xyz, trust, frames = [], [], []
    for k, row in enumerate(rows):
        row = row + [""] * (len(header) - len(row))
        where = f"row {k + 1} of the points"
        xyz.append([number(row[place], where) for place in places])
        trust.append([number(row[place], where) for place in scores])
        frames.append(row[index] if index is not None else str(k))
    points = np.array(xyz).reshape(len(xyz), len(names), 3)
    trusted = len(scores) == len(names)
    return [
        Motion(
            points,
            Skeleton(tuple(names), NO_EDGES),
            name=path.stem,
            confidence=np.nan_to_num(np.array(trust)) if trusted else None,
            frames=frame_numbers(frames),
        )
    ]


def _dlc_csv(path: Path) -> list[Motion]:
    levels, body = {}, []
    for row in rows_of(path):
        if row[0].strip().lower() in ("scorer", "individuals", "bodyparts", "coords"):
            levels[row[0].strip().lower()] = [cell.strip() for cell in row[1:]]
        else:
            body.append(row)
    if not {"bodyparts", "coords"} <= levels.keys() or not body:
        raise UserError(f"{path}: expected rows bodyparts and coords and rows of points")
    count = len(levels["bodyparts"])
    owners = levels.get("individuals", [""] * count)
    if len(levels["coords"]) != count or len(owners) != count:
        raise UserError(f"{path}: expected header rows of {count + 1} cells each")
    labels = list(zip(owners, levels["bodyparts"], levels["coords"], strict=True))
    values = [
        [number(c, f"row {k + 1} of the points") for c in (row[1:] + [""] * count)[:count]]
        for k, row in enumerate(body)
    ]
    return _of_columns(path, labels, [row[0] for row in body], np.array(values))


def _h5(path: Path) -> list[Motion]:
    from data.pandas_hdf import read_frame

    with open_hdf(path) as file:
        tracks = array_of(file, "tracks", path) if "tracks" in file else None
    if tracks is not None:
        if tracks.ndim != 4 or tracks.shape[3] != 3 or tracks.dtype.kind != "f":
            raise UserError(
                f"{path}: expected tracks of shape (frames, tracks, nodes, 3), found {tracks.shape}"
            )
        skeleton = Skeleton(tuple(f"point {k + 1}" for k in range(tracks.shape[2])), NO_EDGES)
        return [Motion(tracks[:, k], skeleton, name=path.stem) for k in range(tracks.shape[1])]
    frame = read_frame(path)
    if frame is None:
        raise UserError(f"{path}: expected a table of 3D points or tracks, found neither")
    labels = [(c[1] if len(c) == 4 else "", c[-2], c[-1]) for c in frame.columns if len(c) > 1]
    return _of_columns(path, labels, [row[-1] for row in frame.index], frame.values)


def _of_columns(
    path: Path, labels: list[tuple[str, str, str]], index: list[str], values: np.ndarray
) -> list[Motion]:
    place = {label: column for column, label in enumerate(labels)}
    found = []
    for individual in dict.fromkeys(label[0] for label in labels):
        parts = dict.fromkeys(part for owner, part, _ in labels if owner == individual)
        axes = [[(individual, part, axis) for axis in "xyz"] for part in parts]
        if any(label not in place for triple in axes for label in triple):
            raise UserError(f"{path}: expected coordinates x, y and z of each point, found fewer")
        xyz = np.stack([values[:, [place[label] for label in triple]] for triple in axes], axis=1)
        name = f"{path.stem} {individual}".strip()
        skeleton = Skeleton(tuple(parts), NO_EDGES)
        found.append(Motion(xyz, skeleton, name=name, frames=frame_numbers(index)))
    return found


def _npz(path: Path) -> list[Motion]:
    arrays = read_arrays(path)
    if "positions" not in arrays:
        from data.motion_npz import load_npz

        return [load_npz(path)]
    positions = arrays["positions"]
    if positions.ndim != 3 or positions.shape[2] != 3 or not positions.size:
        raise UserError(f"{path}: expected positions (frames, joints, 3), found {positions.shape}")
    skeleton = _skeleton(path, arrays, positions.shape[1])
    lengths = arrays.get("clip_lengths", np.array([len(positions)])).ravel()
    if lengths.dtype.kind not in "iu" or (lengths < 1).any() or lengths.sum() != len(positions):
        raise UserError(f"{path}: expected clip_lengths that sum to {len(positions)} frames")
    labels = arrays.get("clip_names", np.arange(len(lengths))).ravel()
    if len(labels) != len(lengths):
        raise UserError(f"{path}: expected {len(lengths)} clip_names, found {len(labels)}")
    fps = np.broadcast_to(np.asarray(arrays.get("fps", 30.0), np.float64).ravel(), len(lengths))
    up = _up(arrays.get("up"))
    return [
        Motion(clip, skeleton, fps=float(rate), name=f"{path.stem}/{label}", up=up)
        for clip, label, rate in zip(
            np.split(positions, np.cumsum(lengths)[:-1]), labels, fps, strict=True
        )
    ]


def _skeleton(path: Path, arrays: dict[str, np.ndarray], joints: int) -> Skeleton:
    """Joints by name or number, and bones from `parents` or `edges`, where there are any."""
    given = arrays.get("joint_names", np.array([f"point {k + 1}" for k in range(joints)]))
    names = tuple(map(str, given.ravel()))
    if len(names) != joints:
        raise UserError(f"{path}: expected {joints} joint_names, found {len(names)}")
    names = tuple(f"{name} {k}" if names.count(name) > 1 else name for k, name in enumerate(names))
    if "parents" not in arrays:
        return Skeleton(names, arrays.get("edges", NO_EDGES))
    parents = arrays["parents"]
    if parents.shape != (joints,) or parents.dtype.kind not in "iu":
        raise UserError(
            f"{path}: expected a parent of each of {joints} joints, found {parents.dtype} of shape"
            f" {parents.shape}"
        )
    return Skeleton.from_parents(names, parents.tolist())


def _up(given: np.ndarray | None) -> tuple[float, float, float]:
    if given is None:
        return (0.0, 1.0, 0.0)
    if given.dtype.kind in "US":
        axis = str(given.ravel()[0]).lower().strip("+")
        if axis not in ("x", "y", "z"):
            raise ValueError(f"expected up as x, y or z, found {axis!r:.20}")
        return tuple(float(axis == a) for a in "xyz")  # pyright: ignore[reportReturnType]
    x, y, z = given.astype(np.float64).ravel()
    return (float(x), float(y), float(z))
