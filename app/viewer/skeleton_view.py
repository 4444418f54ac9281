"""The skeleton in the page: joints as balls, bones as spindles, what was hidden as hollow balls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32

from app.viewer.colour_maps import BACKGROUND, HIDDEN, UNKNOWN, mixed
from app.viewer.lights import add_lights
from app.viewer.limb_colours import BY_SIDE, choices, joint_colours
from app.viewer.placement import SIZE, Placement, grid_step, placed
from app.viewer.trails import Trails
from data.stick_figure import icosphere

if TYPE_CHECKING:
    from viser import ViserServer

    from app.viewer.playback import Playback

JOINT, BONE = 0.012 * SIZE, 0.013 * SIZE
"""Radii in units of the page."""
_AT_REST = (1.0, 0.0, 0.0, 0.0)


@dataclass(eq=False)
class Look:
    """What a person chose about the picture."""

    by: str = BY_SIDE
    thickness: float = 1.0
    in_place: bool | None = None
    """Without the way; None for what shows the clip best."""
    hidden_marked: bool = True
    names: bool = False


class SkeletonView:
    """Draws the playback's frame; everything is on the server's scene, for all pages alike."""

    def __init__(self, server: ViserServer, playback: Playback) -> None:
        self._scene, self._playback = server.scene, playback
        self._server = server
        self.trails = Trails(server)
        self.look = Look()
        self.in_place = False
        self.placement: Placement = placed(playback.motion)
        playback.on_clip.append(self.rebuild)
        playback.on_frame.append(self.draw)
        playback.on_joint.append(self.draw)
        add_lights(server.scene)
        self.rebuild()

    @property
    def grid_step(self) -> float:
        """Side of a square on the floor, in units of the motion."""
        return grid_step(self.placement.scale)

    def rebuild(self) -> None:
        """Make everything anew, for another clip or another placement."""
        motion, playback = self._playback.motion, self._playback
        with playback.lock, self._server.atomic():
            chosen = self.look.in_place
            self.in_place = placed(motion).roams if chosen is None else chosen
            self.placement = placed(motion, self.in_place)
            if self.look.by not in choices(motion):
                self.look.by = choices(motion)[0]
            self._scene.remove_by_name("/motion")
            self._floor()
            joints, bones = len(motion.skeleton), len(motion.skeleton.edges)
            ball, faces = icosphere(2)
            self._joints = self._batch("joints", ball, faces, joints)
            self._hollow = self._batch("hidden", *icosphere(0), joints, wireframe=True)
            self._bones = self._batch("bones", *spindle(), bones) if bones else None
            self._joints.on_click(lambda event: self._picked(event.instance_index))
            self._hollow.on_click(lambda event: self._picked(event.instance_index))
            self._labels = {}
            self.trails.rebuild(motion, self.placement)
            self.draw()

    def draw(self) -> None:
        """Show the playback's frame."""
        playback = self._playback
        motion, frame, look = playback.motion, playback.frame, self.look
        with playback.lock, self._server.atomic():
            xyz = self.placement.xyz[frame]
            known = np.isfinite(xyz).all(axis=1)
            seen = known.copy()
            if look.hidden_marked and motion.observed is not None:
                seen &= motion.observed[frame]
            colours = joint_colours(motion, look.by, frame)
            radius = np.full(len(xyz), JOINT * look.thickness)
            if playback.joint is not None:
                radius[playback.joint] *= 1.7
            here = np.where(known[:, None], xyz, 0.0)
            self._joints.batched_positions = here
            self._joints.batched_scales = np.where(
                known, np.where(seen, radius, 0.45 * radius), 0.0
            ).astype(np.float32)
            self._joints.batched_colors = np.where(
                seen[:, None], colours, np.array(HIDDEN, np.uint8)
            )
            self._hollow.batched_positions = here
            self._hollow.batched_scales = np.where(known & ~seen, 1.35 * radius, 0.0).astype(
                np.float32
            )
            if self._bones is not None:
                self._draw_bones(here, known, seen, colours)
            self._draw_names(here, known)
            self.trails.draw(frame, joint_colours, look.by, playback.joint)

    def _draw_bones(
        self, xyz: np.ndarray, known: np.ndarray, seen: np.ndarray, colours: np.ndarray
    ) -> None:
        assert self._bones is not None
        parent, child = self._playback.motion.skeleton.edges.T
        along = (xyz[child] - xyz[parent]).astype(np.float64)
        length = np.linalg.norm(along, axis=1)
        there = known[parent] & known[child] & (length > 0)
        width = np.minimum(BONE * self.look.thickness, 0.14 * length)
        scales = np.where(there[:, None], np.stack([width, width, length], axis=1), 0.0)
        rgb = mixed(colours[child], BACKGROUND, 0.12)
        rgb[~(seen[parent] & seen[child])] = mixed(np.array([UNKNOWN], np.uint8), BACKGROUND, 0.25)
        self._bones.batched_positions = xyz[parent]
        self._bones.batched_wxyzs = turns_from_z(along)
        self._bones.batched_scales = scales.astype(np.float32)
        self._bones.batched_colors = rgb

    def _draw_names(self, xyz: np.ndarray, known: np.ndarray) -> None:
        playback = self._playback
        wanted = set(range(len(xyz))) if self.look.names else {playback.joint} - {None}
        for joint in set(self._labels) - wanted:
            self._labels.pop(joint).remove()
        for joint in wanted:
            if joint is None:
                continue
            if joint not in self._labels:
                name = playback.motion.skeleton.names[joint]
                self._labels[joint] = self._scene.add_label(
                    f"/motion/names/{joint}", name, anchor="bottom-left", font_screen_scale=0.9
                )
            self._labels[joint].position = tuple(xyz[joint] + (0, 1.5 * JOINT, 0))
            self._labels[joint].visible = bool(known[joint])

    def _batch(self, name: str, vertices, faces, count: int, wireframe: bool = False):
        return self._scene.add_batched_meshes_simple(
            f"/motion/{name}",
            vertices.astype(np.float32),
            faces,
            batched_wxyzs=np.tile(np.array(_AT_REST, np.float32), (count, 1)),
            batched_positions=np.zeros((count, 3), np.float32),
            batched_scales=np.zeros((count, 3) if name == "bones" else count, np.float32),
            batched_colors=np.tile(np.array(HIDDEN, np.uint8), (count, 1)),
            wireframe=wireframe,
            lod="off",
            cast_shadow=not wireframe,
            receive_shadow=False,
        )

    def _floor(self) -> None:
        step = self.grid_step * self.placement.scale
        self._scene.add_grid(
            "/motion/floor",
            plane="xz",
            cell_size=step,
            section_size=5 * step,
            cell_color=(48, 54, 61),
            section_color=(72, 79, 88),
            infinite_grid=True,
            fade_distance=6.0 * max(self.placement.reach, SIZE),
            fade_from="origin",
            shadow_opacity=0.35,
        )

    def _picked(self, joint: int | None) -> None:
        if joint is not None and joint < len(self._playback.motion.skeleton):
            self._playback.pick(None if joint == self._playback.joint else joint)


