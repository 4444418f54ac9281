"""From tracks to a motion: what `darb3d lift` and `lifting.load().lift` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, Int64

from data.errors import UserError
from data.keypoints import Keypoints2D, checked_edges
from data.motion import Motion
from data.skeleton import Skeleton
from lifting.bones import constant_bones
from lifting.confidence import choose_cut
from lifting.lifter_files import SavedLifter, Terms, load_lifter, shipped_weights
from lifting.prediction import WindowConfig, differs, predict
from lifting.rigidity import infer_edges
from lifting.symmetry import symmetry_of

FEWEST_JOINTS = 3
_SPARSE = 4
"""Frames that are farther apart than this on average are no film."""


@dataclass(frozen=True)
class LiftOptions:
    """How tracks become a motion."""

    cut: float | None = None
    """Points of less confidence are left out; chosen from the data where not given."""
    upright: bool = True
    """Turn the result so that y is up; else it stays in the camera's axes (y down, z forward)."""
    up: tuple[float, float, float] | None = None
    """Against gravity in the camera's axes, where it is known."""
    root_relative: bool = False
    """Take the animal's path away."""
    known_length: tuple[str, str, float, str] | None = None
    """Two joints, the distance between them and its unit."""
    stills: bool | None = None
    """Whether each frame is lifted alone, with a camera and bones of its own: pictures that are no
    film. If not given, as the tracks say, or where frames are far apart."""


@dataclass(frozen=True, eq=False)
class _Lifted:
    """Frames that belong together."""

    xyz: Float64[np.ndarray, "t j 3"]
    radius: Float64[np.ndarray, "t j"]
    reprojected: Float64[np.ndarray, "t j 2"]
    up: Float64[np.ndarray, "3"]
    units: str


class Lift:
    """A lifter that is ready for tracks."""

    def __init__(self, saved: SavedLifter) -> None:
        self.model, self.about = saved.model, saved.about

    def lift(
        self,
        xy: Float[np.ndarray, "t j 2"],
        confidence: Float[np.ndarray, "t j"] | None = None,
        edges: Int64[np.ndarray, "e 2"] | None = None,
        fps: float | None = None,
        names: Sequence[str] | None = None,
    ) -> Motion:
        """The motion behind tracks in pixels, NaN where missing; `names` of joints tell left from
        right, and help to find edges. UserError for tracks that cannot be lifted."""
        shape = np.shape(xy)
        if len(shape) != 3 or shape[2] != 2:
            raise UserError(f"xy: expected shape (frames, joints, 2), found {shape}")
        trust = np.ones(shape[:2]) if confidence is None else confidence
        given = tuple(names or (f"point {joint + 1}" for joint in range(shape[1])))
        try:
            keypoints = Keypoints2D(np.asarray(xy), trust, given, edges, fps)
        except ValueError as error:
            raise UserError(f"xy: {error}") from None
        return self._lifted(keypoints, LiftOptions(), tuple(names or ()))  # then order may be any

    def lift_keypoints(
        self,
        keypoints: Keypoints2D,
        options: LiftOptions = LiftOptions(),
    ) -> Motion:
        """The motion behind one animal's tracks. Joints that are never seen are guessed from their
        neighbours and marked; UserError for tracks that cannot be lifted."""
        return self._lifted(keypoints, options, keypoints.names)

    def _lifted(
        self, keypoints: Keypoints2D, options: LiftOptions, names: tuple[str, ...]
    ) -> Motion:
        """The motion; `names` are what edges are found by where there are none."""
        _check(keypoints)
        xy, trust = keypoints.xy.copy(), keypoints.confidence
        cut = choose_cut(xy, trust) if options.cut is None else options.cut
        xy[trust < cut] = np.nan
        _check_points(xy, keypoints, cut)
        edges = (
            infer_edges(xy, names)
            if keypoints.edges is None
            else checked_edges(keypoints.edges, len(keypoints.names))
        )
        skeleton, frames = Skeleton(keypoints.names, edges), np.asarray(keypoints.frames)
        if _no_film(keypoints, options):
            found = self._stills(xy, skeleton, options)
        else:
            found = self._film(*_with_gaps(xy, frames), skeleton, options)
        return Motion(
            found.xyz,
            skeleton,
            fps=keypoints.fps or 30.0,
            name=keypoints.label,
            confidence=np.clip(trust, 0.0, 1.0),
            observed=np.asarray(np.isfinite(xy).all(axis=2)),
            xy=keypoints.xy,
            xy_reprojected=None if options.root_relative else found.reprojected,
            uncertainty=found.radius,
            frames=frames,
            up=(float(found.up[0]), float(found.up[1]), float(found.up[2])),
            units=found.units,
        )

    def _film(
        self,
        xy: Float64[np.ndarray, "s j 2"],
        rows: Int64[np.ndarray, "t"],
        skeleton: Skeleton,
        options: LiftOptions,
    ) -> _Lifted:
        """The frames `rows` of a sequence."""
        # scores mean other things in each tool: above the cut, all count alike
        sides = symmetry_of(skeleton.names)
        found = predict(self.model, xy, None, skeleton.edges, WindowConfig(), sides)
        xyz, radius = found.xyz[rows], found.radius[rows]
        if options.root_relative:
            xyz = xyz - xyz.mean(axis=1, keepdims=True)
        xyz = constant_bones(xyz, skeleton)
        away = np.maximum(1 + found.nearness * xyz[..., 2:], 0.2)
        reprojected = xyz[..., :2] / away + found.origin
        up = found.up if options.up is None else np.array(options.up) / np.linalg.norm(options.up)
        if options.upright:
            xyz, up = xyz @ upright(up).T, np.array([0.0, 1.0, 0.0])
        units = ""
        if options.known_length is not None:
            factor, units = _scale(xyz, skeleton.names, options.known_length)
            xyz, radius = factor * xyz, factor * radius
        return _Lifted(xyz, radius, reprojected, up, units)

    def _stills(
        self, xy: Float64[np.ndarray, "t j 2"], skeleton: Skeleton, options: LiftOptions
    ) -> _Lifted:
        """Each frame as a sequence of one; one in which nothing is seen is as the nearest other."""
        shown = np.flatnonzero([differs(frame[None]) for frame in xy])
        if not len(shown):
            raise UserError(
                "tracks: expected two points apart from each other, found no such frame"
            )
        one = np.zeros(1, np.int64)
        found = [self._film(xy[k : k + 1], one, skeleton, options) for k in shown]
        nearest = np.abs(np.arange(len(xy))[:, None] - shown).argmin(axis=1)
        xyz, radius, reprojected = (
            np.concatenate([getattr(part, name) for part in found])[nearest]
            for name in ("xyz", "radius", "reprojected")
        )
        return _Lifted(xyz, radius, reprojected, found[0].up, found[0].units)


