"""A run of two or four small numbers, which fill 32 bits, in every lane, beside sixteen such runs:
what instructions that sum several products in each lane read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types

from simd.lane_memory import address_of
from simd.lanes import COUNT, intrinsic, shuffle

WORD = ir.IntType(32)
WORDS = ir.VectorType(WORD, COUNT)


def products_by(emit: Callable[..., Any], kind: Any, number: Any) -> Any:
    """A function `(found, numbers, at, weights, place)` for compiled code: what `emit(builder,
    found, run, weights)` makes, of numba's type `kind`, of the run `numbers[at], ...` in every lane
    and of the runs from `weights[place]` on, of LLVM's type `number` each."""
    size = WORD.width // number.width

    @intrinsic
    def products(typing, found, numbers, at, weights, place):
        def code(context, builder, signature, given):
            here = context.cast(builder, given[2], at, types.intp)
            there = context.cast(builder, given[4], place, types.intp)
            run = address_of(context, builder, numbers, given[1], here, size, number)
            run = builder.bitcast(run, ir.PointerType(ir.VectorType(WORD, 1)))
            one = builder.load(run, align=number.width // 8)
            every = shuffle(builder, one, one, [0] * COUNT)
            columns = address_of(context, builder, weights, given[3], there, size * COUNT, number)
            columns = builder.bitcast(columns, ir.PointerType(WORDS))
            return emit(builder, given[0], every, builder.load(columns, align=number.width // 8))

        return kind(kind, numbers, at, weights, place), code

    return products
