"""Splats as solid, shaded ellipsoids: where they lie and how they are turned, without their
blending."""

from __future__ import annotations

import numba
import numpy as np
from jaxtyping import Float32

from data.camera import Camera
from splatting.cpu import ellipsoids as cpu
from splatting.cpu.pipeline import pack_camera
from splatting.rasterization import RenderOutput
from splatting.splats import SH_C0, Splats

LIGHT = np.array([-0.40, -0.62, -0.68])
"""Towards the light in camera axes: over the viewer's left shoulder."""
AMBIENT = 0.4
SAMPLES = 2
"""Rays of a pixel along each axis."""


def radii(splats: Splats, level: float) -> Float32[np.ndarray, "n 3"]:
    """Half axes at which what a splat paints has faded to the alpha `level`; 0 where it never
    reaches it.

    On the screen a splat is o f(q) with q of the covariance psi Sigma (paper, section 3): so the
    ellipsoid is that of psi Sigma at the q where o f(q) = level, for any kernel.
    """
    opacities = 1.0 / (1.0 + np.exp(-splats.logit_opacities.astype(np.float64)))
    q = splats.kernel.cutoff_q(opacities / (255.0 * level))
    reach = np.sqrt(np.where(opacities > level, splats.kernel.psi * q, 0.0))
    return (np.exp(splats.log_scales) * reach[:, None]).astype(np.float32)


def draw(splats: Splats, camera: Camera, level: float = 0.15) -> RenderOutput:
    """The ellipsoids at which splats fade to the alpha `level`, as `camera` sees them.

    Colours are those of the constant harmonic. Fainter splats are left out, and so is what reaches
    behind the camera. ValueError unless 1/255 <= level < 1.
    """
    if not 1.0 / 255.0 <= level < 1.0:
        raise ValueError(f"level: expected 1/255 to below 1, found {level}")
    half = radii(splats, level)
    solid = np.flatnonzero(np.all(half > 0, axis=1))
    width, height = SAMPLES * camera.width, SAMPLES * camera.height
    packed = pack_camera(camera.resized(width, height))
    records, boxes = np.empty((len(solid), 13), np.float32), np.empty((len(solid), 4), np.int32)
    cpu.place(splats.means[solid], splats.quats[solid], half[solid], packed, records, boxes)
    ahead = np.flatnonzero(boxes[:, 0] < boxes[:, 1])
    nearest_first = ahead[np.argsort(records[ahead, cpu.NEAREST])]  # what is hidden costs little
    records, boxes = records[nearest_first], boxes[nearest_first]
    colours = np.clip(0.5 + SH_C0 * splats.sh0[solid[nearest_first]], 0, 1)
    owner, depth = np.empty((height, width), np.int32), np.empty((height, width), np.float32)
    rgb = np.empty((height, width, 3), np.float32)
    with numba.parallel_chunksize(1):
        cpu.intersect(records, boxes, packed, owner, depth)
    light = LIGHT / np.linalg.norm(LIGHT)
    cpu.shade(records, colours, packed, light, AMBIENT, owner, depth, rgb)
    hit = owner != cpu.NOTHING
    alpha = _mean(hit.astype(np.float32))
    return RenderOutput(_mean(rgb), alpha, _mean(np.where(hit, depth, np.float32(0))))


def _mean(samples: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """Over the samples of each pixel."""
    total = samples[::SAMPLES, ::SAMPLES].copy()
    for k in range(1, SAMPLES * SAMPLES):
        total += samples[k // SAMPLES :: SAMPLES, k % SAMPLES :: SAMPLES]
    return total / np.float32(SAMPLES * SAMPLES)
