"""Products of bytes, summed four at a time in whole numbers: four times as many a second as of
float32, on processors that know such an instruction (AVX512-VNNI); the same sums on all others.

One factor counts from 0 to 255, the other from -128 to 127, as that instruction has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import overload, register_model

from simd.lane_memory import address_of
from simd.lanes import COUNT, VECTOR, intrinsic, lanes, shuffle
from simd.registers import MULTIPLIES_BYTES
from simd.run_products import WORD, WORDS, products_by

QUAD = 4
"""Products in a sum of `with_products`."""
_BYTE = ir.IntType(8)
_SUMS = WORDS
_PAIRS = ir.VectorType(ir.IntType(16), 2 * COUNT)


class Sums(types.Type):
    """Type of sixteen int32."""

    def __init__(self) -> None:
        super().__init__("int32x16")


sums = Sums()


@register_model(Sums)
class _SumsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _SUMS)


def sums_from(array, place):
    """`array[place : place + 16]` of a flat int32 array."""
    return array[place : place + COUNT].copy()


def sums_to(array, place, value):
    """Write sums to `array[place : place + 16]`."""
    array[place : place + COUNT] = value


def no_sums():
    """Sixteen zeros."""
    return np.zeros(COUNT, np.int32)


def larger(a, b):
    """The larger of each of sixteen sums."""
    return np.maximum(a, b)


def with_products(found, counts, at, weights, place):
    """`found` and, for each of sixteen columns, `counts[at : at + 4]` (uint8) times its four
    weights (int8), which lie at `weights[place + 4 column : ... + 4]`."""
    columns = weights[place : place + QUAD * COUNT].astype(np.int32).reshape(COUNT, QUAD)
    return found + columns @ counts[at : at + QUAD].astype(np.int32)


def store_counts(array, place, value):
    """Write lanes of 0 to 255, rounded, to `array[place : place + 16]` (uint8)."""
    array[place : place + COUNT] = value + np.float32(0.5)


@intrinsic
def _sums_from(typing, array, place):
    def code(context, builder, signature, given):
        at = context.cast(builder, given[1], place, types.intp)
        return builder.load(address_of(context, builder, array, given[0], at, COUNT, WORD), align=4)

    return sums(array, place), code


@overload(sums_from)
def _sums_from_overload(array, place):
    return lambda array, place: _sums_from(array, place)


@intrinsic
def _sums_to(typing, array, place, value):
    def code(context, builder, signature, given):
        at = context.cast(builder, given[1], place, types.intp)
        address = address_of(context, builder, array, given[0], at, COUNT, WORD)
        builder.store(given[2], address, align=4)
        return context.get_dummy_value()

    return types.none(array, place, sums), code


@overload(sums_to)
def _sums_to_overload(array, place, value):
    return lambda array, place, value: _sums_to(array, place, value)


@intrinsic
def _no_sums(typing):
    return sums(), lambda context, builder, signature, given: ir.Constant(_SUMS, [0] * COUNT)


@overload(no_sums)
def _no_sums_overload():
    return lambda: _no_sums()


@intrinsic
def _larger(typing, a, b):
    def code(context, builder, signature, given):
        return builder.select(builder.icmp_signed(">", *given), *given)

    return sums(sums, sums), code


@overload(larger)
def _larger_overload(a, b):
    return (lambda a, b: _larger(a, b)) if isinstance(a, Sums) else None


def _halves(builder: Any, bytes_: Any, signed: bool) -> list[Any]:
    """The bytes 0 and 2, and 1 and 3, of each four, as numbers of sixteen bits."""
    pairs, eight = builder.bitcast(bytes_, _PAIRS), ir.Constant(_PAIRS, [8] * 2 * COUNT)
    shift = builder.ashr if signed else builder.lshr
    return [shift(builder.shl(pairs, eight), eight), shift(pairs, eight)]


def _of_pairs(builder: Any, found: Any, counts: Any, weights: Any) -> Any:
    """The same sums from products of sixteen bits, of which processors without VNNI add two."""
    wide = ir.VectorType(WORD, 2 * COUNT)
    pairs = zip(_halves(builder, counts, False), _halves(builder, weights, True), strict=True)
    for a, b in pairs:
        made = builder.mul(builder.sext(a, wide), builder.sext(b, wide))
        even, odd = (shuffle(builder, made, made, list(range(k, 2 * COUNT, 2))) for k in (0, 1))
        found = builder.add(found, builder.add(even, odd))
    return found


def _in_one(builder: Any, found: Any, counts: Any, weights: Any) -> Any:
    """The same sums by one instruction of AVX512-VNNI."""
    kind = ir.FunctionType(_SUMS, [_SUMS] * 3)
    name = "llvm.x86.avx512.vpdpbusd.512"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [found, counts, weights])


by_instruction, by_pairs = (products_by(emit, sums, _BYTE) for emit in (_in_one, _of_pairs))
_with_products = by_instruction if MULTIPLIES_BYTES else by_pairs


@overload(with_products)
def _with_products_overload(found, counts, at, weights, place):
    return lambda found, counts, at, weights, place: _with_products(
        found, counts, at, weights, place
    )


@intrinsic
def _store_counts(typing, array, place, value):
    def code(context, builder, signature, given):
        at = context.cast(builder, given[1], place, types.intp)
        half = ir.Constant(VECTOR, [0.5] * COUNT)
        whole = builder.fptoui(builder.fadd(given[2], half), _SUMS)
        address = address_of(context, builder, array, given[0], at, COUNT, _BYTE)
        builder.store(builder.trunc(whole, ir.VectorType(_BYTE, COUNT)), address, align=1)
        return context.get_dummy_value()

    return types.none(array, place, lanes), code


@overload(store_counts)
def _store_counts_overload(array, place, value):
    return lambda array, place, value: _store_counts(array, place, value)
