"""Likely floaters: splats that hang in the air where the photos see through.

Four reasons to doubt a splat, each from 0 to 1, joined as independent witnesses would be,
1 - product of (1 - reason):

* *past*: cameras see past it; what they see at its place lies behind it (SparseGS, Xiong et al.
  2023, prunes where depths disagree like this);
* *lone*: it stands near a camera and paints in few of them (training explains a single photo by a
  speck before its lens);
* *alone*: it touches none of its neighbours, which lie beyond its own reach (statistical outlier
  removal, Rusu 2009, in the splat's own sigmas: backgrounds are sparse, but their splats are wide);
* *haze*: it is faint and many times as wide as its neighbours (3DGS prunes by opacity and size,
  Kerbl et al. 2023; relative to neighbours, as in the local outlier factor of Breunig et al. 2000).

Without cameras the last two are left. Nothing is drawn at random. What leaving them out costs on
held-out photos is measured by `benchmarks/floaters.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64

from data.camera import Camera
from data.neighbours import nearest
from data.random_points import looking_distance
from splatting.contribution import contributions
from splatting.rasterization import render
from splatting.selection import largest_sigmas, opacities
from splatting.splats import Splats

MOST_CAMERAS = 60
"""More are thinned, evenly, to no more than this."""
LONGEST_SIDE_PX = 400
"""Cameras are shrunk to this: floaters are not fine."""
TOUCHING, NEIGHBOURS = 4, 16
"""How many neighbours a splat should touch, and among how many it should not stand out."""
BEHIND = 1.1
"""What lies this many times as far, and half a sigma more, lies behind a splat."""
HIDDEN = 0.95
"""A splat is hidden where less than this share of its depth is seen."""
CONFIRMED = 0.5
"""What is left of a reason among neighbours once several cameras see the splat: not enough alone
(`benchmarks.floaters --inner` compares it with others on photos taken out of the training ones)."""


def floater_scores(
    splats: Splats,
    cameras: Sequence[Camera] = (),
    tick: Callable[[], Any] = lambda: None,
    confirmed: float = CONFIRMED,
) -> Float64[np.ndarray, "n"]:
    """How likely each splat is a floater, from 0 to 1; half and more is likely.

    `cameras` are those whose photos the splats were trained on, `tick` is called after each of them
    (at most `MOST_CAMERAS` times), `confirmed` replaces `CONFIRMED`.
    """
    alone, haze = _among_neighbours(splats)
    if not len(cameras):
        return _joined(alone, haze)
    past, near, few = _seen_from([_small(camera) for camera in thinned(cameras)], splats, tick)
    doubt = np.maximum(few, confirmed)
    return _joined(past, near * few, doubt * alone, doubt * haze)


def _joined(*reasons: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    return 1.0 - np.prod([1.0 - reason for reason in reasons], axis=0)


def thinned(cameras: Sequence[Camera]) -> Sequence[Camera]:
    """The cameras that are asked: evenly at most `MOST_CAMERAS` of them."""
    return cameras[:: max(1, -(-len(cameras) // MOST_CAMERAS))]


def _among_neighbours(
    splats: Splats,
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
    """*alone* and *haze*."""
    xyz, sigmas = splats.means.astype(np.float64), largest_sigmas(splats)
    if len(xyz) <= TOUCHING:
        return np.zeros(len(xyz)), np.zeros(len(xyz))
    distances, index = nearest(xyz, xyz, min(NEIGHBOURS + 1, len(xyz)))
    reach = distances[:, 1 : TOUCHING + 1].mean(axis=1) / sigmas
    wider = sigmas / np.median(sigmas[index[:, 1:]], axis=1)
    faint = _ramp(opacities(splats), 0.25, 0.05)
    return _ramp(reach, 2.5, 5.0), _ramp(np.log(wider), np.log(6.0), np.log(20.0)) * faint


def _seen_from(
    cameras: Sequence[Camera], splats: Splats, tick: Callable[[], Any]
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
    """*past*, how near to a camera, and in how few cameras it paints."""
    n, sigmas = len(splats), largest_sigmas(splats)
    before, open_to, paints_in = np.zeros(n), np.zeros(n), np.zeros(n)
    closest = np.full(n, np.inf)
    for camera in cameras:
        in_front, unhidden = _against_depth(splats, sigmas, camera)
        before += in_front
        open_to += unhidden
        paints_in += contributions(splats, [camera])[1]
        distance = np.linalg.norm(splats.means - camera.position_world, axis=1)
        closest = np.minimum(closest, distance)
        tick()
    near = _ramp(closest / looking_distance(cameras), 0.5, 0.25)
    # half a camera of doubt: one that sees past is enough for 0.67, two of two for 0.8
    return before / (open_to + 0.5), near, _ramp(paints_in, 3.0, 1.0)


def _against_depth(
    splats: Splats, sigmas: Float64[np.ndarray, "n"], camera: Camera
) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Which splats stand before what `camera` sees at their place, and which are not hidden."""
    drawn = render(splats, camera)
    seen = np.where(drawn.alpha > 0.5, drawn.depth / np.maximum(drawn.alpha, 0.5), np.inf)
    pose = camera.cam_from_world
    x, y, z = (splats.means @ pose[:3, :3].T + pose[:3, 3]).T
    with np.errstate(divide="ignore", invalid="ignore"):
        column = camera.K[0, 0] * x / z + camera.K[0, 2]
        row = camera.K[1, 1] * y / z + camera.K[1, 2]
        inside = (z > 0) & (column >= 0) & (column < camera.width)
        inside &= (row >= 0) & (row < camera.height)
    depth = np.zeros(len(z))
    depth[inside] = seen[row[inside].astype(int), column[inside].astype(int)]
    return inside & (depth > BEHIND * z + 0.5 * sigmas), inside & (depth > HIDDEN * z)


def _ramp(x: Float[np.ndarray, "n"], none: float, full: float) -> Float64[np.ndarray, "n"]:
    """0 up to `none`, 1 from `full`, straight between; `full` may be the lower one."""
    return np.clip((x - none) / (full - none), 0.0, 1.0)


def _small(camera: Camera) -> Camera:
    shrink = min(1.0, LONGEST_SIDE_PX / max(camera.width, camera.height))
    width, height = max(1, round(camera.width * shrink)), max(1, round(camera.height * shrink))
    return camera.resized(width, height)
