"""render(): the one public way to draw splats; it chooses the back end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int32

from data.camera import Camera
from splatting.splats import Splats

_local = threading.local()


@dataclass(frozen=True, eq=False)
class RenderOutput:
    """A drawn view; the arrays are the caller's own."""

    rgb: Float32[np.ndarray, "h w 3"]
    """Not clamped: it may exceed 1 where colours do."""
    alpha: Float32[np.ndarray, "h w"]
    depth: Float32[np.ndarray, "h w"]
    """Sum over splats of weight times z; divide by alpha for the expected depth."""


def render(
    splats: Splats,
    camera: Camera,
    background: Sequence[float] = (0.0, 0.0, 0.0),
    sh_degree: int | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
) -> RenderOutput:
    """`splats` as `camera` sees them, with harmonics up to `sh_degree` (all that are stored).

    May be called from several threads at once; each keeps its own buffers. `device="cuda"` draws
    Gaussians with gsplat and raises UserError for any other kernel or without a CUDA device.
    """
    degree = splats.sh_degree if sh_degree is None else min(sh_degree, splats.sh_degree)
    if device == "cuda":
        from splatting import gsplat_cuda

        return gsplat_cuda.render(splats, camera, background, degree)
    return _output(_frame(splats, camera, degree, background))


def count(splats: Splats, camera: Camera) -> tuple[Int32[np.ndarray, "h w"], RenderOutput]:
    """How many of `splats` touch each pixel with an alpha of 1/255 or more, and the view itself.

    Counted are those behind an opaque one too, which `render` never reaches.
    """
    from splatting.cpu import screen
    from splatting.cpu.counting import count_splats

    frame = _frame(splats, camera, 0, (0.0, 0.0, 0.0))
    counted = np.empty(frame.depth.shape, np.int32)
    count_splats(
        frame.records, frame.tile_start, frame.splat_of, screen.TILE, frame.columns, counted
    )
    return counted, _output(frame)


def _frame(splats: Splats, camera: Camera, degree: int, background: Sequence[float]) -> Any:
    from splatting.cpu import pipeline

    if not hasattr(_local, "workspace"):
        _local.workspace = pipeline.Workspace()
    return pipeline.forward(
        _local.workspace, splats, camera, degree, np.asarray(background, np.float32)
    )


def _output(frame: Any) -> RenderOutput:
    return RenderOutput(frame.rgb.copy(), 1.0 - frame.transmittance, frame.depth.copy())
