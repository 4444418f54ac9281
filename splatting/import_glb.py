"""Splats from glTF 2.0 with KHR_gaussian_splatting, of this program or another.

glTF has y up; a splat's harmonics do not turn with a matrix of numbers alone, so a node may move
and scale splats, or turn them half about x as `export_glb` does, and any other turn is refused.
"""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import UserError
from data.glb import Glb, unpack
from splatting import kernels
from splatting.checkpoint import origin_of
from splatting.export_glb import EXTENSION, KERNEL_EXTENSION
from splatting.half_turn import half_turn
from splatting.splats import Splats

_HALF_TURN = (1.0, 0.0, 0.0, 0.0)
_IDENTITY = (0.0, 0.0, 0.0, 1.0)
_LEAST = 1.0 / 511.0
"""Opacities stored as 0 or 1 are taken for almost that."""


def load_glb(path: str | Path) -> Splats:
    """Read the first primitive of splats, in COLMAP's axes (y down).

    Raises UserError for a file that is broken, holds no splats, or turns them.
    """
    path = Path(path)
    try:
        file = unpack(path.read_bytes())
        node, primitive = _primitive(file.document)
        splats = _placed(_splats(file, primitive), node)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: expected a readable file, found: {error.strerror}") from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise UserError(
            f"{path}: expected a .glb with {EXTENSION}, found one broken ({error!r}); export it"
            " again"
        ) from None
    except RecursionError:
        raise UserError(f"{path}: expected a .glb, found JSON nested without end") from None
    return splats


def _primitive(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first node with splats, and they."""
    for node in document.get("nodes", []):
        for primitive in document["meshes"][node["mesh"]]["primitives"] if "mesh" in node else []:
            if EXTENSION in primitive.get("extensions", {}):
                return node, primitive
    raise UserError(f"expected splats ({EXTENSION}), found none; is it a mesh or a point cloud?")


def _splats(file: Glb, primitive: dict[str, Any]) -> Splats:
    how, places = primitive["extensions"][EXTENSION], primitive["attributes"]
    space = how.get("colorSpace", "srgb_rec709_display")
    if space != "srgb_rec709_display":
        raise UserError(f"expected colours in srgb_rec709_display, found {space!r}")

    def column(name: str, width: int) -> np.ndarray:
        found = file.column(places[name])
        if found.shape != (len(means), width) or not np.isfinite(found).all():
            raise ValueError(f"{name} of shape {found.shape}, or not finite")
        return found

    means = file.column(places["POSITION"])
    column("POSITION", 3)
    opacity = np.clip(column(f"{EXTENSION}:OPACITY", 1)[:, 0], _LEAST, 1 - _LEAST)
    scales = column(f"{EXTENSION}:SCALE", 3)
    quats = np.roll(column(f"{EXTENSION}:ROTATION", 4), 1, axis=1)
    if not (scales >= 0).all() or not (np.abs(quats).sum(axis=1) > 0).all():
        raise ValueError("scales below zero, or rotations of zero")
    names = [f"{EXTENSION}:SH_DEGREE_{d}_COEF_{k}" for d in (1, 2, 3) for k in range(2 * d + 1)]
    stored = sum(name in places for name in names)
    if stored not in (0, 3, 8, 15):
        raise ValueError(f"{stored} harmonics")
    harmonics = [column(name, 3) for name in names[:stored]]
    own = how.get("extensions", {}).get(KERNEL_EXTENSION, {})
    program = {key: value for key, value in own.items() if key != "name"}
    extras = file.document["asset"].get("extras", {})

    def single(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array, np.float32)

    return Splats(
        means=single(means),
        log_scales=single(np.log(np.maximum(scales, 1e-12))),
        quats=single(quats),
        logit_opacities=single(np.log(opacity / (1 - opacity))),
        sh0=single(column(f"{EXTENSION}:SH_DEGREE_0_COEF_0", 3)),
        shN=single(np.stack(harmonics, axis=1) if harmonics else np.zeros((len(means), 0, 3))),
        kernel=kernels.restore(
            str(own.get("name", "gaussian")), json.dumps(program) if program else ""
        ),
        antialiased=extras.get("SplatRenderMode") == "mip",
        origin_world=origin_of(str(extras.get("SplatOrigin", ""))),
    )


def _placed(splats: Splats, node: dict[str, Any]) -> Splats:
    """`splats` where the node puts them, then y down; a node that turns half about x is ours."""
    scale = node.get("scale", [1.0] * 3)
    if "matrix" in node or len({float(s) for s in scale}) != 1 or not 1e-9 < float(scale[0]) < 1e9:
        raise UserError("expected a node with one positive scale for all axes, found another")
    turn = tuple(round(float(part), 6) for part in node.get("rotation", _IDENTITY))
    if turn not in (_IDENTITY, _HALF_TURN):
        raise UserError(f"expected splats that are not turned, found a node of rotation {turn}")
    along = np.array(node.get("translation", (0.0, 0.0, 0.0)), np.float64)
    if along.shape != (3,) or not np.isfinite(along).all():
        raise ValueError(f"translation {along}")
    if turn == _IDENTITY:
        splats = half_turn(splats)
    factor = np.float32(scale[0])
    return replace(
        splats,
        means=splats.means * factor + (along * (1, -1, -1)).astype(np.float32),
        log_scales=splats.log_scales + np.log(factor),
    )
