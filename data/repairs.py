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
from data.random_points import GREY, random_points

if TYPE_CHECKING:
    from data.scene import Scene

FAR = 100.0
"""Radii of the scene from zero at which float32 would cost a thousandth of a percent of it."""
FEWEST_POINTS = 100
"""With fewer, random ones join them."""
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
    points = scene.points
    if len(points) < FEWEST_POINTS:
        drawn = random_points([view.camera for view in scene.train or scene.views])
        rgb = np.full((len(points) + len(drawn), 3), GREY, np.uint8)
        if points.rgb is not None:
            rgb[: len(points)] = points.rgb
        notes.append(
            f"the model has {len(points) or 'no'} points: {len(drawn):,} random ones are added "
            "where the cameras look"
        )
        points = PointCloud(np.concatenate([points.xyz, drawn.xyz]), rgb)
    return replace(scene, points=points, notes=tuple(notes))