def load(
    terms: Terms = "permissive",
    weights: str | Path | None = None,
    adapter: str | Path | None = None,
) -> Lift:
    """The lifter of this package, or one from a file, with the file of an `adapter` of it.

    UserError where there is none, and for an adapter of another lifter.
    """
    saved = load_lifter(shipped_weights(terms) if weights is None else weights)
    if adapter is not None:
        from lifting.adapting import load_adapted  # which brings along all that trains

        saved = load_adapted(saved, adapter)
    return Lift(saved)


def upright(up: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    """The rotation from a camera's axes to a frame whose y is `up` and whose z comes towards the
    camera, as far as it can.

    >>> upright(np.array([0.0, -1.0, 0.0])).round(6) + 0.0
    array([[ 1.,  0.,  0.],
           [ 0., -1.,  0.],
           [ 0.,  0., -1.]])
    """
    y = np.asarray(up, np.float64) / np.linalg.norm(up)
    near = np.array([0.0, 0.0, -1.0]) if abs(y[2]) < 0.99 else np.array([0.0, -1.0, 0.0])
    z = near - y * (near @ y)
    z /= np.linalg.norm(z)
    return np.stack([np.cross(y, z), y, z])


def _check(keypoints: Keypoints2D) -> None:
    if len(keypoints.names) < FEWEST_JOINTS:
        raise UserError(
            f"{keypoints.label or 'tracks'}: expected {FEWEST_JOINTS} or more joints, found"
            f" {len(keypoints.names)}; a depth needs others to compare with"
        )


def _check_points(xy: np.ndarray, keypoints: Keypoints2D, cut: float) -> None:
    label = keypoints.label or "tracks"
    seen = xy[np.isfinite(xy).all(axis=2)]
    if not len(seen):
        raise UserError(
            f"{label}: expected points of a confidence of {cut:.2f} or more, found none; lower"
            " --confidence-cut"
        )
    if not (np.ptp(seen, axis=0) > 0).any():
        raise UserError(f"{label}: expected points apart from each other, found all in one place")


def _no_film(keypoints: Keypoints2D, options: LiftOptions) -> bool:
    """Whether time says nothing of a frame."""
    if options.stills is not None:
        return options.stills
    frames = np.asarray(keypoints.frames)
    return keypoints.stills or int(frames[-1] - frames[0]) + 1 > _SPARSE * len(frames)


def _with_gaps(
    xy: np.ndarray, frames: Int64[np.ndarray, "t"]
) -> tuple[np.ndarray, Int64[np.ndarray, "t"]]:
    """Tracks with a row for each frame between the first and the last, and where the given ones
    stand; as they are where frames are so far apart that the rows between would be most."""
    span = int(frames[-1] - frames[0]) + 1
    if span > _SPARSE * len(frames):
        return xy, np.arange(len(xy))
    whole = np.full((span, *xy.shape[1:]), np.nan)
    rows = frames - frames[0]
    whole[rows] = xy
    return whole, rows


def _scale(
    xyz: np.ndarray, names: tuple[str, ...], known: tuple[str, str, float, str]
) -> tuple[float, str]:
    """What brings two joints to the distance that is known between them."""
    first, second, length, unit = known
    for name in (first, second):
        if name not in names:
            raise UserError(
                f"--known-length: expected joints among {', '.join(names):.200}, found {name!r}"
            )
    apart = np.median(
        np.linalg.norm(xyz[:, names.index(first)] - xyz[:, names.index(second)], axis=1)
    )
    if not apart > 0:
        raise UserError(f"--known-length: expected {first} and {second} apart, found them in one")
    return length / float(apart), unit
