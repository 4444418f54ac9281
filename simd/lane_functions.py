"""exp and log of sixteen numbers at once, to float32's last digits; libm takes one at a time. And
parts of sixteen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils
from numba.extending import overload

from simd.lanes import (
    COUNT,
    VECTOR,
    first_lanes,
    intrinsic,
    lanes,
    maximum,
    minimum,
    splat,
    vector_call,
    where,
)
from simd.registers import SPLITS_EXPONENTS

f32 = np.float32

_INTEGERS = ir.VectorType(ir.IntType(32), COUNT)
_MANTISSA_BITS, _BIAS = 23, 127
_NEAREST, _DOWN = 4, 1
"""Ways of rounding, as AVX-512 counts them: as the processor is set, to the nearest; down."""
_LOG2_E = f32(1 / math.log(2))
# ln 2 in two parts: the first has so few digits that its product with a whole number is exact
_LN2_HIGH = f32(0.693359375)
_LN2_LOW = f32(math.log(2) - 0.693359375)
_LOWEST, _HIGHEST = f32(-87.0), f32(88.0)
"""Beyond these exp leaves the normal numbers of float32; the argument is held between them."""
_ROOT_HALF = f32(math.sqrt(0.5))
_FACTORIALS = tuple(f32(1 / math.factorial(k)) for k in range(8))
E0, E1, E2, E3, E4, E5, E6, E7 = _FACTORIALS
R0, R1, R2 = f32(0.99999992506), f32(0.6931530732), f32(0.24015361706)
R3, R4, R5 = f32(0.055826318019), f32(0.008989340131), f32(0.0018775766585)
"""Of 2^r on 0..1, and below of ln(1 + r) / r there: least relative errors (Lawson's iteration)."""
L0, L1, L2 = f32(0.9999999699), f32(-0.4999949314), f32(0.3331909679)
L3, L4, L5 = f32(-0.2484298211), f32(0.1910600635), f32(-0.1366324493)
L6, L7, L8 = f32(0.07822594171), f32(-0.02950523253), f32(0.005232692707)


def nearest(a):
    """The nearest whole number."""
    return np.rint(a)


def power_of_two(a):
    """2^a of whole numbers -126 to 127."""
    return np.exp2(a).astype(np.float32)


def above_floor(a):
    """a less the greatest whole number below it."""
    return a - np.floor(a)


def times_power_of_two(a, b):
    """a 2^floor(b); of b below -126 or above 127 it may be that of those, or zero and infinity."""
    return (a * np.exp2(np.clip(np.floor(b), -126, 127))).astype(np.float32)


def exponent(a):
    """The whole number e of a = m 2^e with 1/2 <= m < 1, of positive normal numbers."""
    return np.frexp(a)[1].astype(np.float32)


def mantissa(a):
    """The m of that."""
    return np.frexp(a)[0]


def _constant(number: int) -> ir.Constant:
    return ir.Constant(_INTEGERS, [number] * COUNT)


@intrinsic
def _nearest(typing, a):
    return lanes(lanes), lambda c, builder, s, given: vector_call("rint")(builder, *given)


@intrinsic
def _power_of_two(typing, a):
    def code(context, builder, signature, given):
        whole = builder.fptosi(given[0], _INTEGERS)
        biased = builder.shl(builder.add(whole, _constant(_BIAS)), _constant(_MANTISSA_BITS))
        return builder.bitcast(biased, VECTOR)

    return lanes(lanes), code


def _avx512(name: str, builder: Any, given: list[Any], last: list[Any]) -> Any:
    """One instruction of AVX-512 on all lanes."""
    nothing, every = ir.Constant(VECTOR, ir.Undefined), ir.Constant(ir.IntType(COUNT), -1)
    words = [*given, *last, nothing, every, ir.Constant(ir.IntType(32), _NEAREST)]
    kind = ir.FunctionType(VECTOR, [word.type for word in words])
    name = f"llvm.x86.avx512.mask.{name}.ps.512"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), words)


@intrinsic
def _above_floor(typing, a):
    def code(context, builder, signature, given):
        if SPLITS_EXPONENTS:
            return _avx512("reduce", builder, given, [ir.Constant(ir.IntType(32), _DOWN)])
        return builder.fsub(given[0], vector_call("floor")(builder, given[0]))

    return lanes(lanes), code


