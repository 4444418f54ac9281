"""Motions as .bvh, for Blender and everything that animates.

Written: constant bone lengths, y up, one ROOT for each connected part, rotations Z X Y. Read: any
order of channels, several roots, End Sites as joints of their own where they stand off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data.errors import UserError
from data.motion import Motion, rounded_fps
from data.rig import Rig, fit_rig, unrigged
from data.skeleton import Skeleton
from data.whole_files import write_whole

_LIMIT_BYTES = 500_000_000
_CHANNEL = re.compile(r"([xyz])(position|rotation)", re.IGNORECASE)
_AXES = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}
"""A positive turn about an axis takes the first of the pair to the second."""


def save_bvh(path: str | Path, motion: Motion) -> None:
    """Write one clip; lengths are those of `motion.units`, for the format knows no units."""
    rig = fit_rig([motion])
    lines = ["HIERARCHY"]
    columns: list[np.ndarray] = []
    for place, root in enumerate(rig.roots.tolist()):
        _describe(rig, root, place, lines, columns)
    lines += ["MOTION", f"Frames: {len(motion)}", f"Frame Time: {1 / motion.fps:.10g}"]
    rows = np.concatenate(columns, axis=1)
    lines += [" ".join(f"{value:.8g}" for value in row) for row in rows.tolist()]
    write_whole(path, ("\n".join(lines) + "\n").encode())


def load_bvh(path: str | Path) -> Motion:
    """Read one clip; UserError for a broken file."""
    path = Path(path)
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            raise UserError(f"expected a .bvh below {_LIMIT_BYTES // 10**6} MB, found a larger one")
        text = path.read_bytes().decode("utf-8-sig", "replace")
        head, motion, tail = text.partition("MOTION")
        if "HIERARCHY" not in head or not motion:
            raise UserError("expected a .bvh with HIERARCHY and MOTION, found none")
        nodes = _hierarchy(head)
        fps, values = _values(tail, sum(len(node.channels) for node in nodes))
        names, parents, xyz = unrigged(*_posed(nodes, values))
        return Motion(xyz, Skeleton.from_parents(names, parents), fps=fps, name=path.stem)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: expected a .bvh, found: {error.strerror}") from None
    except (ValueError, IndexError, OverflowError) as error:
        raise UserError(f"{path}: expected a .bvh, found a broken one ({error})") from None


def _describe(rig: Rig, root: int, place: int, lines: list[str], columns: list[np.ndarray]) -> None:
    """The lines and columns of one root's tree."""
    pending: list[tuple[int, int]] = [(root, 0)]
    while pending:
        node, depth = pending.pop()
        if node < 0:
            lines.append("\t" * depth + "}")
            continue
        tabs, name = "\t" * depth, re.sub(r"\s+", "_", rig.names[node])
        offset = np.zeros(3) if node == root else rig.offsets[node]
        rotations = "Zrotation Xrotation Yrotation"
        lines += [
            f"{tabs}{'ROOT' if node == root else 'JOINT'} {name}",
            f"{tabs}{{",
            f"{tabs}\tOFFSET {offset[0]:.8g} {offset[1]:.8g} {offset[2]:.8g}",
        ]
        if node == root:
            lines.append(f"{tabs}\tCHANNELS 6 Xposition Yposition Zposition {rotations}")
            columns.append(rig.places[:, place])
        else:
            lines.append(f"{tabs}\tCHANNELS 3 {rotations}")
        columns.append(_zxy_degrees(rig.rotations[:, node]))
        children = np.flatnonzero(rig.parents == node).tolist()
        if not children:
            lines += [f"{tabs}\tEnd Site", f"{tabs}\t{{", f"{tabs}\t\tOFFSET 0 0 0", f"{tabs}\t}}"]
        pending.append((-1, depth))
        pending += [(child, depth + 1) for child in reversed(children)]


def _zxy_degrees(rotation: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 3"]:
    """Angles z, x, y of R = Rz Rx Ry, without jumps of whole turns from frame to frame."""
    x = np.arcsin(np.clip(rotation[:, 2, 1], -1.0, 1.0))
    z = np.arctan2(-rotation[:, 0, 1], rotation[:, 1, 1])
    y = np.arctan2(-rotation[:, 2, 0], rotation[:, 2, 2])
    # straight up or down only the sum of z and y is known: all of it goes to z
    locked = np.abs(rotation[:, 2, 1]) > 1 - 1e-12
    z = np.where(locked, np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]), z)
    y = np.where(locked, 0.0, y)
    return np.rad2deg(np.unwrap(np.stack([z, x, y], axis=1), axis=0))


@dataclass
class _Node:
    name: str
    parent: int
    offset: Float[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))
    channels: list[tuple[str, str]] = field(default_factory=list)
    """Axis and kind, as they are listed."""


