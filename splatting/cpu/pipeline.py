"""A splat's way through the CPU back end: project, sort, tile, composite, and the same backwards.

One `Workspace` belongs to one thread and is reused: its buffers grow to the largest frame seen and
then stay, so a training step allocates nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32
from numba import get_num_threads

from data.camera import Camera
from simd.lane_memory import aligned
from splatting.cpu import (
    adam,
    compositing,
    compositing_backward,
    depth_order,
    projection,
    projection_backward,
    tiles,
)
from splatting.cpu import screen as s
from splatting.kernels import Kernel
from splatting.splats import SH_C0, Splats


class Workspace:
    """Named buffers that only grow, each from a cache line's start: a record that straddles two is
    fetched twice."""

    def __init__(self) -> None:
        self._buffers: dict[str, np.ndarray] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """An uninitialised C-contiguous array of `shape`, valid until `name` is taken again."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size or buffer.dtype != dtype:
            # a quarter of slack: density control adds a few percent at a time
            buffer = aligned(size + size // 4, dtype)
            self._buffers[name] = buffer
        return buffer[:size].reshape(shape)

    def clear(self) -> None:
        """Give the memory back; what was taken before is no longer the workspace's."""
        self._buffers.clear()

    @property
    def bytes(self) -> int:
        """Memory held."""
        return sum(buffer.nbytes for buffer in self._buffers.values())


@dataclass(frozen=True, eq=False)
class Frame:
    """A drawn view and what its backward needs; arrays live in the workspace."""

    splats: Splats
    degree: int
    camera: tuple[float, ...]
    """21 numbers, as `pack_camera` lays them out."""
    background: Float32[np.ndarray, "3"]
    scales: Float32[np.ndarray, "n 3"]
    opacities: Float32[np.ndarray, "n"]
    records: Float32[np.ndarray, "n 16"]
    visible: np.ndarray
    """Ids of the drawn splats, rising: gradients are gathered in the order that parameters lie
    in."""
    pair_start: np.ndarray
    tile_start: np.ndarray
    splat_of: np.ndarray
    pair_of: np.ndarray
    painted: np.ndarray
    """The patches of its tile in which each pair paints, as bits."""
    columns: int
    rgb: Float32[np.ndarray, "h w 3"]
    transmittance: Float32[np.ndarray, "h w"]
    depth: Float32[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class Gradients:
    """dL/d(stored parameter) of the drawn splats: row j belongs to splat `visible[j]`."""

    visible: np.ndarray
    means: Float32[np.ndarray, "v 3"]
    log_scales: Float32[np.ndarray, "v 3"]
    quats: Float32[np.ndarray, "v 4"]
    logit_opacities: Float32[np.ndarray, "v"]
    sh0: Float32[np.ndarray, "v 3"]
    shN: Float32[np.ndarray, "v k 3"]
    """k as the degree that was drawn, not as stored."""
    screen: Float32[np.ndarray, "v 4"]
    """dL/d(x, y) on the screen in pixels, then the sums of absolute values over pixels."""


@dataclass(frozen=True, eq=False)
class HarmonicsStep:
    """A step for the higher harmonics, three quarters of all numbers, that is taken where their
    gradients are made: to write those to memory and read them again takes longer."""

    second: Float32[np.ndarray, "n 3"]
    """Adam's second moments of `Splats.sh0`, before the step that it takes with these gradients;
    `Splats.shN`, which moves in place, is one piece of memory."""
    rate: float
    step: int
    """1-based."""

    def numbers(self) -> tuple[np.ndarray, np.float32, np.float32]:
        """As the loop takes them."""
        _, bias2 = adam.bias(self.step)
        # harmonics are measured in constant ones
        return self.second, np.float32(self.rate / SH_C0), np.float32(1.0 / math.sqrt(bias2))


def pack_camera(camera: Camera) -> tuple[float, ...]:
    """Rotation by rows (0 to 8), translation (9 to 11), fx fy cx cy, width, height, position (18
    to 20)."""
    k = camera.K
    numbers = np.concatenate(
        [
            camera.cam_from_world[:3, :3].ravel(),
            camera.cam_from_world[:3, 3],
            [k[0, 0], k[1, 1], k[0, 2], k[1, 2], camera.width, camera.height],
            camera.position_world,
        ]
    )
    return tuple(numbers.astype(np.float64).tolist())


def forward(
    work: Workspace, splats: Splats, camera: Camera, degree: int, background: np.ndarray
) -> Frame:
    """Draw `splats` with harmonics up to `degree`."""
    kernel: Kernel = splats.kernel
    n, shN = len(splats), np.ascontiguousarray(splats.shN)
    packed = pack_camera(camera)
    records = work.take("records", (n, s.WIDTH))
    scales, opacities = work.take("scales", (n, 3)), work.take("opacities", (n,))
    boxes = work.take("boxes", (n, tiles.BOX), np.int16)
    depths = work.take("depths", (n,))
    drawn = work.take("drawn", (n,), np.bool_)
    projection.project(
        splats.means,
        splats.log_scales,
        splats.quats,
        splats.logit_opacities,
        splats.sh0,
        shN,
        degree,
        packed,
        kernel.cutoff_table,
        kernel.psi,
        splats.antialiased,
        scales,
        opacities,
        records,
        boxes,
        depths,
        drawn,
    )
    visible = work.take("visible", (n,), np.int32)
    words = work.take("words", (n,), np.uint64)
    count, least, most = depth_order.gather_drawn(drawn, depths, visible, words)
    visible, order = visible[:count], work.take("order", (count,), np.int32)
    scratch = work.take("scratch", (count,), np.uint64)
    depth_order.depth_order(words[:count], least, most, scratch, order)
    columns = -(-camera.width // s.TILE)
    rows = -(-camera.height // s.TILE)
    histogram = work.take("histogram", (tiles.CHUNKS, columns * rows), np.int64)
    tiles.count_tiles(records, boxes, order, columns, histogram)
    pair_start = work.take("pair_start", (count + 1,), np.int64)
    total = tiles.pair_offsets(boxes, visible, pair_start)
    tile_start = work.take("tile_start", (columns * rows + 1,), np.int64)
    tiles.tile_offsets(histogram, tile_start)
    splat_of = work.take("splat_of", (total,), np.int32)
    pair_of = work.take("pair_of", (total,), np.int64)
    tiles.fill_tiles(records, boxes, order, columns, histogram, splat_of, pair_of)
    shape = (camera.height, camera.width)
    frame = Frame(
        splats=splats,
        degree=degree,
        camera=packed,
        background=np.asarray(background, np.float32),
        scales=scales,
        opacities=opacities,
        records=records,
        visible=visible,
        pair_start=pair_start,
        tile_start=tile_start,
        splat_of=splat_of,
        pair_of=pair_of,
        painted=work.take("painted", (total,), np.uint64),
        columns=columns,
        rgb=work.take("rgb", (*shape, 3)),
        transmittance=work.take("transmittance", shape),
        depth=work.take("depth", shape),
    )
    compositing.composite(
        records,
        kernel.program,
        compositing.MAX_ALPHA,
        tile_start,
        splat_of,
        s.TILE,
        columns,
        frame.background,
        frame.rgb,
        frame.transmittance,
        frame.depth,
        frame.painted,
        get_num_threads(),
    )
    return frame


def backward(
    work: Workspace,
    frame: Frame,
    d_rgb: Float32[np.ndarray, "h w 3"],
    d_alpha: Float32[np.ndarray, "h w"] | None = None,
    d_depth: Float32[np.ndarray, "h w"] | None = None,
    harmonics: bool | HarmonicsStep = True,
) -> Gradients:
    """Gradients of the stored parameters from those of the frame's rgb, alpha and depth; those of
    the higher harmonics only with `harmonics`, which may be a step that they take at once.
    ValueError for such a step of harmonics that are not one piece of memory."""
    if d_alpha is not None and d_depth is None:  # loops are compiled for both and for neither
        d_depth = _zeros(work, "no_depth", frame.depth.shape)
    if d_depth is not None and d_alpha is None:
        d_alpha = _zeros(work, "no_alpha", frame.depth.shape)
    splats, kernel = frame.splats, frame.splats.kernel
    if isinstance(harmonics, HarmonicsStep) and not splats.shN.flags.c_contiguous:
        raise ValueError("shN moves in place: expected one piece of memory, found a strided view")
    pair_gradients = work.take("pair_gradients", (len(frame.splat_of), s.GRAD_WIDTH))
    compositing_backward.composite_backward(
        frame.records,
        kernel.program,
        compositing.MAX_ALPHA,
        frame.tile_start,
        frame.splat_of,
        frame.pair_of,
        s.TILE,
        frame.columns,
        frame.rgb,
        frame.transmittance,
        frame.depth,
        frame.painted,
        d_rgb,
        d_alpha,
        d_depth,
        pair_gradients,
        get_num_threads(),
    )
    v = len(frame.visible)
    higher = (frame.degree + 1) ** 2 - 1 if harmonics is True else 0
    gradients = Gradients(
        visible=frame.visible,
        means=work.take("g_means", (v, 3)),
        log_scales=work.take("g_log_scales", (v, 3)),
        quats=work.take("g_quats", (v, 4)),
        logit_opacities=work.take("g_logit", (v,)),
        sh0=work.take("g_sh0", (v, 3)),
        shN=work.take("g_shN", (v, higher, 3)),
        screen=work.take("g_screen", (v, 4)),
    )
    projection_backward.project_backward(
        splats.means,
        frame.scales,
        splats.quats,
        frame.opacities,
        np.ascontiguousarray(splats.shN),
        frame.degree,
        frame.camera,
        kernel.psi,
        splats.antialiased,
        frame.records,
        frame.visible,
        frame.pair_start,
        pair_gradients,
        gradients.means,
        gradients.log_scales,
        gradients.quats,
        gradients.logit_opacities,
        gradients.sh0,
        gradients.shN,
        gradients.screen,
        *(harmonics.numbers() if isinstance(harmonics, HarmonicsStep) else _NO_STEP),
    )
    return gradients


_NO_STEP = (np.zeros((0, 3), np.float32), np.float32(0), np.float32(0))


def _zeros(work: Workspace, name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = work.take(name, shape)
    array[:] = 0.0
    return array
