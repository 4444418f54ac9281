"""Post-training quantisation of adapters: factors as codes of 1 to 8 bits (arXiv 2505.21895).

After training A and B become Q(A) and Q(B), each value replaced by the nearest of 2^bits levels of
its own tensor; the delta is made of those, sin(omega Q(B) Q(A)). The levels are the centroids of
one-dimensional k-means (the paper's choice), or evenly spaced from smallest to largest value.

The stable rank of what is stored stays close to that of the original. With E = Q(M) - M,
((||M||_F - ||E||_F) / (||M||_2 + ||E||_2))^2 <= SR(Q(M)), and with the signs swapped it is an upper
bound while ||E||_2 < ||M||_2: `stable_rank_bounds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float16, Float32, UInt8
from torch import Tensor

from backbones.adapters import Adapter, low_rank_parts

Method = Literal["kmeans", "uniform"]
BITS = range(1, 9)
_ROUNDS = 1000
"""Of k-means at most: it stops where nothing moves."""


@dataclass(frozen=True, eq=False)
class Quantised:
    """One tensor as it is stored."""

    codes: UInt8[np.ndarray, "bytes"]
    """`bits` bits a value, first value in the highest bits, zeros up to a whole byte."""
    table: Float16[np.ndarray, "levels"]
    """k-means: 2^bits centroids over `scale`, ascending; uniform: the first and the last level."""
    scale: np.float32
    """Largest absolute value: halves would lose small factors without it."""
    bits: int
    method: Method
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes that have to be kept."""
        return self.codes.nbytes + self.table.nbytes + self.scale.nbytes

    def values(self) -> Float32[np.ndarray, "..."]:
        """The tensor that the codes stand for."""
        table = self.table.astype(np.float32)
        if self.method == "uniform":
            table = np.linspace(table[0], table[1], 1 << self.bits, dtype=np.float32)
        count = int(np.prod(self.shape))
        return (self.scale * table)[unpack(self.codes, self.bits, count)].reshape(self.shape)


def quantise(
    values: Float[np.ndarray, "..."] | Float[Tensor, "..."], bits: int, method: Method = "kmeans"
) -> Quantised:
    """`values` in `bits` bits each. Raises ValueError for bits beyond 1..8 or values not finite."""
    if bits not in BITS:
        raise ValueError(f"bits: expected 1 to 8, got {bits}")
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    flat = np.asarray(values, np.float64).ravel()
    if not np.isfinite(flat).all():
        raise ValueError("values: expected finite numbers, got some that are not")
    scale = float(np.abs(flat).max(initial=0.0)) or 1.0
    unit = flat / scale
    if method == "uniform":
        table = np.array([unit.min(initial=0.0), unit.max(initial=0.0)], np.float16)
        levels = np.linspace(float(table[0]), float(table[1]), 1 << bits)
    elif method == "kmeans":
        table = np.sort(centroids(unit, 1 << bits)).astype(np.float16)
        levels = table.astype(np.float64)
    else:
        raise ValueError(f"method: expected kmeans or uniform, got {method!r}")
    codes = np.searchsorted((levels[:-1] + levels[1:]) / 2, unit)
    return Quantised(
        pack(codes, bits), table, np.float32(scale), bits, method, tuple(np.shape(values))
    )


def centroids(values: Float[np.ndarray, "n"], count: int) -> Float[np.ndarray, "count"]:
    """Centroids of k-means in one dimension, ascending: Lloyd's rounds over sorted values.

    They begin spaced by the cube root of the density, which is best for many levels (Panter-Dite).
    """
    ordered = np.sort(values)
    if not len(ordered):
        return np.zeros(count)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    members, edges = np.histogram(ordered, bins=32)
    density = np.concatenate([[0.0], np.cumsum(np.cbrt(members))])
    levels = np.interp((np.arange(count) + 0.5) / count * density[-1], density, edges)
    for _ in range(_ROUNDS):
        edges = np.searchsorted(ordered, (levels[:-1] + levels[1:]) / 2)
        ends = np.concatenate([[0], edges, [len(ordered)]])
        members = np.diff(ends)
        means = np.diff(sums[ends]) / np.maximum(members, 1)
        moved = np.sort(np.where(members > 0, means, levels))  # an empty one stays
        if np.array_equal(moved, levels):
            break
        levels = moved
    return levels


def pack(codes: np.ndarray, bits: int) -> UInt8[np.ndarray, "bytes"]:
    """Codes below 2^bits, bit after bit."""
    lowest = np.unpackbits(codes.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]
    return np.packbits(lowest)


def unpack(packed: UInt8[np.ndarray, "bytes"], bits: int, count: int) -> np.ndarray:
    """The `count` codes that `pack` packed."""
    lowest = np.unpackbits(packed, count=count * bits).reshape(count, bits)
    return np.packbits(np.pad(lowest, ((0, 0), (8 - bits, 0))), axis=1)[:, 0]


def table_length(bits: int, method: Method) -> int:
    """Numbers in the table of one tensor."""
    return 1 << bits if method == "kmeans" else 2


def stored_bytes(count: int, bits: int, method: Method = "kmeans") -> int:
    """Bytes of `count` values: codes up to a whole byte, table in halves, scale."""
    return -(-count * bits // 8) + 2 * table_length(bits, method) + 4


def quantise_adapters(
    adapters: dict[str, Adapter], bits: int, method: Method = "kmeans"
) -> dict[str, tuple[Quantised, Quantised]]:
    """Replace the factors A and B of each adapter by their quantised values; what to store."""
    found = {}
    for name, adapter in low_rank_parts(adapters).items():
        pair = quantise(adapter.a, bits, method), quantise(adapter.b, bits, method)
        with torch.no_grad():
            for factor, stored in zip((adapter.a, adapter.b), pair, strict=True):
                factor.copy_(torch.from_numpy(stored.values()))
        found[name] = pair
    return found


def stable_rank_bounds(
    matrix: Float[np.ndarray, "m n"], quantised: Float[np.ndarray, "m n"]
) -> tuple[float, float]:
    """Between which the stable rank of `quantised` lies, from `matrix` and the error alone."""
    exact = np.asarray(matrix, np.float64)
    error = np.asarray(quantised, np.float64) - exact
    frobenius, spectral = np.linalg.norm(exact), np.linalg.norm(exact, 2)
    off_frobenius, off_spectral = np.linalg.norm(error), np.linalg.norm(error, 2)
    low = max(frobenius - off_frobenius, 0.0) / (spectral + off_spectral)
    rest = spectral - off_spectral
    high = (frobenius + off_frobenius) / rest if rest > 0 else np.inf
    return float(low**2), float(high**2)
