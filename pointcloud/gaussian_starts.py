"""Where the Gaussians of an encoder begin: anywhere, on a grid, on grids of several levels, or
where the training points lie."""

from __future__ import annotations

from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

from data.neighbours import farthest_points
from pointcloud.config import GaussianConfig

_OFF_DIAGONAL = 0.01
"""Of T at the start, as published: a gradient reaches the axes from the first step."""
_ROUNDS = 25
_LEAST_SPREAD = 0.05


def starting_gaussians(
    config: GaussianConfig,
) -> tuple[Float[Tensor, "k 3"], Float[Tensor, "k 6"]]:
    """Means and lower triangles T (column by column) of the precision T T^T.

    Random numbers come from torch's own generator, as all first weights do. k-means begins at
    random: the points come later (`clustered_gaussians`).
    """
    count, reach = config.gaussians, config.reach
    scale = torch.ones(count)
    if config.start == "grid":
        means = _grid(count, ceil(count ** (1 / 3) - 1e-9), reach)
    elif config.start == "layered":
        means, scale = _layers(count, reach)
    else:
        means = (2 * torch.rand(count, 3) - 1) * reach
    return means, _triangles(scale)


def clustered_gaussians(
    config: GaussianConfig, points: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "k 3"], Float[Tensor, "k 6"]]:
    """Means at the centres of clusters of `points`, each as wide as its cluster.

    ValueError for fewer points than Gaussians.
    """
    if len(points) < config.gaussians:
        raise ValueError(
            f"points: expected {config.gaussians} or more to begin at, found {len(points)}"
        )
    means, spread = k_means(points, config.gaussians)
    return means, _triangles(1.0 / spread.clamp(min=_LEAST_SPREAD * config.reach))


def _triangles(scale: Float[Tensor, "k"]) -> Float[Tensor, "k 6"]:
    triangles = torch.full((len(scale), 6), _OFF_DIAGONAL)
    triangles[:, [0, 3, 5]] = 1.0
    return triangles * scale[:, None]


def k_means(
    points: Float[Tensor, "n 3"], count: int
) -> tuple[Float[Tensor, "k 3"], Float[Tensor, "k"]]:
    """Centres of `count` clusters, and the root mean square of each one's points around it along an
    axis (Lloyd's rounds from points far apart; an empty cluster takes the worst placed point)."""
    centres = points[torch.from_numpy(farthest_points(points.numpy(), count))].clone()
    for _ in range(_ROUNDS):
        squared, member = torch.cdist(points, centres).square().min(1)
        sizes = torch.bincount(member, minlength=count)
        sums = torch.zeros_like(centres).index_add_(0, member, points)
        centres = sums / sizes.clamp(min=1)[:, None]
        empty = (sizes == 0).nonzero().flatten()
        if len(empty):
            centres[empty] = points[squared.topk(len(empty)).indices]
    squared, member = torch.cdist(points, centres).square().min(1)
    sums = torch.zeros(count).index_add_(0, member, squared)
    return centres, (sums / torch.bincount(member, minlength=count).clamp(min=1) / 3).sqrt()


def _grid(count: int, side: int, reach: float) -> Float[Tensor, "k 3"]:
    """Centres of `count` of the side^3 cells of a cube, spread over them."""
    places = reach * ((2 * torch.arange(side) + 1) / side - 1)
    return torch.cartesian_prod(places, places, places)[torch.arange(count) * side**3 // count]


def _layers(count: int, reach: float) -> tuple[Float[Tensor, "k 3"], Float[Tensor, "k"]]:
    """Cells of 1, 2^3, 4^3, ...; each level's Gaussians half as wide as those before, as its cells
    are (T doubles: it is a factor of the precision)."""
    means, scale, side, left = [], [], 1, count
    while left:
        here = min(left, side**3)
        means.append(_grid(here, side, reach))
        scale.append(torch.full((here,), float(side)))
        side, left = 2 * side, left - here
    return torch.cat(means), torch.cat(scale)
