"""Animations out of any .glb: where each joint is, frame by frame."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from data.errors import UserError
from data.glb import Glb, unpack
from data.motion import Motion, rounded_fps
from data.rig import unrigged
from data.skeleton import Skeleton

_LIMIT = 4_000_000
"""Nodes times frames: sampling may take memory that the file itself does not."""
_AT_REST = {"translation": (0, 0, 0), "rotation": (0, 0, 0, 1), "scale": (1, 1, 1)}


def load_glb(path: str | Path) -> list[Motion]:
    """One motion for each animation, with y up; joints are those of the skins, or else the nodes
    that are animated and what hangs from them.

    UserError for a file that is broken or holds no animation.
    """
    path = Path(path)
    try:
        return _motions(unpack(path.read_bytes()), path.stem)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: expected a .glb, found: {error.strerror}") from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(
            f"{path}: expected a .glb with an animation, found one broken ({error!r})"
        ) from None
    except (struct.error, RecursionError) as error:
        raise UserError(f"{path}: expected a .glb, found one broken ({error})") from None


def is_animated(path: str | Path) -> bool:
    """Whether a .glb holds an animation; False for what cannot be read."""
    try:
        return bool(unpack(Path(path).read_bytes()).document.get("animations"))
    except (UserError, OSError, ValueError, struct.error, AttributeError, RecursionError):
        return False


def _motions(file: Glb, title: str) -> list[Motion]:
    document = file.document
    animations = document.get("animations", [])
    if not animations:
        raise UserError("expected an animation, found none in this .glb")
    above = _above(document["nodes"])
    order = _order(above)
    joints = _joints(document, above, order)
    place = {node: index for index, node in enumerate(joints)}
    parents = []
    for node in joints:
        parent = above[node]
        while parent >= 0 and parent not in place:
            parent = above[parent]
        parents.append(place.get(parent, -1))
    names = [str(document["nodes"][node].get("name", f"joint_{node}")) for node in joints]
    units = document["asset"].get("extras", {}).get("units", "")
    motions = []
    for number, animation in enumerate(animations):
        tracks = _tracks(file, animation)
        if not tracks:
            continue
        fps, times = _times([track[0] for track in tracks.values()], len(order))
        xyz = _places(document["nodes"], tracks, times, above, order)[:, joints]
        unique, up, xyz = unrigged(names, np.array(parents, np.int64), xyz)
        name = str(animation.get("name", f"{title} {number + 1}"))
        skeleton = Skeleton.from_parents(unique, up)
        motions.append(Motion(xyz, skeleton, fps, name, units="m" if units == "m" else ""))
    if not motions:
        raise UserError("expected an animation that moves nodes, found none in this .glb")
    return motions


def _above(nodes: list[dict[str, Any]]) -> list[int]:
    above = [-1] * len(nodes)
    for node, described in enumerate(nodes):
        for child in described.get("children", []):
            if child < 0 or above[child] >= 0:
                raise ValueError(f"node {child} in two places")
            above[child] = node
    return above


def _order(above: list[int]) -> list[int]:
    """Nodes, each after its parent."""
    below: dict[int, list[int]] = {}
    for node, parent in enumerate(above):
        below.setdefault(parent, []).append(node)
    order = list(below.get(-1, []))
    for node in order:
        order.extend(below.get(node, []))
    if len(order) < len(above):
        raise ValueError("nodes that hang from themselves")
    return order


def _joints(document: dict[str, Any], above: list[int], order: list[int]) -> list[int]:
    """The nodes that are joints, parents first."""
    found = {int(joint) for skin in document.get("skins", []) for joint in skin["joints"]}
    if not found:
        found = {
            int(channel["target"].get("node", -1))
            for animation in document["animations"]
            for channel in animation["channels"]
        } - {-1}
        for node in order:
            if above[node] in found:
                found.add(node)
    if not found or min(found) < 0 or max(found) >= len(above):
        raise ValueError("no joints among the nodes")
    return [node for node in order if node in found]


Track = tuple[np.ndarray, np.ndarray, str]
"""Times (k), values (k, width; three a key for splines) and how to go from one to the next."""


def _tracks(file: Glb, animation: dict[str, Any]) -> dict[tuple[int, str], Track]:
    columns: dict[int, np.ndarray] = {}

    def column(place: int) -> np.ndarray:
        if place not in columns:
            columns[place] = file.column(place)
        return columns[place]

    tracks: dict[tuple[int, str], Track] = {}
    for channel in animation["channels"]:
        target, sampler = channel["target"], animation["samplers"][channel["sampler"]]
        path, how = target["path"], sampler.get("interpolation", "LINEAR")
        if path not in _AT_REST or "node" not in target:
            continue
        times, values = column(sampler["input"])[:, 0], column(sampler["output"])
        keys = 3 * len(times) if how == "CUBICSPLINE" else len(times)
        if values.shape != (keys, len(_AT_REST[path])) or (np.diff(times) <= 0).any():
            raise ValueError(f"an animation of {path} of shape {values.shape}")
        if not (np.isfinite(times).all() and np.isfinite(values).all()):
            raise ValueError(f"an animation of {path} that is not finite")
        tracks[int(target["node"]), path] = times, values, how
    return tracks


def _times(keys: list[np.ndarray], nodes: int) -> tuple[float, np.ndarray]:
    """Frames per second, and when the frames are: at the keys where they are even."""
    start, end = min(k[0] for k in keys), max(k[-1] for k in keys)
    most = max(keys, key=len)
    fps, count = 30.0, 1
    if end > start:
        steps = np.diff(most)
        if len(steps) > 1 and np.ptp(steps) < 0.02 * steps.mean():
            fps = rounded_fps(1 / float(steps.mean()))
        span = (end - start) * fps
        if not span * nodes < _LIMIT:
            raise UserError(
                f"expected an animation of a few minutes, found {end - start:.0f} seconds at "
                f"{fps:.0f} frames per second with {nodes} nodes"
            )
        count = round(span) + 1
    return fps, np.clip(start + np.arange(count) / fps, start, end)


def _places(
    nodes: list[dict[str, Any]],
    tracks: dict[tuple[int, str], Track],
    times: np.ndarray,
    above: list[int],
    order: list[int],
) -> Float[np.ndarray, "t n 3"]:
    world: dict[int, np.ndarray] = {}
    xyz = np.empty((len(times), len(nodes), 3))
    last_use = {above[node]: node for node in order}
    for node in order:
        local = _local(nodes[node], node, tracks, times)
        parent = above[node]
        world[node] = local if parent < 0 else world[parent] @ local
        if last_use.get(parent) == node:
            world.pop(parent, None)
        xyz[:, node] = world[node][:, :3, 3]
        if node not in last_use:
            world.pop(node)
    return xyz


def _local(
    node: dict[str, Any], place: int, tracks: dict[tuple[int, str], Track], times: np.ndarray
) -> Float[np.ndarray, "t 4 4"]:
    """Against the parent; (1, 4, 4) where nothing moves."""
    if "matrix" in node and not any((place, path) in tracks for path in _AT_REST):
        matrix = np.array(node["matrix"], np.float64)
        if matrix.shape != (16,) or not np.isfinite(matrix).all():
            raise ValueError(f"matrix of node {place}")
        return matrix.reshape(1, 4, 4).swapaxes(1, 2)
    parts = []
    for path, still in (
        ("translation", (0, 0, 0)),
        ("rotation", (0, 0, 0, 1)),
        ("scale", (1, 1, 1)),
    ):
        if (place, path) in tracks:
            parts.append(_sampled(*tracks[place, path], times, path == "rotation"))
            continue
        value = np.array(node.get(path, still), np.float64)
        if value.shape != (len(_AT_REST[path]),) or not np.isfinite(value).all():
            raise ValueError(f"{path} of node {place}")
        parts.append(value[None])
    along, turn, scale = parts
    local = np.tile(np.eye(4), (max(map(len, parts)), 1, 1))
    local[:, :3, :3] = _rotations(turn) * scale[:, None, :]
    local[:, :3, 3] = along
    return local


def _rotations(xyzw: Float[np.ndarray, "t 4"]) -> Float[np.ndarray, "t 3 3"]:
    from data.geometry import rotation_from_quat

    lengths = np.linalg.norm(xyzw, axis=1, keepdims=True)
    if not (lengths > 1e-12).all():
        raise ValueError("a rotation of zero")
    return rotation_from_quat(np.roll(xyzw / lengths, 1, axis=1))


def _sampled(
    keys: np.ndarray, values: np.ndarray, how: str, times: np.ndarray, turns: bool
) -> Float[np.ndarray, "t w"]:
    """Values at `times`; before the first key and after the last they stay."""
    spline = how == "CUBICSPLINE"
    points = values.reshape(len(keys), 3, -1)[:, 1] if spline else values
    if len(keys) == 1:
        return np.repeat(points, len(times), axis=0)
    place = np.clip(np.searchsorted(keys, times, "right") - 1, 0, len(keys) - 2)
    span = keys[place + 1] - keys[place]
    u = np.clip((times - keys[place]) / span, 0.0, 1.0)[:, None]
    a, b = points[place], points[place + 1]
    if how == "STEP":
        return np.where(u < 1, a, b)
    if spline:
        tangents = values.reshape(len(keys), 3, -1)
        leave, arrive = tangents[place, 2] * span[:, None], tangents[place + 1, 0] * span[:, None]
        h = (2 * u**3 - 3 * u**2 + 1, u**3 - 2 * u**2 + u, -2 * u**3 + 3 * u**2, u**3 - u**2)
        return h[0] * a + h[1] * leave + h[2] * b + h[3] * arrive
    return _slerp(a, b, u) if turns else a + (b - a) * u


def _slerp(a: np.ndarray, b: np.ndarray, u: np.ndarray) -> np.ndarray:
    cosine = np.sum(a * b, axis=1, keepdims=True)
    b, angle = np.where(cosine < 0, -b, b), np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    sine = np.sin(angle)
    near = sine < 1e-6
    safe = np.where(near, 1.0, sine)
    first = np.where(near, 1 - u, np.sin((1 - u) * angle) / safe)
    second = np.where(near, u, np.sin(u * angle) / safe)
    return first * a + second * b
