"""Products of numbers in bfloat16, summed two at a time in float32: twice as many a second as of
float32, on processors that know such an instruction (AVX512-BF16); on all others the same sums but
for the order in which they are rounded.

numba has no bfloat16: arrays hold its bits, as uint16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import overload

from simd.lanes import COUNT, FLAGS, VECTOR, lanes
from simd.registers import MULTIPLIES_HALVES
from simd.run_products import WORDS, products_by

PAIR = 2
"""Products in a sum of `with_half_products`."""


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
    sixteen = ir.Constant(WORDS, [16] * COUNT)
    mask = ir.Constant(WORDS, [0xFFFF0000] * COUNT)
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


by_instruction, by_parts = (
    products_by(emit, lanes, ir.IntType(16)) for emit in (_in_one, _of_parts)
)
_with_half_products = by_instruction if MULTIPLIES_HALVES else by_parts


@overload(with_half_products)
def _with_half_products_overload(found, numbers, at, weights, place):
    return lambda found, numbers, at, weights, place: _with_half_products(
        found, numbers, at, weights, place
    )
