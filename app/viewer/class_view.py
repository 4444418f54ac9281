"""Why a cloud was named as it was: learned Gaussians as ellipsoids, the points that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float64

from app.viewer.colour_maps import HIDDEN, scaled
from app.viewer.dots import Dots
from app.viewer.interfaces import Explanation
from data.geometry import quat_from_rotation
from data.stick_figure import icosphere

if TYPE_CHECKING:
    from viser import ViserServer

    from app.viewer.cloud_view import CloudView

SIGMAS = 1.5
"""Radius of an ellipsoid, as long as they are small."""
MOST = 0.2
"""Half axis, in units of the page, that half of them may have: a cloud stays visible among broad
Gaussians, and they can be told apart."""
_LEAST = 1e-4
"""Shortest half axis in units of the page: flat ellipsoids are still seen."""


class ClassView:
    """Stands in the frame of the cloud, and dims the cloud while anything of it is shown."""

    def __init__(self, server: ViserServer, view: CloudView) -> None:
        self._scene, self._server, self._view = server.scene, server, view
        self.gaussians = 48
        self.with_gaussians = False
        self.with_points = False
        self.explanation: Explanation | None = None
        self.sigmas = SIGMAS
        """Of the ellipsoids that are shown."""

    def draw(self) -> None:
        """Show what is switched on."""
        view, found = self._view, self.explanation
        with self._server.atomic():
            for name in ("gaussians", "deciding"):
                self._scene.remove_by_name(f"/cloud/{name}")
            view.dimmed = found is not None and (self.with_points or self.with_gaussians)
            view.recolour()
            if found is None:
                return
            if self.with_gaussians and len(found.means):
                self._draw_gaussians(found)
            if self.with_points and len(found.indices):
                self._draw_points(found)

    def _draw_gaussians(self, found: Explanation) -> None:
        count = min(self.gaussians, len(found.means))
        wxyz, axes = ellipsoids(found.covariances[:count])
        axes *= self._view.scale
        self.sigmas = sigmas_for(axes)
        ball, faces = icosphere(2)
        share = np.arange(count) / max(count - 1, 1)
        self._scene.add_batched_meshes_simple(
            "/cloud/gaussians",
            ball.astype(np.float32),
            faces,
            batched_wxyzs=wxyz.astype(np.float32),
            batched_positions=self._view.placed(found.means[:count]).astype(np.float32),
            batched_scales=np.maximum(self.sigmas * axes, _LEAST).astype(np.float32),
            batched_colors=scaled(1.0 - share, 0.0, 1.0),
            opacity=0.35,
            lod="off",
            cast_shadow=False,
            receive_shadow=False,
        )

    def _draw_points(self, found: Explanation) -> None:
        view = self._view
        rank = np.arange(len(found.indices)) / max(len(found.indices) - 1, 1)
        rgb = np.array(HIDDEN, np.float64) * (1.0 - 0.45 * rank[:, None])
        Dots(
            self._scene,
            "/cloud/deciding",
            view.placed(view.cloud.xyz[found.indices]),
            rgb.astype(np.uint8),
            max(1.15 * view.point_size, 0.02),
        )


def sigmas_for(axes: Float[np.ndarray, "k 3"]) -> float:
    """How many sigmas out ellipsoids are drawn whose sigmas are `axes`, in units of the page."""
    return float(min(SIGMAS, MOST / np.median(axes)))


def ellipsoids(
    covariances: Float[np.ndarray, "k 3 3"],
) -> tuple[Float64[np.ndarray, "k 4"], Float64[np.ndarray, "k 3"]]:
    """Turns (wxyz) and sigmas along the axes."""
    variances, axes = np.linalg.eigh(np.asarray(covariances, np.float64))
    axes[np.linalg.det(axes) < 0, :, 0] *= -1.0
    return quat_from_rotation(axes), np.sqrt(np.maximum(variances, 1e-18))
