"""Fewer than sixteen numbers from memory and back.

AVX-512 has masks for that. Elsewhere a part goes in pieces of 8, 4, 2 and 1: masks of AVX2 cost
more than what they are for (42 steps of microcode for a masked store on AMD's Zen).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from simd.lanes import COUNT, FLOAT, VECTOR, below, shuffle
from simd.registers import ROOMY

_PIECES = (8, 4, 2, 1)
_ALIGNED = ir.Constant(ir.IntType(32), 4)
_ZEROS = ir.Constant(VECTOR, [0.0] * COUNT)


def load_masked(builder: Any, address: Any, count: Any) -> Any:
    """The first `count` numbers at `address`, zeros in the lanes beyond; at most 15."""
    return _masked(builder, "load", [address, _ALIGNED, below(builder, count), _ZEROS], VECTOR)


def store_masked(builder: Any, address: Any, count: Any, value: Any) -> None:
    """Write the first `count` lanes of `value`, at most 15."""
    words = [value, address, _ALIGNED, below(builder, count)]
    _masked(builder, "store", words, ir.VoidType())


def _masked(builder: Any, name: str, arguments: list[Any], result: Any) -> Any:
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.{name}.v16f32.p0")
    return builder.call(function, arguments)


def load_in_pieces(builder: Any, address: Any, count: Any) -> Any:
    """The same as `load_masked`: from the last piece to the first, each before those behind it."""
    found, count = _ZEROS, _or_none(builder, count)
    for size in reversed(_PIECES):

        def joined(place: Any, found: Any = found, size: int = size) -> Any:
            piece = builder.load(place, align=4)
            wide = shuffle(builder, piece, piece, [min(i, size - 1) for i in range(COUNT)])
            behind = [COUNT + i for i in range(COUNT - size)]
            return shuffle(builder, wide, found, [*range(size), *behind])

        found = _if_piece(builder, address, count, size, found, joined)
    return found


def store_in_pieces(builder: Any, address: Any, count: Any, value: Any) -> None:
    """The same as `store_masked`."""
    count = _or_none(builder, count)
    for size in _PIECES:

        def left(place: Any, value: Any = value, size: int = size) -> Any:
            builder.store(shuffle(builder, value, value, list(range(size))), place, align=4)
            return shuffle(builder, value, value, [min(i + size, COUNT - 1) for i in range(COUNT)])

        value = _if_piece(builder, address, count, size, value, left)


def _or_none(builder: Any, count: Any) -> Any:
    """0 for negative numbers, whose bits count no pieces."""
    zero = ir.Constant(count.type, 0)
    return builder.select(builder.icmp_signed(">", count, zero), count, zero)


def _if_piece(
    builder: Any, address: Any, count: Any, size: int, value: Any, done: Callable[[Any], Any]
) -> Any:
    """`done` with the place of the piece of `size` numbers, if `count` has one, else `value`."""
    before = builder.block
    wanted = builder.and_(count, ir.Constant(count.type, size))
    with builder.if_then(builder.icmp_signed("!=", wanted, ir.Constant(count.type, 0))):
        first = builder.and_(count, ir.Constant(count.type, COUNT - 2 * size))
        numbers = builder.bitcast(address, ir.PointerType(FLOAT))
        place = builder.gep(numbers, [first], inbounds=True)
        found = done(builder.bitcast(place, ir.PointerType(ir.VectorType(FLOAT, size))))
        inside = builder.block
    result = builder.phi(VECTOR)
    result.add_incoming(value, before)
    result.add_incoming(found, inside)
    return result


load_first = load_masked if ROOMY else load_in_pieces
store_first = store_masked if ROOMY else store_in_pieces