def _hierarchy(head: str) -> list[_Node]:
    """The nodes, each after its parent; End Sites only where they stand off."""
    nodes: list[_Node] = []
    open_nodes: list[int] = []
    ends: set[int] = set()
    for line in re.sub(r"([{}])", r"\n\1\n", head.partition("HIERARCHY")[2]).splitlines():
        words = line.split()
        match [word.lower() for word in words]:
            case ["root" | "joint", *_]:
                parent = open_nodes[-1] if open_nodes else -1
                nodes.append(_Node(" ".join(words[1:]) or f"joint_{len(nodes)}", parent))
            case ["end", "site", *_]:
                ends.add(len(nodes))
                nodes.append(_Node(f"{nodes[open_nodes[-1]].name}_end", open_nodes[-1]))
            case ["{"]:
                open_nodes.append(len(nodes) - 1)
            case ["}"]:
                open_nodes.pop()
            case ["offset", *numbers]:
                offset = np.array([float(number) for number in numbers[:3]])
                if offset.shape != (3,) or not np.isfinite(offset).all():
                    raise ValueError(f"offset {' '.join(numbers)}")
                nodes[open_nodes[-1]].offset = offset
            case ["channels", count, *channels]:
                found = [_CHANNEL.fullmatch(channel) for channel in channels]
                if int(count) != len(found) or not all(found) or len(found) > 6:
                    raise ValueError(f"channels {' '.join(words[1:])}")
                nodes[open_nodes[-1]].channels = [
                    (match[1].lower(), match[2].lower()) for match in found if match
                ]
            case []:
                pass
            case _:
                raise ValueError(f"the line {line.strip()[:40]!r}")
    if not nodes or open_nodes:
        raise ValueError("a hierarchy without end")
    return _kept(nodes, ends)


def _kept(nodes: list[_Node], ends: set[int]) -> list[_Node]:
    gone = {end for end in ends if not nodes[end].offset.any()}
    place, kept = {-1: -1}, []
    for index, node in enumerate(nodes):
        if index in gone:
            continue
        place[index] = len(kept)
        node.parent = place[node.parent]
        kept.append(node)
    return kept


def _values(tail: str, channels: int) -> tuple[float, Float[np.ndarray, "t c"]]:
    """Frames per second and the rows of numbers."""
    found = re.match(r"\s*Frames:\s*(\d+)\s*Frame\s+Time:\s*(\S+)\s*", tail, re.IGNORECASE)
    if found is None:
        raise ValueError("no lines `Frames:` and `Frame Time:`")
    step = float(found[2])
    if not 1e-6 < step < 1e6:
        raise ValueError(f"a frame time of {found[2]} seconds")
    rows = [np.array(line.split(), np.float64) for line in tail[found.end() :].splitlines() if line]
    flat = np.concatenate(rows) if rows else np.zeros(0)
    count = int(found[1])
    if not channels or count < 1 or len(flat) != count * channels:
        raise ValueError(f"{len(flat)} numbers for {count} frames of {channels} channels")
    if not np.isfinite(flat).all():
        raise ValueError("numbers that are not finite")
    return rounded_fps(1 / step), flat.reshape(count, channels)


def _posed(
    nodes: list[_Node], values: Float[np.ndarray, "t c"]
) -> tuple[list[str], np.ndarray, Float[np.ndarray, "t n 3"]]:
    """Names, parents and places of the nodes.

    A channel of position stands in for the offset on its axis, as Blender reads it.
    """
    xyz = np.empty((len(values), len(nodes), 3))
    turned = np.empty((len(values), len(nodes), 3, 3))
    column = 0
    for index, node in enumerate(nodes):
        local = np.tile(node.offset, (len(values), 1))
        rotation = np.tile(np.eye(3), (len(values), 1, 1))
        for axis, kind in node.channels:
            if kind == "position":
                local[:, "xyz".index(axis)] = values[:, column]
            else:
                rotation = rotation @ _about(axis, np.deg2rad(values[:, column]))
            column += 1
        if node.parent < 0:
            xyz[:, index], turned[:, index] = local, rotation
        else:
            above = turned[:, node.parent]
            xyz[:, index] = xyz[:, node.parent] + np.einsum("tij,tj->ti", above, local)
            turned[:, index] = above @ rotation
    parents = np.array([node.parent for node in nodes], np.int64)
    return [node.name for node in nodes], parents, xyz


def _about(axis: str, angle: Float[np.ndarray, "t"]) -> Float[np.ndarray, "t 3 3"]:
    """Rotations about a coordinate axis."""
    first, second = _AXES[axis]
    rotation = np.tile(np.eye(3), (len(angle), 1, 1))
    rotation[:, first, first] = rotation[:, second, second] = np.cos(angle)
    rotation[:, second, first] = np.sin(angle)
    rotation[:, first, second] = -np.sin(angle)
    return rotation
