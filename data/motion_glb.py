"""Motions as .glb: an armature with one animation a clip and a figure that follows it.

y is up; lengths are metres where a motion's units are known. Bones keep their lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from data.glb import (
    ARRAY_BUFFER,
    FLOAT,
    INDEX_BUFFER,
    UNSIGNED_BYTE,
    UNSIGNED_INT,
    UNSIGNED_SHORT,
    Body,
    pack,
)
from data.motion import UNITS_M, Motion
from data.rig import Rig, fit_rig
from data.stick_figure import stick_figure
from data.whole_files import write_whole

_FIGURE, _ARMATURE, _FIRST = 0, 1, 2
"""Places of the nodes: the mesh, what holds the roots, and the first node of the rig."""


def save_glb(path: str | Path, motions: Sequence[Motion]) -> None:
    """Write clips of one skeleton; UserError for clips of several, or without any joint known."""
    metres = [_in_metres(motion) for motion in motions]
    rig, body = fit_rig(metres), Body()
    figure, skin = _figure(rig, body), _skin(rig, body)
    animations, start = [], 0
    for number, motion in enumerate(metres):
        frames = slice(start, start + len(motion))
        start += len(motion)
        name = motion.name or f"clip {number + 1}"
        animations.append({"name": name, **_animation(rig, frames, motion.fps, body)})
    title = metres[0].name or Path(path).stem
    document = {
        "asset": {
            "version": "2.0",
            "generator": "Darb3D",
            "extras": {"units": "m" if metres[0].units else ""},
        },
        "scene": 0,
        "scenes": [{"nodes": [_FIGURE, _ARMATURE]}],
        "nodes": [{"name": f"{title} figure", "mesh": 0, "skin": 0}, *_nodes(rig, title)],
        "meshes": [{"name": f"{title} figure", "primitives": [figure]}],
        "materials": [
            {
                "name": "bones",
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.7},
            }
        ],
        "skins": [skin],
        **({"animations": [a for a in animations if a["channels"]]}),
        **body.described(),
    }
    write_whole(path, pack(document, b"".join(body.parts)))


def _in_metres(motion: Motion) -> Motion:
    if not motion.units:
        return motion
    return replace(motion, xyz=motion.xyz * UNITS_M[motion.units], units="m", uncertainty=None)


def _nodes(rig: Rig, title: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = [
        {"name": title, "children": [_FIRST + int(root) for root in rig.roots]}
    ]
    for node, name in enumerate(rig.names):
        found: dict[str, Any] = {"name": name, "translation": rig.offsets[node].tolist()}
        children = np.flatnonzero(rig.parents == node)
        if len(children):
            found["children"] = (_FIRST + children).tolist()
        nodes.append(found)
    return nodes


def _figure(rig: Rig, body: Body) -> dict[str, Any]:
    """The primitive of the mesh: every corner follows one joint altogether."""
    mesh = stick_figure(rig)
    few = len(rig.names) <= 255
    joints = np.zeros((len(mesh.xyz), 4), np.int64)
    joints[:, 0] = mesh.nodes
    weights = np.zeros((len(mesh.xyz), 4))
    weights[:, 0] = 1.0
    index = UNSIGNED_SHORT if len(mesh.xyz) < 65535 else UNSIGNED_INT
    return {
        "attributes": {
            "POSITION": body.add(mesh.xyz, target=ARRAY_BUFFER, bounds=True),
            "NORMAL": body.add(mesh.normals, target=ARRAY_BUFFER),
            "COLOR_0": body.add(mesh.rgb, target=ARRAY_BUFFER),
            "JOINTS_0": body.add(
                joints, UNSIGNED_BYTE if few else UNSIGNED_SHORT, target=ARRAY_BUFFER
            ),
            "WEIGHTS_0": body.add(weights, target=ARRAY_BUFFER),
        },
        "indices": body.add(mesh.corners.reshape(-1), index, target=INDEX_BUFFER),
        "material": 0,
    }


def _skin(rig: Rig, body: Body) -> dict[str, Any]:
    inverse = np.tile(np.eye(4), (len(rig.names), 1, 1))
    at_rest = rig.offsets.copy()
    for node, parent in enumerate(rig.parents):
        at_rest[node] += at_rest[parent] if parent >= 0 else 0.0
    inverse[:, :3, 3] = -at_rest
    columns = np.swapaxes(inverse, 1, 2).reshape(-1, 16)  # glTF stores columns
    return {
        "inverseBindMatrices": body.add(columns),
        "joints": list(range(_FIRST, _FIRST + len(rig.names))),
        "skeleton": _ARMATURE,
    }


def _animation(rig: Rig, frames: slice, fps: float, body: Body) -> dict[str, Any]:
    count = frames.stop - frames.start
    times = body.add(np.arange(count) / fps, FLOAT, bounds=True)
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []

    def follow(node: int, path: str, values: np.ndarray) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": _FIRST + node, "path": path}})
        samplers.append({"input": times, "output": body.add(values)})

    for place, root in enumerate(rig.roots.tolist()):
        follow(root, "translation", rig.places[frames, place])
    for node in range(len(rig.names)):
        turns = rig.rotations[frames, node]
        if not np.allclose(turns, np.eye(3), atol=1e-9):
            follow(node, "rotation", _quaternions(turns))
    return {"channels": channels, "samplers": samplers}


def _quaternions(rotation: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 4"]:
    """x, y, z, w as glTF has them, each on the side of the one before."""
    from data.geometry import quat_from_rotation

    quats = quat_from_rotation(rotation)
    turns = np.where(np.sum(quats[1:] * quats[:-1], axis=1) < 0, -1.0, 1.0)
    quats[1:] *= np.cumprod(turns)[:, None]
    return quats[:, [1, 2, 3, 0]]
