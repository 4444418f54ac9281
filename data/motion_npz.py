"""Motions as .npz: the one format that keeps all of a motion.

`xyz (T, J, 3)`, `names (J)`, `edges (E, 2)`, `confidence (T, J)`, `fps`, and whatever else a motion
has under the name of its field.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from data.errors import UserError
from data.motion import Motion
from data.npz import read_arrays
from data.skeleton import Skeleton
from data.whole_files import write_whole

_PER_JOINT = ("confidence", "observed", "xy", "xy_reprojected", "uncertainty", "frames")


def save_npz(path: str | Path, motion: Motion) -> None:
    """Write one clip; places are stored in single precision."""
    arrays: dict[str, np.ndarray] = {
        "xyz": motion.xyz.astype(np.float32),
        "names": np.array(motion.skeleton.names),
        "edges": motion.skeleton.edges,
        "fps": np.array(motion.fps),
        "name": np.array(motion.name),
        "up": np.array(motion.up),
        "units": np.array(motion.units),
    }
    for name in _PER_JOINT:
        array = getattr(motion, name)
        if array is not None:
            arrays[name] = array.astype(np.float32) if array.dtype.kind == "f" else array
    if motion.image_size is not None:
        arrays["image_size"] = np.array(motion.image_size, np.int64)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_whole(path, content.getvalue())


def load_npz(path: str | Path) -> Motion:
    """Read one clip; UserError for a broken file or one that holds no motion."""
    path = Path(path)
    arrays = read_arrays(path)
    missing = [name for name in ("xyz", "names") if name not in arrays]
    if missing:
        raise UserError(
            f"{path}: expected a motion with the arrays xyz (frames, joints, 3) and names (joints),"
            f" found no {' and no '.join(missing)}, but {', '.join(sorted(arrays)) or 'nothing'}"
        )
    names = arrays["names"]
    try:
        if names.ndim != 1 or names.dtype.kind not in "US":
            raise ValueError(f"expected names as texts, found {names.dtype} of {names.shape}")
        texts = names.astype(str).tolist()
        skeleton = Skeleton(tuple(texts), arrays.get("edges", np.zeros((0, 2), np.int64)))
        size = arrays.get("image_size")
        return Motion(
            arrays["xyz"],
            skeleton,
            fps=float(arrays["fps"]) if "fps" in arrays else 30.0,
            name=str(arrays["name"]) if "name" in arrays else path.stem,
            up=tuple(arrays["up"].astype(float)) if "up" in arrays else (0.0, 1.0, 0.0),
            units=str(arrays["units"]) if "units" in arrays else "",
            image_size=None if size is None else (int(size[0]), int(size[1])),
            **{name: arrays[name] for name in _PER_JOINT if name in arrays},
        )
    except (ValueError, TypeError, IndexError, OverflowError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from None
