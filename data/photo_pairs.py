"""Which pairs of photos to compare: all of a few, neighbours in a film, look-alikes among many.

Look-alikes are found without a trained vocabulary: the photos' own SIFT descriptors are clustered,
and each photo is the sum of what its descriptors have left over their cluster's centre (VLAD, Jegou
et al. 2010).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float32

Order = Literal["auto", "all", "film", "similar"]
"""All pairs; neighbours in the order of names; those that look alike; auto: all up to `MOST`
photos, similar beyond."""
MOST = 80
NEAR = 10
"""A photo of a film is compared to this many that follow, and to those 2, 4, 8, ... later."""
ALIKE, BESIDE = 20, 3
"""Look-alikes of each photo, and neighbours by name beside them: photos are taken in walks."""
_CENTRES, _SAMPLE = 64, 40_000


def choose(
    order: Order, ids: dict[str, int], descriptors: Callable[[int], np.ndarray]
) -> list[tuple[str, str]]:
    """Pairs of names; `ids` are sorted by name, `descriptors` gives (n, 128) bytes for an id."""
    names = list(ids)
    if order == "auto":
        order = "all" if len(names) <= MOST else "similar"
    if order == "all":
        return list(combinations(names, 2))
    if order == "film":
        return [(names[a], names[b]) for a, b in film(len(names))]
    signatures = vlad([descriptors(number) for number in ids.values()])
    return [(names[a], names[b]) for a, b in similar(signatures)]


def film(count: int) -> list[tuple[int, int]]:
    """Pairs of a sequence of `count`: the next `NEAR`, and powers of two beyond."""
    steps = sorted({*range(1, NEAR + 1), *(1 << k for k in range(count.bit_length()))})
    return [(a, a + step) for a in range(count) for step in steps if a + step < count]


def similar(signatures: Float32[np.ndarray, "n d"]) -> list[tuple[int, int]]:
    """Each photo with its `ALIKE` nearest by signature and `BESIDE` by name, each pair once."""
    likeness = signatures @ signatures.T
    np.fill_diagonal(likeness, -np.inf)
    nearest = np.argsort(-likeness, axis=1)[:, :ALIKE]
    pairs = {(min(a, int(b)), max(a, int(b))) for a, row in enumerate(nearest) for b in row}
    n = len(signatures)
    pairs |= {(a, a + k) for k in range(1, BESIDE + 1) for a in range(n - k)}
    return sorted(pair for pair in pairs if pair[0] != pair[1])


def vlad(descriptors: Sequence[np.ndarray]) -> Float32[np.ndarray, "n d"]:
    """A unit vector for each photo; photos that show the same things have similar ones."""
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(0)
    rooted = [_rooted(d) for d in descriptors]
    everything = np.concatenate(rooted)
    sample = everything[rng.permutation(len(everything))[:_SAMPLE]]
    # the sample is shuffled, so its first rows are as good a start as any
    centres, _ = kmeans2(sample, sample[:_CENTRES], iter=10, minit="matrix", missing="warn")
    signatures = np.zeros((len(rooted), len(centres), 128), np.float32)
    for row, points in enumerate(rooted):
        # |x - c|^2 = |x|^2 - 2 x.c + |c|^2, and the first is the same for all centres
        nearest = np.argmin((centres**2).sum(1) - 2.0 * points @ centres.T, axis=1)
        np.add.at(signatures[row], nearest, points - centres[nearest])
    flat = signatures.reshape(len(rooted), -1)
    flat = np.sign(flat) * np.sqrt(np.abs(flat))
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)


def _rooted(descriptors: np.ndarray) -> Float32[np.ndarray, "n 128"]:
    """Square roots of descriptors of sum 1 (RootSIFT)."""
    values = descriptors.astype(np.float32)
    return np.sqrt(values / np.maximum(values.sum(1, keepdims=True), 1e-12))
