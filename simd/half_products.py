"""Products of numbers in bfloat16, summed two at a time in float32: twice as many a second as of
float32, on processors that know such an instruction (AVX512-BF16); on all others the same sums but
for the order in which they are rounded.

numba has no bfloat16: arrays hold its bits, as uint16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import overload

from simd.lane_memory import address_of
from simd.lanes import COUNT, FLAGS, VECTOR, intrinsic, lanes, shuffle
from simd.registers import MULTIPLIES_HALVES

PAIR = 2
"""Products in a sum of `with_half_products`."""
_HALF, _WORD = ir.IntType(16), ir.IntType(32)
_WORDS = ir.VectorType(_WORD, COUNT)


class _Bfloat(ir.Type):  # llvmlite has no name for it, LLVM has
    def __str__(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bfloat)

    def __hash__(self) -> int:
        return hash(_Bfloat)


_HALVES = ir.VectorType(_Bfloat(), PAIR * COUNT)


def with_half_products(found, numbers, at, weights, place):
    """`found` and, for each of sixteen columns, `numbers[at : at + 2]` times its two weights, which
    lie at `weights[place + 2 column : ... + 2]`."""
    columns = _as_numbers(weights[place : place + PAIR * COUNT]).reshape(COUNT, PAIR)
    return found + columns @ _as_numbers(numbers[at : at + PAIR])


def _as_numbers(bits):
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _parts(builder: Any, words: Any) -> list[Any]:
    """The lower and the upper half of each word as a float32."""
    sixteen = ir.Constant(_WORDS, [16] * COUNT)
    mask = ir.Constant(_WORDS, [0xFFFF0000] * COUNT)
    parts = (builder.shl(words, sixteen), builder.and_(words, mask))
    return [builder.bitcast(part, VECTOR) for part in parts]


def _of_parts(builder: Any, found: Any, numbers: Any, weights: Any) -> Any:
    """The same sums from products of float32."""
    for a, b in zip(_parts(builder, numbers), _parts(builder, weights), strict=True):
        found = builder.fadd(found, builder.fmul(a, b, FLAGS), FLAGS)
    return found


def _in_one(builder: Any, found: Any, numbers: Any, weights: Any) -> Any:
    """The same sums by one instruction of AVX512-BF16."""
    kind = ir.FunctionType(VECTOR, [VECTOR, _HALVES, _HALVES])
    name = "llvm.x86.avx512bf16.dpbf16ps.512"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    pairs = [builder.bitcast(words, _HALVES) for words in (numbers, weights)]
    return builder.call(function, [found, *pairs])


def _products_by(emit: Callable[..., Any]) -> Any:
    """`with_half_products` for compiled code, by what `emit` makes of one pair in every column and
    of the weights."""

    @intrinsic
    def products(typing, found, numbers, at, weights, place):
        def code(context, builder, signature, given):
            here = context.cast(builder, given[2], at, types.intp)
            there = context.cast(builder, given[4], place, types.intp)
            pair = address_of(context, builder, numbers, given[1], here, PAIR, _HALF)
            pair = builder.bitcast(pair, ir.PointerType(ir.VectorType(_WORD, 1)))
            one = builder.load(pair, align=2)
            every = shuffle(builder, one, one, [0] * COUNT)
            columns = address_of(context, builder, weights, given[3], there, PAIR * COUNT, _HALF)
            columns = builder.load(builder.bitcast(columns, ir.PointerType(_WORDS)), align=2)
            return emit(builder, given[0], every, columns)

        return lanes(lanes, numbers, at, weights, place), code

    return products


by_instruction, by_parts = _products_by(_in_one), _products_by(_of_parts)
_with_half_products = by_instruction if MULTIPLIES_HALVES else by_parts


@overload(with_half_products)
def _with_half_products_overload(found, numbers, at, weights, place):
    return lambda found, numbers, at, weights, place: _with_half_products(
        found, numbers, at, weights, place
    )
