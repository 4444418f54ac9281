"""Parts of a job that threads take one after the other, whoever is free.

Numba's OpenMP pool gives each thread as many parts of a parallel loop as the others, side by side,
whatever they cost; so loops over parts that differ run over threads, and each takes from a queue:

    queue = np.zeros(1, np.int64)
    for _ in prange(threads):
        part = take(queue)
        while part < parts:
            ...
            part = take(queue)

`threads` is passed in: a compiled loop that asks numba for it holds an address of this process, so
it could not be kept on disk.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import overload

from simd.lanes import intrinsic


def take(queue):
    """The number in `queue (1,)` int64, which counts on: no two threads are given the same."""
    part = queue[0]
    queue[0] += 1
    return part


@intrinsic
def _take(typing, queue):
    def code(context, builder, signature, given):
        data: Any = context.make_array(queue)(context, builder, given[0]).data
        one = ir.Constant(ir.IntType(64), 1)
        # nothing else is ordered by it: parts are told apart, and no more
        return builder.atomic_rmw("add", data, one, "monotonic")

    return types.int64(queue), code


@overload(take)
def _take_overload(queue):
    return lambda queue: _take(queue)
