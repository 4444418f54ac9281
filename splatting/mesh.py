"""A triangle mesh from splats: their depth, seen from many cameras, fused into a truncated signed
distance field (Curless and Levoy 1996), by open3d."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data.camera import Camera
from data.errors import UserError
from splatting.rasterization import render
from splatting.splats import Splats

LEAST_ALPHA = 0.5
"""Where less is drawn, there is no surface."""


def cube_around(splats: Splats) -> tuple[np.ndarray, float]:
    """Lowest corner and side of a cube that holds what is opaque, without strays."""
    solid = splats.means[splats.logit_opacities > 0]
    low, high = np.quantile(solid if len(solid) else splats.means, [0.02, 0.98], axis=0)
    side = 1.1 * float((high - low).max())
    return (low + high - side) / 2, side


def fuse(
    splats: Splats,
    cameras: Sequence[Camera],
    corner: np.ndarray,
    side: float,
    cells: int,
    tick: Callable[[], Any] = lambda: None,
) -> Any:
    """An open3d TriangleMesh of what lies in the cube of `side` world units at `corner`, in `cells`
    cells along each edge (50 bytes each); `tick` is called after each camera.

    UserError when nothing is seen. open3d's volume of scattered blocks would need less memory, but
    stays empty in its release 0.20.
    """
    o3d: Any
    try:
        import open3d as o3d
    except (ImportError, OSError) as error:
        raise UserError(
            f"mesh: expected the package open3d, found: {error}; pip install open3d (on Linux it "
            "needs the system packages libgl1 and libusb-1.0-0)"
        ) from None
    volume = o3d.pipelines.integration.UniformTSDFVolume(
        length=side,
        resolution=cells,
        sdf_trunc=4 * side / cells,
        color_type=o3d.pipelines.integration.TSDFVolumeColorType.RGB8,
        origin=np.asarray(corner, np.float64),
    )
    for camera in cameras:
        drawn = render(splats, camera)
        depth = np.where(
            drawn.alpha >= LEAST_ALPHA, drawn.depth / np.maximum(drawn.alpha, 1e-6), 0.0
        )
        colour = np.rint(np.clip(drawn.rgb, 0, 1) * 255).astype(np.uint8)
        image = o3d.geometry.RGBDImage.create_from_color_and_depth(
            _image(o3d, colour),
            _image(o3d, depth.astype(np.float32)),
            depth_scale=1.0,
            depth_trunc=1e9,
            convert_rgb_to_intensity=False,
        )
        k = camera.K
        # open3d's pixel centres are whole numbers, ours lie half a pixel farther
        lens = o3d.camera.PinholeCameraIntrinsic(
            camera.width, camera.height, k[0, 0], k[1, 1], k[0, 2] - 0.5, k[1, 2] - 0.5
        )
        volume.integrate(image, lens, camera.cam_from_world)
        tick()
    mesh = volume.extract_triangle_mesh()
    if not len(mesh.triangles):
        raise UserError(
            f"mesh: expected surfaces in the cube of side {side:g} at {np.round(corner, 3)}, found "
            "none; name another --corner and --side, or train longer"
        )
    mesh.compute_vertex_normals()
    return mesh


def _image(o3d: Any, pixels: Any) -> Any:
    return o3d.geometry.Image(np.ascontiguousarray(pixels))


def largest_parts(mesh: Any, count: int) -> Any:
    """The mesh without all but its `count` largest connected parts."""
    labels, sizes, _ = mesh.cluster_connected_triangles()
    sizes = np.asarray(sizes)
    kept = np.argsort(-sizes)[:count]
    mesh.remove_triangles_by_mask(~np.isin(np.asarray(labels), kept))
    mesh.remove_unreferenced_vertices()
    return mesh
