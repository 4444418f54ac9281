"""Keypoints as .npz: `xy (T, J, 2)` and whatever else `Keypoints2D` has, by the names of fields."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from data.errors import UserError
from data.keypoints import Keypoints2D
from data.npz import read_arrays
from data.whole_files import write_whole


def read(path: Path) -> list[Keypoints2D]:
    """The one animal of an archive; names are point 1, point 2, ... where it gives none."""
    arrays = read_arrays(path)
    if "xy" not in arrays:
        dimensions = " (3D points, which need no lifting)" if "xyz" in arrays else ""
        raise UserError(
            f"{path}: expected an array xy (frames, joints, 2), found"
            f" {', '.join(sorted(arrays)) or 'nothing'}{dimensions}"
        )
    xy = arrays["xy"]
    if xy.ndim != 3 or xy.shape[2] != 2 or xy.dtype.kind not in "fiu":
        raise UserError(
            f"{path}: expected xy of shape (frames, joints, 2), found {xy.dtype} of {xy.shape}"
        )
    names = arrays.get("names")
    if names is None:
        labels = tuple(f"point {joint + 1}" for joint in range(xy.shape[1]))
    elif names.ndim != 1 or names.dtype.kind not in "US":
        raise UserError(f"{path}: expected names as texts, found {names.dtype} of {names.shape}")
    else:
        labels = tuple(names.astype(str).tolist())
    edges = arrays.get("edges")
    fps = arrays.get("fps")
    try:
        return [
            Keypoints2D(
                xy,
                arrays.get("confidence", np.ones(xy.shape[:2])),
                labels,
                None if edges is None or not edges.size else edges,
                fps=None if fps is None else float(fps),
                frames=arrays.get("frames"),
                individual=str(arrays.get("individual", "")),
            )
        ]
    except (TypeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected keypoints, found: {error}") from None


def save(path: str | Path, keypoints: Keypoints2D) -> None:
    """Write one animal."""
    arrays: dict[str, np.ndarray] = {
        "xy": keypoints.xy.astype(np.float32),
        "confidence": keypoints.confidence.astype(np.float32),
        "names": np.array(keypoints.names),
        "frames": np.asarray(keypoints.frames),
        "individual": np.array(keypoints.individual),
    }
    if keypoints.edges is not None:
        arrays["edges"] = keypoints.edges
    if keypoints.fps is not None:
        arrays["fps"] = np.array(keypoints.fps)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_whole(path, content.getvalue())
