"""What a scene needs before splats can start from it: coordinates that fit into float32, points.

Georeferenced models stand millions of metres from zero, dense clouds hold points at the lens of a
camera, and some models hold no points at all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from data.clouds import PointCloud
from data.neighbours import nearest
from data.random_points import BEHIND, GREY, random_points

if TYPE_CHECKING:
    from data.scene import Scene

FAR = 100.0
"""Radii of the scene from zero at which float32 would cost a thousandth of a percent of it."""
FEWEST_POINTS = 100
"""With fewer, random ones join them."""
LEAST_COVERED = 1 / 3
"""Of a 12 x 12 grid on the photos: where points leave more of it empty, what lies behind a subject
would have to grow from its rim (inner splits of king: 2 dB in the mean with random points)."""
ENOUGH_POINTS = 200_000
"""Points that are looked at for that."""
NEAR = 1e-3
"""Points nearer to a camera than this share of the scene's radius are its dirt, not the scene."""


def recentred(scene: Scene) -> Scene:
    """The scene with its zero among the cameras if it lies far from them, `origin_world` says
    where; else as it is."""
    centres = np.array([view.camera.position_world for view in scene.views])
    middle = np.median(centres, axis=0)
    if np.abs(middle).max() < FAR * scene.radius:
        return scene
    grid = 10.0 ** np.floor(np.log10(scene.radius))
    origin = np.round(middle / grid) * grid
    views = []
    for view in scene.views:
        pose = view.camera.cam_from_world.copy()
        pose[:3, 3] += pose[:3, :3] @ origin
        views.append(replace(view, camera=replace(view.camera, cam_from_world=pose)))
    points = PointCloud(scene.points.xyz - origin, scene.points.rgb)
    x, y, z = (float(value) for value in origin)
    note = f"coordinates are far from zero: the scene's own zero is at {x:g} {y:g} {z:g}"
    return replace(
        scene,
        views=tuple(views),
        points=points,
        origin_world=(x, y, z),
        notes=(*scene.notes, note),
    )


def with_points(scene: Scene) -> Scene:
    """The scene without points at the lens of a camera, and with random ones if it has too few."""
    centres = np.array([view.camera.position_world for view in scene.train or scene.views])
    notes = list(scene.notes)
    if len(scene.points):
        distance, _ = nearest(centres, scene.points.xyz, 1)
        dirt = distance[:, 0] <= NEAR * scene.radius
        if dirt.any():
            notes.append(f"{dirt.sum()} points lie at the lens of a camera and are left out")
            scene = scene.without_points(dirt)
    cameras = [view.camera for view in scene.train or scene.views]
    points = scene.points
    if len(points) < FEWEST_POINTS:
        notes.append(
            f"the model has {len(points) or 'no'} points: 20,000 random ones are added where the "
            "cameras look"
        )
        points = _joined(points, random_points(cameras))
    elif (share := covered(scene)) < LEAST_COVERED and not any(view.alpha for view in scene.views):
        notes.append(
            f"points cover {share:.0%} of the photos: 1,000 random ones are added behind them"
        )
        points = _joined(points, random_points(cameras, 1_000, BEHIND))
    return replace(scene, points=points, notes=tuple(notes))


def covered(scene: Scene) -> float:
    """Median share of the cells of a 12 x 12 grid on a training photo that hold a point."""
    shares = []
    world = scene.points.xyz[:: max(1, len(scene.points) // ENOUGH_POINTS)]
    for view in scene.train or scene.views:
        camera = view.camera
        xyz = world @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            places = (xyz @ camera.K.T)[:, :2] / xyz[:, 2:] / (camera.width, camera.height)
        seen = (xyz[:, 2] > 0) & ((places >= 0) & (places < 1)).all(1)
        cells = (places[seen] * 12).astype(np.int64)
        shares.append(len(np.unique(cells @ (1, 12))) / 144)
    return float(np.median(shares))


def _joined(points: PointCloud, drawn: PointCloud) -> PointCloud:
    rgb = np.full((len(points) + len(drawn), 3), GREY, np.uint8)
    if points.rgb is not None:
        rgb[: len(points)] = points.rgb
    return PointCloud(np.concatenate([points.xyz, drawn.xyz]), rgb)
