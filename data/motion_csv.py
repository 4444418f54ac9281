"""Motions as .csv, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from data.motion import Motion
from data.whole_files import write_whole


def save_csv(path: str | Path, motion: Motion) -> None:
    """One row a frame: frame, time_s, then x, y, z (and what is known of it) for each joint.

    Unknown numbers are empty cells.
    """
    frames = np.arange(len(motion)) if motion.frames is None else motion.frames
    columns = {"frame": frames, "time_s": np.arange(len(motion)) / motion.fps}
    beside = {
        "confidence": motion.confidence,
        "uncertainty": motion.uncertainty,
        "observed": None if motion.observed is None else motion.observed.astype(int),
    }
    for joint, name in enumerate(motion.skeleton.names):
        for axis, letter in enumerate("xyz"):
            columns[f"{name}_{letter}"] = motion.xyz[:, joint, axis]
        for what, values in beside.items():
            if values is not None:
                columns[f"{name}_{what}"] = values[:, joint]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*(column.tolist() for column in columns.values()), strict=True):
        writer.writerow("" if value != value else f"{value:.7g}" for value in row)
    write_whole(path, text.getvalue().encode())