def spindle(sides: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Corners and triangles of a bone from 0 to 1 along z, thickest, with radius 1, at 0.15."""
    profile = [(0.0, 0.0), (0.03, 0.62), (0.15, 1.0), (0.6, 0.72), (0.96, 0.45), (1.0, 0.0)]
    angle = 2 * np.pi * np.arange(sides) / sides
    rings = [
        np.stack([r * np.cos(angle), r * np.sin(angle), np.full(sides, z)], 1)
        for z, r in profile[1:-1]
    ]
    points = np.concatenate([np.zeros((1, 3)), *rings, np.array([(0.0, 0.0, 1.0)])])
    last = len(points) - 1
    faces = []
    for k in range(sides):
        n = (k + 1) % sides
        faces += [(0, 1 + n, 1 + k), (last, last - sides + k, last - sides + n)]
        for ring in range(len(rings) - 1):
            a, b = 1 + ring * sides, 1 + (ring + 1) * sides
            faces += [(a + k, a + n, b + n), (a + k, b + n, b + k)]
    return points, np.array(faces)


def turns_from_z(along: Float[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 4"]:
    """Quaternions wxyz of the shortest turns from z to directions of any length."""
    unit = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    x, y, z = unit.T
    quats = np.stack([1 + z, -y, x, np.zeros_like(z)], axis=1)
    quats[1 + z < 1e-9] = (0.0, 1.0, 0.0, 0.0)
    return (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32)
