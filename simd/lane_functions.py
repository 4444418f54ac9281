"""exp and log of sixteen numbers at once, to float32's last digits; libm takes one at a time. And
parts of sixteen."""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit
from numba.extending import overload

from simd.lanes import (
    COUNT,
    VECTOR,
    first_lanes,
    intrinsic,
    lanes,
    maximum,
    minimum,
    vector_call,
    where,
)

f32 = np.float32

_INTEGERS = ir.VectorType(ir.IntType(32), COUNT)
_MANTISSA_BITS, _BIAS = 23, 127
_LOG2_E = f32(1 / math.log(2))
# ln 2 in two parts: the first has so few digits that its product with a whole number is exact
_LN2_HIGH = f32(0.693359375)
_LN2_LOW = f32(math.log(2) - 0.693359375)
_LOWEST, _HIGHEST = f32(-87.0), f32(88.0)
"""Beyond these exp leaves the normal numbers of float32; the argument is held between them."""
_ROOT_HALF = f32(math.sqrt(0.5))
_FACTORIALS = tuple(f32(1 / math.factorial(k)) for k in range(8))
E0, E1, E2, E3, E4, E5, E6, E7 = _FACTORIALS
R0, R1, R2 = f32(1.00000007165), f32(0.693146967085), f32(0.240221197223)
R3, R4, R5 = f32(0.055507132041), f32(0.009675541626), f32(0.00132764975)
"""Of 2^r on -1/2..1/2, by linear programming on its relative error."""


def nearest(a):
    """The nearest whole number."""
    return np.rint(a)


def power_of_two(a):
    """2^a of whole numbers -126 to 127."""
    return np.exp2(a).astype(np.float32)


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
def power_of_two_below_one(x):
    """2^x of x <= 0: a whole power times the minimax polynomial of the rest, within +- 1/2, whose
    relative error is 7.5e-8."""
    x = maximum(x, f32(-126))
    whole = nearest(x)
    r = x - whole
    value = ((r * R5 + R4) * r + R3) * r + R2
    return ((value * r + R1) * r + R0) * power_of_two(whole)


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
