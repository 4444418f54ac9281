"""Splats to and from the .ply of 3DGS, which every other viewer reads.

The kernel stands in a header comment, `SplatKernel: raised-cosine`: a viewer that does not know it
draws Gaussians of the same sigma. One of the user's own follows as numbers, `SplatKernelProgram`.
Coordinates are those of the COLMAP model; those of a georeferenced one do not fit into float32, so
`SplatOrigin: x y z` says what to add to them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import UserError
from data.ply import read_rows, write_vertices
from splatting import kernels
from splatting.checkpoint import origin_of
from splatting.splats import Splats

_KERNEL_COMMENT = "SplatKernel:"
_MODE_COMMENT = "SplatRenderMode:"
_PROGRAM_COMMENT = "SplatKernelProgram:"
_ORIGIN_COMMENT = "SplatOrigin:"
_SATURATED = np.float32(np.log(511.0))
"""Logit of half an eighth bit from 1."""
_AXES = ("x", "y", "z")
_CHANNELS = 3
_BLOCK = 4096
"""Rows that stay in the cache."""


def save_ply(path: str | Path, splats: Splats) -> None:
    """Write `splats` in the property order of 3DGS; the file appears whole or not at all."""
    n = len(splats)
    columns = dict(zip(_AXES, splats.means.T, strict=True))
    columns |= {f"n{axis}": np.zeros(n, np.float32) for axis in _AXES}
    columns |= {f"f_dc_{c}": splats.sh0[:, c] for c in range(_CHANNELS)}
    # channel-major: all of red, then green, then blue
    rest = splats.shN.transpose(0, 2, 1).reshape(n, -1)
    columns |= {f"f_rest_{i}": rest[:, i] for i in range(rest.shape[1])}
    columns["opacity"] = splats.logit_opacities
    columns |= {f"scale_{i}": splats.log_scales[:, i] for i in range(3)}
    columns |= {f"rot_{i}": splats.quats[:, i] for i in range(4)}
    mode = "mip" if splats.antialiased else "default"
    comments = [f"{_KERNEL_COMMENT} {splats.kernel.name}", f"{_MODE_COMMENT} {mode}"]
    if description := kernels.describe(splats.kernel):
        comments.append(f"{_PROGRAM_COMMENT} {description}")
    if any(splats.origin_world):
        comments.append(f"{_ORIGIN_COMMENT} {' '.join(map(repr, splats.origin_world))}")
    write_vertices(path, columns, tuple(comments))


def load_ply(path: str | Path, saturated: bool = False) -> Splats:
    """Read splats by property name, in any order, from any program; no kernel named: Gaussian.

    `saturated` opacities of 0 and 1, as formats of few bits have them, are taken for almost that.

    Raises UserError for a file that holds no splats, an unknown kernel, or numbers not finite.
    """
    rows, comments = read_rows(path)
    known = rows.dtype.names or ()
    rest = sum(re.fullmatch(r"f_rest_\d+", name) is not None for name in known)
    if rest not in (0, 9, 24, 45):
        raise UserError(f"{path}: expected 0, 9, 24 or 45 properties f_rest_*, found {rest}")
    groups = [
        list(_AXES),
        [f"f_dc_{c}" for c in range(_CHANNELS)],
        ["opacity"],
        [f"scale_{i}" for i in range(3)],
        [f"rot_{i}" for i in range(4)],
        [f"f_rest_{i}" for i in range(rest)],
    ]
    missing = [name for names in groups for name in names if name not in known]
    if missing:
        raise UserError(
            f"{path}: expected the properties of splats, found no {', '.join(missing)};"
            " is it a point cloud or a mesh?"
        )
    means, sh0, logit_opacities, log_scales, quats, by_channel = (
        _table(rows, names) for names in groups
    )
    bases = rest // _CHANNELS
    shN = by_channel.reshape(len(rows), _CHANNELS, bases).transpose(0, 2, 1)
    means, sh0, log_scales, quats, shN = map(
        np.ascontiguousarray, (means, sh0, log_scales, quats, shN)
    )
    logit_opacities = logit_opacities[:, 0]
    if saturated:
        logit_opacities = np.clip(logit_opacities, -_SATURATED, _SATURATED)
    broken = ~(np.abs(quats).sum(axis=1) > 0)
    for part in (means, log_scales, quats, sh0, shN, logit_opacities[:, None]):
        finite = np.isfinite(part)
        if not finite.all():  # row by row takes ten times as long
            broken |= ~finite.reshape(len(finite), -1).all(axis=1)
    if broken.any():
        raise UserError(
            f"{path}: expected finite numbers and rotations, found {broken.sum()} of {len(means)}"
            " splats with NaN, infinity or no rotation; export it again"
        )
    if not len(means):
        raise UserError(f"{path}: expected splats, found none")
    return Splats(
        means=means,
        log_scales=log_scales,
        quats=quats,
        logit_opacities=np.ascontiguousarray(logit_opacities),
        sh0=sh0,
        shN=shN,
        kernel=kernels.restore(
            _comment(comments, _KERNEL_COMMENT) or "gaussian", _comment(comments, _PROGRAM_COMMENT)
        ),
        antialiased=_comment(comments, _MODE_COMMENT) == "mip",
        origin_world=origin_of(_comment(comments, _ORIGIN_COMMENT)),
    )


def _table(rows: np.ndarray, names: list[str]) -> np.ndarray:
    """The fields of `rows` as one float32 array [n, fields]: a view where they lie side by side."""
    shape = (len(rows), len(names))
    layout: Any = rows.dtype.fields
    fields = [layout[name] for name in names]
    first = fields[0][1] if fields else 0
    if fields == [(np.dtype("<f4"), first + 4 * k) for k in range(len(fields))]:
        return np.ndarray(shape, "<f4", rows, first, (rows.itemsize, 4))
    table = np.empty(shape, np.float32)
    # a block of rows at a time: one field after the other would fetch all of it once for each
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        for index, name in enumerate(names):
            table[block, index] = rows[name][block]
    return table


def _comment(comments: tuple[str, ...], key: str) -> str:
    for comment in comments:
        if comment.startswith(key):
            return comment.removeprefix(key).strip()
    return ""
