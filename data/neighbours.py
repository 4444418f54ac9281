"""Neighbours among points: one call, and behind it scipy, numba or pytorch3d, which agree.

This is the only file that knows pytorch3d, which no package index offers as a wheel: whoever built
it from source gets its GPU search and its cameras, nobody else misses anything.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int64

from data.camera import Camera
from data.errors import UserError

BACKENDS = ("scipy", "numba", "pytorch3d")


def available() -> tuple[str, ...]:
    """Back ends whose package is installed; nothing is imported to find out."""
    return tuple(name for name in BACKENDS if _installed(name))


def nearest(
    points: Float[np.ndarray, "n d"],
    queries: Float[np.ndarray, "m d"],
    k: int,
    backend: str = "scipy",
) -> tuple[Float64[np.ndarray, "m k"], Int64[np.ndarray, "m k"]]:
    """Distances to and indices of the `k` points nearest to each query, nearest first.

    Raises ValueError unless 1 <= k <= n, UserError for a back end that is not installed.

    >>> nearest(np.array([[0.0], [1.0], [5.0]]), np.array([[1.2]]), 2)[1]
    array([[1, 0]])
    """
    points, queries = np.asarray(points, np.float64), np.asarray(queries, np.float64)
    if not 1 <= k <= len(points):
        raise ValueError(f"k: expected 1 to {len(points)} (the number of points), got {k}")
    return _chosen(backend, {"scipy": _tree, "numba": _scan, "pytorch3d": _knn_points})(
        points, queries, k
    )


def farthest_points(
    points: Float[np.ndarray, "n d"], k: int, start: int = 0, backend: str = "numba"
) -> Int64[np.ndarray, "k"]:
    """Indices of `k` points, each the farthest from all before it; the first is `start`.

    Of equally far ones the lowest index wins. Raises ValueError unless 1 <= k <= n.

    >>> farthest_points(np.array([[0.0], [1.0], [5.0]]), 2)
    array([0, 2])
    """
    points = np.asarray(points, np.float64)
    if not 1 <= k <= len(points):
        raise ValueError(f"k: expected 1 to {len(points)} (the number of points), got {k}")
    if not 0 <= start < len(points):
        raise ValueError(f"start: expected 0 to {len(points) - 1}, got {start}")
    backends = {"numba": _spread, "pytorch3d": _sample_farthest_points}
    return _chosen(backend, backends)(points, k, start)


def pytorch3d_cameras(cameras: Sequence[Camera]) -> Any:
    """`cameras` as one batch of pytorch3d PerspectiveCameras in screen space.

    pytorch3d points x left and y up and multiplies row vectors: X_cam = X_world R + T.
    """
    _require("pytorch3d")
    import torch
    from pytorch3d.renderer import PerspectiveCameras

    flip = np.diag([-1.0, -1.0, 1.0])
    rotations = np.stack([(flip @ c.cam_from_world[:3, :3]).T for c in cameras])
    translations = np.stack([flip @ c.cam_from_world[:3, 3] for c in cameras])
    focal = np.stack([[c.K[0, 0], c.K[1, 1]] for c in cameras])
    centre = np.stack([c.K[:2, 2] for c in cameras])
    size = np.array([[c.height, c.width] for c in cameras])
    as_tensor = functools.partial(torch.as_tensor, dtype=torch.float32)
    return PerspectiveCameras(
        R=as_tensor(rotations),
        T=as_tensor(translations),
        focal_length=as_tensor(focal),
        principal_point=as_tensor(centre),
        image_size=torch.as_tensor(size),
        in_ndc=False,
    )


def _chosen(backend: str, known: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    if backend not in known:
        raise ValueError(f"backend: expected one of {', '.join(known)}, got {backend!r}")
    _require(backend)
    return known[backend]


def _require(package: str) -> None:
    if not _installed(package):
        build = "build it from source (docs/decisions.md says how)"
        remedy = build if package == "pytorch3d" else f"pip install {package}"
        raise UserError(f"neighbours: expected the package {package}, found none; {remedy}")


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False


def _tree(points: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import KDTree

    distances, indices = KDTree(points).query(queries, k=k, workers=-1)
    # scipy drops the second axis when k is 1
    shape = (len(queries), k)
    return np.reshape(distances, shape), np.reshape(indices, shape).astype(np.int64)


def _scan(points: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    squared, indices = _compiled()[0](points, queries, k)
    return np.sqrt(squared), indices


def _spread(points: np.ndarray, k: int, start: int) -> np.ndarray:
    return _compiled()[1](points, k, start)


def _knn_points(points: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    import torch
    from pytorch3d.ops import knn_points

    batch = [torch.from_numpy(array.astype(np.float32))[None] for array in (queries, points)]
    found = knn_points(*batch, K=k, return_sorted=True)
    return found.dists[0].double().sqrt().numpy(), found.idx[0].numpy()


def _sample_farthest_points(points: np.ndarray, k: int, start: int) -> np.ndarray:
    import torch
    from pytorch3d.ops import sample_farthest_points

    # its CPU code always starts at the first point: put ours there
    order = np.r_[start, np.delete(np.arange(len(points)), start)]
    batch = torch.from_numpy(points[order].astype(np.float32))[None]
    _, indices = sample_farthest_points(batch, K=k, random_start_point=False)
    return order[indices[0].numpy()]


@functools.cache
def _compiled() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """numba's loops, compiled at the first call ever: importing this file stays free of numba."""
    from numba import njit

    @njit(nogil=True, cache=True)
    def measure(columns, place, squared):
        # axis after axis, each along all points: loops that LLVM makes vectors of
        for axis in range(len(columns)):
            column, here = columns[axis], place[axis]
            if axis == 0:
                squared[:] = 0.0
            for j in range(len(squared)):
                squared[j] += (column[j] - here) ** 2

    @njit(nogil=True, cache=True)
    def scan(points, queries, k):
        columns = np.ascontiguousarray(points.T)
        found = np.full((len(queries), k), np.inf)
        indices = np.zeros((len(queries), k), np.int64)
        squared = np.empty(len(points))
        for i in range(len(queries)):
            measure(columns, queries[i], squared)
            farthest = np.inf
            for j in range(len(points)):
                distance = squared[j]
                if distance < farthest:
                    place = k - 1
                    while place > 0 and found[i, place - 1] > distance:
                        found[i, place] = found[i, place - 1]
                        indices[i, place] = indices[i, place - 1]
                        place -= 1
                    found[i, place], indices[i, place] = distance, j
                    farthest = found[i, k - 1]
        return found, indices

    @njit(nogil=True, cache=True)
    def spread(points, k, start):
        columns = np.ascontiguousarray(points.T)
        chosen = np.empty(k, np.int64)
        chosen[0] = start
        nearest = np.full(len(points), np.inf)
        squared = np.empty(len(points))
        for i in range(1, k):
            measure(columns, points[chosen[i - 1]], squared)
            for j in range(len(points)):
                nearest[j] = min(nearest[j], squared[j])
            chosen[i] = np.argmax(nearest)
        return chosen

    return scan, spread
