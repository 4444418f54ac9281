"""Motions as DeepLabCut's 3D tables: .h5 under the key df_with_missing, columns scorer, bodyparts,
coords, rows numbered by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.errors import UserError
from data.motion import Motion

SCORER = "darb3d"


def save_h5(path: str | Path, motion: Motion) -> None:
    """Write one clip; UserError where h5py is not installed."""
    try:
        import h5py  # noqa: F401
    except ImportError:
        raise UserError(
            f"{path}: expected h5py to write this format, found it missing; pip install"
            " 'darb3d[keypoints]', or name a .csv"
        ) from None
    from data.pandas_hdf import Frame, write_frame

    columns = [(SCORER, name, axis) for name in motion.skeleton.names for axis in "xyz"]
    frames = np.arange(len(motion)) if motion.frames is None else np.asarray(motion.frames)
    index = [("", str(frame)) for frame in frames.tolist()]
    values = motion.xyz.reshape(len(motion), -1)
    levels = ("scorer", "bodyparts", "coords")
    write_frame(Path(path), Frame(index, columns, values), levels, "df_with_missing")
