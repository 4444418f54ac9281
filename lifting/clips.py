"""Rigs in motion from disk: what the lifter learns from and is measured on.

A rig is a skeleton with its clips. Rigs whose hierarchies are equal are one family, whatever their
names: they are never split between training and testing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64

from data.errors import UserError
from data.motion import Motion
from data.npz import read_arrays
from data.points3d import read_points3d
from data.skeleton import Skeleton
from lifting.symmetry import Symmetry, symmetry_of

PERMISSIVE = ("cc0", "cc-by-4", "cc-by-3", "mit", "apache", "bsd", "generated")
"""How the licences begin under which weights may be given on without conditions on their use."""
_MIRRORED = ("0ad_fauna__", "animalia__")
"""How rigs are called whose files have left-handed axes, so that what they call left lies right."""
_NAMED_ACROSS = ("0ad_fauna__cattle", "0ad_fauna__zebu")
"""Those of them whose makers called left what lies right, too."""


@dataclass(frozen=True, eq=False)
class RigClips:
    """All clips of one rig."""

    name: str
    skeleton: Skeleton
    clips: tuple[Motion, ...]
    licence: str = ""

    @property
    def family(self) -> tuple[int, ...]:
        """Its hierarchy: equal for rigs that are never split."""
        return tuple(self.skeleton.parents.tolist())

    @property
    def symmetry(self) -> Symmetry:
        """Its sides, as they lie in the axes of its clips."""
        found = symmetry_of(self.skeleton.names)
        mirrored = self.name.startswith(_MIRRORED) and self.name not in _NAMED_ACROSS
        return found.turned if mirrored else found

    @property
    def frames(self) -> int:
        return sum(len(clip) for clip in self.clips)

    @property
    def permissive(self) -> bool:
        return self.licence.lower().startswith(PERMISSIVE)


def load_rigs(path: str | Path, names: Iterable[str] | None = None) -> list[RigClips]:
    """The rigs of a folder, one for each file, or of one file; only those of `names` (stems) where
    given. UserError where there are none, and for clips with points that are missing."""
    path = Path(path)
    files = [path] if path.is_file() else sorted(path.glob("*.npz")) + sorted(path.glob("*.csv"))
    if names is not None:
        wanted = set(names)
        files = [file for file in files if file.stem in wanted]
        if missing := wanted - {file.stem for file in files}:
            raise UserError(f"{path}: expected the rig {min(missing)}, found none of that name")
    if not files:
        raise UserError(f"{path}: expected rigs in motion (.npz, .csv), found none")
    return [_rig(file) for file in files]


def _rig(path: Path) -> RigClips:
    clips = tuple(clip for clip in map(without_gaps, read_points3d(path)) if clip is not None)
    if not clips:
        raise UserError(
            f"{path}: expected clips of three or more points that are there in each frame, found"
            " none"
        )
    licence = ""
    if path.suffix == ".npz":
        stored = read_arrays(path).get("licence")
        licence = "" if stored is None else str(stored.ravel()[0])
    return RigClips(path.stem, clips[0].skeleton, clips, licence)


def without_gaps(motion: Motion) -> Motion | None:
    """The frames of a clip in which all points are known, None without any; points that stand still
    on one another make no clip either."""
    whole = np.isfinite(motion.xyz).all(axis=(1, 2))
    if not whole.any() or len(motion.skeleton) < 3:
        return None
    xyz = motion.xyz[whole]
    if not (np.ptp(xyz, axis=1).max(axis=1) > 0).all():
        return None
    return Motion(xyz, motion.skeleton, fps=motion.fps, name=motion.name, up=motion.up)


def families(rigs: Sequence[RigClips]) -> dict[tuple[int, ...], list[RigClips]]:
    """Rigs by their hierarchy."""
    found: dict[tuple[int, ...], list[RigClips]] = {}
    for rig in rigs:
        found.setdefault(rig.family, []).append(rig)
    return found


def resampled(
    xyz: Float[np.ndarray, "t j 3"], places: Float64[np.ndarray, "s"]
) -> Float64[np.ndarray, "s j 3"]:
    """A clip at times between its frames (0 is the first), by cubic interpolation."""
    from scipy.interpolate import CubicSpline

    frames = len(xyz)
    if frames == 1:
        return np.repeat(np.asarray(xyz, np.float64), len(places), axis=0)
    if frames < 4 or (places == np.round(places)).all():
        low = np.clip(np.floor(places).astype(int), 0, frames - 2)
        share = (places - low)[:, None, None]
        return (1 - share) * xyz[low] + share * xyz[low + 1]
    return CubicSpline(np.arange(frames), xyz, axis=0)(places)


def quickly_resampled(
    xyz: Float[np.ndarray, "t j 3"], places: Float64[np.ndarray, "s"]
) -> Float64[np.ndarray, "s j 3"]:
    """The same in less time, by B-splines that stand still where the clip ends."""
    from scipy.ndimage import spline_filter1d

    frames = len(xyz)
    if frames < 4:
        return resampled(xyz, places)
    weights = spline_filter1d(np.asarray(xyz, np.float64), axis=0, mode="mirror")
    low = np.clip(np.floor(places).astype(int), 0, frames - 2)
    s = places - low
    shares = np.stack([(1 - s) ** 3, 3 * s**3 - 6 * s**2 + 4, 1 + 3 * (s + s**2 - s**3), s**3]) / 6
    around = np.abs(low + np.arange(-1, 3)[:, None])
    around = frames - 1 - np.abs(frames - 1 - around)
    return np.einsum("ks,ksjc->sjc", shares, weights[around])


def windows(motion: Motion, length: int = 48) -> list[Motion]:
    """A clip cut into windows of `length` frames that do not overlap, drawn out to a multiple of
    `length` first, as AnimalSyn3D does."""
    count = max(1, -(-len(motion) // length))
    xyz = resampled(motion.xyz, np.linspace(0, len(motion) - 1, count * length))
    return [
        Motion(
            xyz[k * length : (k + 1) * length],
            motion.skeleton,
            fps=motion.fps,
            name=f"{motion.name}/{k}",
            up=motion.up,
        )
        for k in range(count)
    ]
