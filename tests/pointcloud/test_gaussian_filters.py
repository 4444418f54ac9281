"""Filters drop what adds less than tau, and never anything else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from pointcloud.cpu.gaussian_features import gaussian_features
from pointcloud.cpu.gaussian_filters import Filter, least_distances, reach_of, voxel_boxes
from pointcloud.cpu.tiles import voxel_of

RNG = np.random.default_rng(0)
KINDS = ("voxel", "bbox", "distance")
COUNT, WIDTH = 40, 24


def gaussians(seed: int = 1, sharp: float = 8.0) -> tuple[np.ndarray, ...]:
    """Means, lower triangles, mixer and bias; some Gaussians are flat discs, some never matter."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(-1.1, 1.1, (COUNT, 3)).astype(np.float32)
    factors = np.tril(rng.normal(size=(COUNT, 3, 3)) * 0.4 * sharp)
    axes = np.arange(3)
    factors[:, axes, axes] = (
        sharp * rng.choice([-1, 1], (COUNT, 3)) * rng.uniform(0.1, 2, (COUNT, 3))
    )
    factors[:4, 2, 2] = 1e-3
    mixer = rng.normal(size=(WIDTH, COUNT)).astype(np.float32)
    mixer[:, -3:] *= 1e-5
    return means, factors, mixer, rng.normal(size=WIDTH).astype(np.float32)


def added(xyz: np.ndarray, means, factors, mixer) -> np.ndarray:
    """The most that each Gaussian adds to a feature at each point (n, k)."""
    seen = np.einsum("kij,nki->nkj", factors, xyz[:, None].astype(np.float64) - means)
    return np.abs(mixer).max(0) * np.exp(-0.5 * (seen**2).sum(2))


def test_the_least_distance_to_a_box_is_the_least() -> None:
    means, factors, _, _ = gaussians(sharp=2.0)
    low = RNG.uniform(-1, 0.5, (4, 3))
    high = low + RNG.uniform(0.05, 0.8, (4, 3))
    found = least_distances(low, high, means, factors)
    for box in range(4):
        for k in range(0, COUNT, 2):

            def squared(x: np.ndarray, k: int = k) -> float:
                return float(((factors[k].T @ (x - means[k])) ** 2).sum())

            best = min(
                minimize(squared, start, bounds=list(zip(low[box], high[box], strict=True))).fun
                for start in (low[box], high[box], (low[box] + high[box]) / 2)
            )
            assert found[box, k] <= best + 1e-6
            assert found[box, k] == pytest.approx(best, rel=1e-2, abs=1e-3)


def test_voxels_cover_everything() -> None:
    low, high = voxel_boxes(3)
    xyz = RNG.normal(size=(500, 3)).astype(np.float32) * 2
    place = voxel_of(xyz, 3)
    assert ((low[place] <= xyz) & (xyz <= high[place])).all()
    assert np.isinf(low).sum() == np.isinf(high).sum() == 27


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tau", [1e-4, 1e-2, 0.3])
def test_no_pair_that_adds_tau_is_dropped(kind: str, tau: float) -> None:
    means, factors, mixer, _ = gaussians()
    reach = reach_of(Filter(kind, tau, 4), means, factors, mixer)  # type: ignore[arg-type]
    # points everywhere, some outside the cube, and some right at the edges of Gaussians
    away = RNG.normal(size=(COUNT * 50, 3))
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    which = np.repeat(np.arange(COUNT), 50)
    radius = np.sqrt(np.maximum(2 * np.log(np.abs(mixer).max(0) / tau), 0))[which]
    steps = np.linalg.solve(factors[which].transpose(0, 2, 1), (away * radius[:, None])[..., None])
    edges = (means[which] + steps[..., 0]).clip(-3, 3)
    xyz = np.concatenate([RNG.uniform(-1.5, 1.5, (4000, 3)), edges]).astype(np.float32)
    matters = added(xyz, means, factors, mixer) >= tau
    if kind == "voxel":
        kept = np.zeros((64, COUNT), bool)
        for cell in range(64):
            kept[cell, reach.members[reach.starts[cell] : reach.starts[cell + 1]]] = True
        lets = kept[voxel_of(xyz, 4)]
    else:
        gaps = np.abs(xyz[:, None] - means)
        boxes = (gaps <= reach.half).all(2)
        lets = boxes if kind == "bbox" else (gaps**2).sum(2) <= reach.squared
    assert matters.any() and lets[matters].all()
    assert lets.mean() < 0.9, "it drops something"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("voxels", [1, 4])
def test_features_move_by_less_than_what_may_be_dropped(kind: str, voxels: int) -> None:
    parts = gaussians()
    exact = gaussian_features(*parts, Filter())
    clouds = [RNG.normal(size=(n, 3)).astype(np.float32) * 0.5 for n in (1, 50, 700)]
    expected, everything = exact.with_counts(clouds)
    assert everything == COUNT
    last = COUNT
    for tau in (1e-6, 1e-3, 0.1):
        found = gaussian_features(*parts, Filter(kind, tau, voxels))  # type: ignore[arg-type]
        features, active = found.with_counts(clouds)
        assert np.abs(features - expected).max() <= COUNT * tau + 1e-5
        assert active <= last
        last = active
    assert last < (0.6 if voxels == 4 else 1.01) * COUNT


def test_a_gaussian_that_is_never_heard_is_never_asked() -> None:
    means, factors, mixer, bias = gaussians()
    for kind in KINDS:
        found = gaussian_features(means, factors, 1e-6 * mixer, bias, Filter(kind, 1e-3, 2))
        features, active = found.with_counts([np.zeros((5, 3), np.float32)])
        assert active == 0
        np.testing.assert_array_equal(features[0], bias)


def test_filters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="kind: expected none, voxel"):
        Filter("sphere")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tau above 0"):
        Filter("voxel", 0.0)