@intrinsic
def _times_power_of_two(typing, a, b):
    def code(context, builder, signature, given):
        if SPLITS_EXPONENTS:
            return _avx512("scalef", builder, given, [])
        whole = vector_call("floor")(builder, given[1])
        for beyond, limit in ((">", splat(-126)), ("<", splat(127))):
            inside = builder.fcmp_ordered(beyond, whole, limit)
            whole = builder.select(inside, whole, limit)
        biased = builder.add(builder.fptosi(whole, _INTEGERS), _constant(_BIAS))
        power = builder.bitcast(builder.shl(biased, _constant(_MANTISSA_BITS)), VECTOR)
        return builder.fmul(given[0], power)

    return lanes(lanes, lanes), code


@intrinsic
def _exponent(typing, a):
    def code(context, builder, signature, given):
        shifted = builder.lshr(builder.bitcast(given[0], _INTEGERS), _constant(_MANTISSA_BITS))
        return builder.sitofp(builder.sub(shifted, _constant(_BIAS - 1)), VECTOR)

    return lanes(lanes), code


@intrinsic
def _mantissa(typing, a):
    def code(context, builder, signature, given):
        digits = builder.and_(builder.bitcast(given[0], _INTEGERS), _constant(0x7FFFFF))
        half = _constant(_BIAS - 1 << _MANTISSA_BITS)
        return builder.bitcast(builder.or_(digits, half), VECTOR)

    return lanes(lanes), code


@overload(nearest)
def _nearest_overload(a):
    return lambda a: _nearest(a)


@overload(power_of_two)
def _power_of_two_overload(a):
    return lambda a: _power_of_two(a)


@overload(above_floor)
def _above_floor_overload(a):
    return lambda a: _above_floor(a)


@overload(times_power_of_two)
def _times_power_of_two_overload(a, b):
    return lambda a, b: _times_power_of_two(a, b)


@overload(exponent)
def _exponent_overload(a):
    return lambda a: _exponent(a)


@overload(mantissa)
def _mantissa_overload(a):
    return lambda a: _mantissa(a)


@njit(error_model="numpy", nogil=True, cache=True)
def exponential(x):
    """e^x: a power of two times the Taylor polynomial of what is left, which is below 0.35."""
    x = minimum(maximum(x, _LOWEST), _HIGHEST)
    whole = nearest(x * _LOG2_E)
    r = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    value = (((r * E7 + E6) * r + E5) * r + E4) * r + E3
    return (((value * r + E2) * r + E1) * r + E0) * power_of_two(whole)


@njit(error_model="numpy", nogil=True, cache=True)
def exp2(x):
    """2^x, with a relative error of 1.5e-7: half of the instructions of `exponential`."""
    r = above_floor(x)
    value = ((r * R5 + R4) * r + R3) * r + R2
    return times_power_of_two((value * r + R1) * r + R0, x)


@njit(error_model="numpy", nogil=True, cache=True)
def log_one_plus(r):
    """ln(1 + r) of r from 0 to 1, with a relative error of 1.3e-7."""
    value = (((r * L8 + L7) * r + L6) * r + L5) * r + L4
    return ((((value * r + L3) * r + L2) * r + L1) * r + L0) * r


@njit(error_model="numpy", nogil=True, cache=True)
def logarithm(x):
    """ln x of positive normal numbers: the exponent's share, and the series of artanh for the rest
    m, which is between 0.7 and 1.42."""
    whole, m = exponent(x), mantissa(x)
    low = m < _ROOT_HALF
    m = where(low, m + m, m)
    whole = where(low, whole - f32(1), whole)
    s = (m - f32(1)) / (m + f32(1))
    s2 = s * s
    series = ((s2 * f32(1 / 9) + f32(1 / 7)) * s2 + f32(1 / 5)) * s2 + f32(1 / 3)
    rest = s * (series * s2 + f32(1)) * f32(2)
    return whole * _LN2_HIGH + (rest + whole * _LN2_LOW)


@njit(error_model="numpy", nogil=True, cache=True)
def only_first(x, count):
    """The first `count` lanes, zeros beyond them. Nearly always all are wanted, and a branch that
    is foreseen costs less than a mask does without AVX-512."""
    return x if count >= COUNT else where(first_lanes(count), x, f32(0))
