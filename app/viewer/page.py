"""Page: what every panel works on; a panel is one function `add(page)` in a file of its own.

What stands in the page beside the picture is placed in units of the page, which are those of the
scene unless the scene is very large or very small: `page.scale` of them make one of the scene's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from app.frames import Look
from app.viewer.edits import Edits

if TYPE_CHECKING:
    from viser import ViserServer

    from app.viewer.cameras import Pose
    from app.viewer.stage import Stage
    from app.viewer.versus import Contestant
    from data.scene import Scene, View


NEAREST, FARTHEST = 0.2, 80.0
"""Units of the page between which a scene lies: nearer than a hundredth is cut off, depth ends at
167, and who walks by keys makes two a second."""


def page_scale(near: float, far: float) -> float:
    """The power of ten that brings distances from `near` to `far` between NEAREST and FARTHEST.

    >>> page_scale(3.0, 40.0), page_scale(900.0, 4000.0), page_scale(0.03, 0.2)
    (1.0, 0.01, 10.0)
    """
    if far > FARTHEST:
        return float(10.0 ** -np.ceil(np.log10(far / FARTHEST)))
    if 0 < near < NEAREST:
        grow = np.ceil(np.log10(NEAREST / near))
        return float(10.0 ** max(0.0, min(grow, np.floor(np.log10(FARTHEST / far)))))
    return 1.0


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
    contestants: tuple[Contestant, Contestant] | None = None
    """The two runs of a page that compares."""
    closed: bool = False
    """Whether threads of panels should end."""
    up: Float[np.ndarray, "3"] | None = None
    """Upwards in the scene, as its cameras are held."""
    scene_option: str = ""
    """What --scene named, where it was given."""
    look: Look = field(default_factory=Look)
    """What of the splats is shown, and filmed."""

    def __post_init__(self) -> None:
        self.edits = Edits(self.stage, self.wake)
        self._look_listeners: list[Callable[[], None]] = []

    def show_as(self, look: Look) -> None:
        """Have films, and the commands that panels show, look like the picture."""
        self.look = look
        for tell in self._look_listeners:
            tell()

    def on_look(self, tell: Callable[[], None]) -> None:
        """Call `tell` after each change of what is shown."""
        self._look_listeners.append(tell)

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
            client.camera.position = self.scale * pose.position
            client.camera.look_at = self.scale * pose.look_at
            client.camera.fov = pose.fov_y_rad

    def turn_up(self, up: Float[np.ndarray, "3"]) -> None:
        """Let every camera of the page, now and later, be upright along a direction of the scene;
        each stays where it is and looks where it looked."""
        self.server.initial_camera.up = up
        for client in self.server.get_clients().values():
            position, look_at = client.camera.position, client.camera.look_at
            with client.atomic():
                client.camera.up_direction = up
                client.camera.position = position
                client.camera.look_at = look_at
