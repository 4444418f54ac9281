"""Splats: the stored, unconstrained parameters of a scene, and how they start from a point
cloud."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float32

from data.clouds import PointCloud
from splatting.kernels import Kernel

SH_C0 = 0.28209479177387814
"""The constant spherical harmonic 1 / (2 sqrt(pi))."""


@dataclass(frozen=True, eq=False)
class Splats:
    """n splats in float32; stored values are unconstrained, activated ones have other names."""

    means: Float32[np.ndarray, "n 3"]
    """World coordinates."""
    log_scales: Float32[np.ndarray, "n 3"]
    """Natural logarithm of sigma along the splat's own axes, in scene units."""
    quats: Float32[np.ndarray, "n 4"]
    """Rotation wxyz, of any length but zero."""
    logit_opacities: Float32[np.ndarray, "n"]
    sh0: Float32[np.ndarray, "n 3"]
    """Constant spherical harmonic of the colour; rgb = 0.5 + SH_C0 sh0 + ..."""
    shN: Float32[np.ndarray, "n k 3"]
    """Higher harmonics, k = (degree + 1)^2 - 1, basis order and signs of 3DGS."""
    kernel: Kernel
    antialiased: bool = False
    """Whether a splat keeps its paint when the low-pass of 0.3 px widens it (Mip-Splatting)."""
    origin_world: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the COLMAP model has the zero of `means` (see `Scene.origin_world`)."""

    def __len__(self) -> int:
        return len(self.means)

    @property
    def sh_degree(self) -> int:
        """Highest degree of the stored harmonics, 0 to 3."""
        return round(np.sqrt(self.shN.shape[1] + 1)) - 1

    def arrays(self) -> dict[str, np.ndarray]:
        """The parameter arrays by name, without the kernel."""
        return {name: getattr(self, name) for name in PARAMETERS}

    def take(self, index: np.ndarray) -> Splats:
        """The splats that `index` (integers or a mask) picks, copied."""
        return replace(self, **{name: array[index] for name, array in self.arrays().items()})


def with_origin(splats: Splats, origin_world: tuple[float, float, float]) -> Splats:
    """The same splats in the world, counted from another zero."""
    if splats.origin_world == origin_world:
        return splats
    offset = np.array(splats.origin_world) - np.array(origin_world)
    means = (splats.means + offset).astype(np.float32)
    return replace(splats, means=means, origin_world=origin_world)


def scaled(splats: Splats, factor: float) -> Splats:
    """The same splats in a world `factor` times as large, about the zero of the model.

    Harmonics stay as they are: they ask for directions alone, and those do not change.
    """
    x, y, z = (factor * value for value in splats.origin_world)
    return replace(
        splats,
        means=splats.means * np.float32(factor),
        log_scales=splats.log_scales + np.float32(np.log(factor)),
        origin_world=(x, y, z),
    )


PARAMETERS = tuple(
    field.name
    for field in fields(Splats)
    if field.name not in ("kernel", "antialiased", "origin_world")
)


def concatenate(parts: list[Splats]) -> Splats:
    """All splats of `parts` in order; they share one kernel and one degree."""
    columns = [part.arrays() for part in parts]
    return replace(
        parts[0],
        **{name: np.concatenate([c[name] for c in columns]) for name in PARAMETERS},
    )


def from_points(
    points: PointCloud,
    kernel: Kernel,
    sh_degree: int = 3,
    opacity: float = 0.1,
    antialiased: bool = False,
) -> Splats:
    """Isotropic splats at the points, sigma = the mean distance of the three nearest neighbours.

    The scale is matched by screen mass: a kernel that covers more than the Gaussian of the same
    sigma starts smaller, so that every kernel starts from the same density of paint.
    """
    from data.neighbours import nearest

    xyz = np.asarray(points.xyz, np.float64)
    n = len(xyz)
    neighbours = min(4, n)
    distances, _ = nearest(xyz, xyz, neighbours)
    spacing = np.sqrt(np.mean(distances[:, 1:] ** 2, axis=1)) if neighbours > 1 else np.ones(n)
    # duplicates have no spacing and strays have too much: both would never recover
    apart = spacing[spacing > 0] if spacing.any() else np.ones(1)
    spacing = np.clip(spacing, np.median(apart) * 1e-2, np.quantile(apart, 0.99))
    rgb = np.full((n, 3), 0.5) if points.rgb is None else points.rgb / 255.0
    quats = np.zeros((n, 4), np.float32)
    quats[:, 0] = 1.0
    log_scale = np.log(spacing * kernel.mass_matched_scale)
    return Splats(
        means=xyz.astype(np.float32),
        log_scales=np.repeat(log_scale[:, None], 3, axis=1).astype(np.float32),
        quats=quats,
        logit_opacities=np.full(n, np.log(opacity / (1.0 - opacity)), np.float32),
        sh0=((rgb - 0.5) / SH_C0).astype(np.float32),
        shN=np.zeros((n, (sh_degree + 1) ** 2 - 1, 3), np.float32),
        kernel=kernel,
        antialiased=antialiased,
    )
