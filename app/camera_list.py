"""cameras.json as 3DGS writes it, which other viewers and editors read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data.scene import Scene


def camera_list(
    scene: Scene, scale: float = 1.0, origin_world: Sequence[float] | None = None
) -> list[dict[str, Any]]:
    """An entry for each view: name, size, focal lengths, and its pose as camera-to-world, in a
    world `scale` times as large whose zero is at `origin_world` of the model (the scene's own when
    None)."""
    shift = (0.0, 0.0, 0.0)
    if origin_world is not None:
        shift = [own - theirs for own, theirs in zip(scene.origin_world, origin_world, strict=True)]
    found = []
    for number, view in enumerate(scene.views):
        camera = view.camera
        world_from_cam = camera.world_from_cam
        found.append(
            {
                "id": number,
                "img_name": view.name,
                "width": camera.width,
                "height": camera.height,
                "position": (scale * (world_from_cam[:3, 3] + shift)).tolist(),
                "rotation": world_from_cam[:3, :3].tolist(),
                "fy": float(camera.K[1, 1]),
                "fx": float(camera.K[0, 0]),
            }
        )
    return found


def write_camera_list(
    path: Path, scene: Scene, scale: float = 1.0, origin_world: Sequence[float] | None = None
) -> None:
    """`camera_list` as a file, which appears whole or not at all."""
    import json

    from data.whole_files import replacing

    with replacing(path) as temporary:
        temporary.write_text(
            json.dumps(camera_list(scene, scale, origin_world)) + "\n", encoding="utf-8"
        )
