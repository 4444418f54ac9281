"""cameras.json as 3DGS writes it, which other viewers and editors read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data.scene import Scene


def camera_list(scene: Scene, scale: float = 1.0) -> list[dict[str, Any]]:
    """An entry for each view: name, size, focal lengths, and its pose as camera-to-world, in a
    world `scale` times as large."""
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
                "position": (scale * world_from_cam[:3, 3]).tolist(),
                "rotation": world_from_cam[:3, :3].tolist(),
                "fy": float(camera.K[1, 1]),
                "fx": float(camera.K[0, 0]),
            }
        )
    return found


def write_camera_list(path: Path, scene: Scene, scale: float = 1.0) -> None:
    """The file appears whole or not at all."""
    import json

    from app.runs import replacing

    with replacing(path) as temporary:
        temporary.write_text(json.dumps(camera_list(scene, scale)) + "\n", encoding="utf-8")
