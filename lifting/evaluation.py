"""A lifter, or anything that lifts, on the clips of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from lifting.metrics import coverage, errors
from lifting.model import Lifter
from lifting.prediction import WindowConfig, predict
from lifting.protocol import TestClip, hide, mean_over_rigs

Lift = Callable[[TestClip, Float64[np.ndarray, "t j 2"]], "Lifted"]


@dataclass(frozen=True, eq=False)
class Lifted:
    """What came out for one clip."""

    xyz: Float64[np.ndarray, "t j 3"]
    radius: Float64[np.ndarray, "t j"] | None = None
    xy: Float64[np.ndarray, "t j 2"] | None = None
    """Where it falls in the picture."""


def lifter_as_lift(model: Lifter, config: WindowConfig = WindowConfig()) -> Lift:  # noqa: B008
    """A model in the interface of the baselines."""

    def lift(clip: TestClip, xy: Float64[np.ndarray, "t j 2"]) -> Lifted:
        found = predict(model, xy, None, clip.edges, config, clip.symmetry)
        return Lifted(found.xyz, found.radius, found.xy)

    return lift


def evaluate(
    lift: Lift,
    clips: Sequence[TestClip],
    hidden: float = 0.0,
    seed: int = 0,
    jitter: float = 0.0,
) -> list[dict[str, Any]]:
    """One row a clip: its rig and view, its errors, the share of joints within the radius, and the
    distance from the tracks in the picture, over the size of the animal there. A share `hidden` of
    all points is hidden, and each is moved by `jitter` of that size (standard deviation along
    either axis, frame by frame), the same for every lifter."""
    rows = []
    for number, clip in enumerate(clips):
        rng, xy = np.random.default_rng([seed, number]), clip.view.xy
        if hidden:
            xy = hide(xy, hidden, rng)
        if jitter:
            xy = xy + jitter * _size(clip.view.xy) * rng.standard_normal(xy.shape)
        lifted = lift(clip, xy)
        row: dict[str, Any] = {"rig": clip.rig, "category": clip.category, "clip": clip.clip}
        row["elevation_deg"] = round(float(np.degrees(clip.view.elevation_rad)), 1)
        row |= asdict(errors(lifted.xyz, clip.truth))
        if lifted.radius is not None:
            row["inside"] = coverage(lifted.xyz, clip.truth, lifted.radius)[0]
        if lifted.xy is not None:
            off = np.linalg.norm(lifted.xy - clip.view.xy, axis=2)
            row["reprojection"] = float(off.mean() / _size(clip.view.xy))
        rows.append(row)
    return rows


def _size(xy: Float64[np.ndarray, "t j 2"]) -> float:
    """Of the animal in the picture: root mean square distance of joints from their middle."""
    middle = xy.mean(axis=1, keepdims=True)
    return float(np.sqrt(((xy - middle) ** 2).sum(axis=2).mean()))


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Means over rigs of all that is a number; errors in % of the box's diagonal."""
    rigs = [row["rig"] for row in rows]
    found = {}
    for name, value in rows[0].items():
        if isinstance(value, float) and name != "elevation_deg":
            mean = mean_over_rigs([row[name] for row in rows], rigs)
            relative = "mpjpe" in name or "mpve" in name
            found[name] = 100 * mean if relative and "units" not in name else mean
    return found
