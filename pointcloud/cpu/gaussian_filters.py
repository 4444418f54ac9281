"""Which Gaussians a point need not be asked about, and never one that it should be.

A Gaussian k whose largest weight is a_k adds less than tau to every feature where a_k g_k(x) < tau,
that is beyond the Mahalanobis distance r_k, r_k^2 = 2 ln(a_k / tau) (arXiv 2511.04797). Three ways
to tell from a box around points, each keeping every pair that adds tau or more:

* `voxel`: the least Mahalanobis distance between the mean and a voxel, exactly, in a table;
* `bbox`: the Gaussian's own box, |x_i - mu_i| <= r_k sqrt(Sigma_ii);
* `distance`: the sphere around it, |x - mu| <= r_k sqrt(largest eigenvalue of Sigma).

What is dropped adds less than tau for each Gaussian, so a feature moves by less than K tau.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from pointcloud.cpu.tiles import REACH

_KINDS = ("voxel", "bbox", "distance")
_SLACK = 1e-5
"""Of squared distances: points are compared in single precision."""


@dataclass(frozen=True)
class Filter:
    """How pairs of points and Gaussians are dropped."""

    kind: Literal["none", "voxel", "bbox", "distance"] = "none"
    tau: float = 1e-3
    """Contributions below it may be dropped."""
    voxels: int = 1
    """Along a side of the cube; points of a voxel are looked at together."""

    def __post_init__(self) -> None:
        if self.kind not in ("none", *_KINDS):
            raise ValueError(f"kind: expected none, {', '.join(_KINDS)}, found {self.kind!r}")
        if not 0 < self.tau < 1 or not 1 <= self.voxels <= 64:
            raise ValueError(
                f"expected tau above 0 and below 1 and 1 to 64 voxels, found {self.tau:g} and"
                f" {self.voxels}"
            )


@dataclass(frozen=True, eq=False)
class Reach:
    """Where each Gaussian counts, as the compiled loop asks for it."""

    filter: Filter
    kind: int
    """0: a list for each voxel; 1: boxes; 2: spheres."""
    starts: Int64[np.ndarray, "c"]
    """First of each voxel's `members`, and their number."""
    members: Int64[np.ndarray, "m"]
    means: Float32[np.ndarray, "k 3"]
    half: Float32[np.ndarray, "k 3"]
    """Half sides of boxes; negative where a Gaussian never counts."""
    squared: Float32[np.ndarray, "k"]
    """Squared radii of spheres; negative where it never counts."""


def reach_of(
    chosen: Filter,
    means: Float32[np.ndarray, "k 3"],
    factors: Float64[np.ndarray, "k 3 3"],
    mixer: Float32[np.ndarray, "e k"],
) -> Reach:
    """What `chosen` keeps of Gaussians with lower triangles T and a mixer."""
    count = len(means)
    centres = np.asarray(means, np.float64)
    most = np.abs(np.asarray(mixer, np.float64)).max(0)
    with np.errstate(divide="ignore"):
        radii = 2.0 * np.log(most / chosen.tau)  # squared, in widths; negative: never
    # Sigma = T^-T T^-1; a T without inverse reaches everything
    with np.errstate(all="ignore"):
        inverses = np.stack([_inverse(factor) for factor in factors])
        sigmas = inverses.transpose(0, 2, 1) @ inverses
        variances = np.diagonal(sigmas, axis1=1, axis2=2)
        widest = np.array([_largest_eigenvalue(sigma) for sigma in sigmas])
        half = np.sqrt(np.maximum(radii, 0)[:, None] * variances) * (1 + _SLACK) + _SLACK
        squared = np.maximum(radii, 0) * widest * (1 + _SLACK) + _SLACK
    never = radii < 0
    half[never], squared[never] = -1.0, -1.0
    half, squared = (np.nan_to_num(x, nan=np.inf, posinf=np.inf) for x in (half, squared))
    members, starts = np.arange(count), np.array([0, count])
    if chosen.kind == "none":
        starts = np.arange(chosen.voxels**3 + 1) * count
        members = np.tile(members, chosen.voxels**3)
    elif chosen.kind == "voxel":
        low, high = voxel_boxes(chosen.voxels)
        least = least_distances(low, high, centres, factors)
        kept = least <= radii * (1 + _SLACK) + _SLACK
        kept &= ~never
        members = np.nonzero(kept)[1]
        starts = np.concatenate([[0], np.cumsum(kept.sum(1))])
    kind = max(_KINDS.index(chosen.kind), 0) if chosen.kind in _KINDS else 0
    return Reach(
        chosen,
        kind,
        starts.astype(np.int64),
        members.astype(np.int64),
        np.ascontiguousarray(means, np.float32),
        half.astype(np.float32),
        squared.astype(np.float32),
    )


def voxel_boxes(
    voxels: int,
) -> tuple[Float64[np.ndarray, "c 3"], Float64[np.ndarray, "c 3"]]:
    """Lower and upper corners in the order of `tiles.voxel_of`; those at the border are
    infinite."""
    edges = np.linspace(-REACH, REACH, voxels + 1)
    edges[0], edges[-1] = -np.inf, np.inf
    places = np.array(list(product(range(voxels), repeat=3)))
    # a point is put into a voxel in single precision
    return edges[places] - _SLACK, edges[places + 1] + _SLACK


def least_distances(
    low: Float[np.ndarray, "c 3"],
    high: Float[np.ndarray, "c 3"],
    means: Float[np.ndarray, "k 3"],
    factors: Float[np.ndarray, "k 3 3"],
) -> Float64[np.ndarray, "c k"]:
    """The least squared Mahalanobis distance |T^T (x - mu)|^2 over each box.

    The least point of a convex quadratic in a box has each coordinate at a side, or free with slope
    zero: 27 cases, of which the least that lies in the box is it.
    """
    precisions = factors @ factors.transpose(0, 2, 1)
    sides = (low[:, None] - means, high[:, None] - means)
    slack = _SLACK * (1.0 + np.abs(means).max())
    least = np.full((len(low), len(means)), np.inf)
    for case in product((0, 1, None), repeat=3):
        held = [axis for axis in range(3) if case[axis] is not None]
        free = [axis for axis in range(3) if case[axis] is None]
        away = np.zeros((len(low), len(means), 3))
        for axis in held:
            away[..., axis] = sides[case[axis]][..., axis]  # type: ignore[index]
        possible = np.isfinite(away).all(2)
        away[~possible] = 0.0
        if free and held:
            inner = precisions[:, free][:, :, free]
            slopes = np.einsum("kfh,ckh->kfc", precisions[:, free][:, :, held], away[..., held])
            found = np.stack([_solved(a, b) for a, b in zip(inner, slopes, strict=True)])
            away[..., free] = -found.transpose(2, 0, 1)
        inside = (away >= sides[0] - slack) & (away <= sides[1] + slack)
        seen = np.einsum("kij,cki->ckj", factors, away)
        squared = np.where(possible & inside.all(2), (seen * seen).sum(2), np.inf)
        least = np.minimum(least, squared)
    return least


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """`matrix` x = `right`, also where a Gaussian is so flat that it has no inverse."""
    return np.linalg.lstsq(matrix, right, rcond=None)[0]


def _inverse(factor: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.inv(factor)
    except np.linalg.LinAlgError:
        return np.full((3, 3), np.inf)


def _largest_eigenvalue(sigma: np.ndarray) -> float:
    if not np.isfinite(sigma).all():
        return np.inf
    return float(np.linalg.eigvalsh(sigma)[-1])
