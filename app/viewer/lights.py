"""Light for objects on a dark page: softer than viser's own, under which colours turn to white."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viser import SceneApi


def add_lights(scene: SceneApi) -> None:
    """A sky, a sun that casts shadows, and a weaker one from across; y is up."""
    scene.configure_default_lights(False)
    scene.configure_environment_map(None)
    scene.add_light_hemisphere(
        "/lights/sky", sky_color=(225, 235, 255), ground_color=(60, 55, 50), intensity=1.1
    )
    scene.add_light_directional(
        "/lights/sun", intensity=1.5, cast_shadow=True, position=(2.0, 6.0, 3.0)
    )
    scene.add_light_directional("/lights/across", intensity=0.5, position=(-3.0, 2.0, -4.0))
