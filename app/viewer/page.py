"""Page: what every panel works on; a panel is one function `add(page)` in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.viewer.edits import Edits

if TYPE_CHECKING:
    from viser import ViserServer

    from app.viewer.cameras import Pose
    from app.viewer.stage import Stage
    from data.scene import Scene, View


@dataclass(eq=False)
class Page:
    """One page as its panels see it; they set state and call `wake`, threads of their own draw."""

    server: ViserServer
    stage: Stage
    wake: Callable[[], None]
    """Have every client's picture drawn again."""
    source: str = ""
    """What is shown, as a command line would name it: a run folder or a file."""
    scene: Scene | None = None
    views: list[View] = field(default_factory=list)
    """Training photos, then held-out ones."""
    poses: list[Pose] = field(default_factory=list)
    """Of `views`, in their order."""
    frustum_size: float = 1.0
    """Scene units."""
    scene_option: str = ""
    """What --scene named, where it was given."""

    def __post_init__(self) -> None:
        self.edits = Edits(self.stage, self.wake)

    @property
    def scale(self) -> float:
        """Units of the page in a unit of the scene."""
        return self.stage.scale

    def stand_at(self, index: int, client: Any) -> None:
        """Bring a client to where a photo was taken."""
        if client is None:
            return
        pose = self.poses[index]
        with client.atomic():
            client.camera.up_direction = pose.up
            client.camera.position = pose.position
            client.camera.look_at = pose.look_at
            client.camera.fov = pose.fov_y_rad
