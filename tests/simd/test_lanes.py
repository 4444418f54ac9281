"""Vectors of sixteen: what is compiled equals what the same functions do to numpy arrays."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit, types

from simd import lane_functions as functions
from simd import lane_memory as memory
from simd import lane_parts as parts
from simd import lanes

f32 = np.float32


def arithmetic(array, out):
    a, b = memory.load(array, 1), memory.load(array, 17)
    results = (
        a + b,
        a - f32(0.5),
        f32(2) * b,
        a / b,
        lanes.minimum(a, b),
        lanes.maximum(a, f32(0.1)),
        lanes.absolute(b),
        lanes.square_root(lanes.absolute(a)),
        lanes.where((a < b) & (b >= f32(0)), a, b),
        lanes.where(a <= f32(0), f32(1), f32(2)),
        lanes.spread(f32(3)),
        a * memory.spread_at(array, 5),
    )
    for k in range(12):
        memory.store(out, 16 * k, results[k])
    memory.store_sums(out, 192, (a, b, a * b))
    return lanes.bits(a > b), lanes.trailing_zeros(np.int64(40))


@pytest.fixture
def numbers() -> np.ndarray:
    return np.random.default_rng(0).normal(size=64).astype(f32)


def test_arithmetic_is_numpys(numbers) -> None:
    compiled, plain = np.zeros(196, f32), np.zeros(196, f32)
    assert njit(arithmetic)(numbers, compiled) == arithmetic(numbers, plain)
    np.testing.assert_allclose(compiled, plain, rtol=1e-6, atol=1e-6)
    a, b = numbers[1:17], numbers[17:33]
    np.testing.assert_allclose(plain[192:195], [a.sum(), b.sum(), (a * b).sum()], rtol=1e-5)
    assert compiled[195] == 0, "only the sums asked for are written"


def test_halves_are_loaded_whole() -> None:
    halves = np.random.default_rng(1).normal(size=40).astype(np.float16)
    halves[3:7] = 6e-8, -65504, 0, 5.9e-5  # the smallest, the largest, and below what is normal
    out = np.zeros(16, f32)

    @njit
    def widened(array, out):
        memory.store(out, 0, memory.load(array, 2))

    widened(halves.view(np.uint16), out)
    np.testing.assert_array_equal(out, halves[2:18].astype(f32))
    np.testing.assert_array_equal(memory.load(halves.view(np.uint16), 2), out)


@pytest.mark.parametrize("count", [-1, 0, 1, 2, 5, 8, 11, 15, 16, 40])
def test_parts_of_any_count(numbers, count: int) -> None:
    @njit
    def doubled(array, count, out):
        memory.store_part(out, 3, count, memory.load_part(array, 5, count) * f32(2))

    out, plain = np.full(24, f32(7)), np.full(24, f32(7))
    doubled(numbers, count, out)
    memory.store_part(plain, 3, count, memory.load_part(numbers, 5, count) * f32(2))
    np.testing.assert_array_equal(out, plain)


@pytest.mark.parametrize("how", ["masked", "in_pieces"])
def test_parts_with_masks_and_without(numbers, how: str) -> None:
    load_first, store_first = getattr(parts, f"load_{how}"), getattr(parts, f"store_{how}")

    @lanes.intrinsic
    def moved(typing, source, target, count):
        def code(context, builder, signature, given):
            zero = given[2].type(0)
            begin, end = (
                memory.address_of(context, builder, kind, array, zero, lanes.COUNT)
                for kind, array in zip(signature.args[:2], given[:2], strict=True)
            )
            found = load_first(builder, begin, given[2])
            store_first(builder, end, given[2], found)
            return found

        return lanes.lanes(source, target, types.int64), code

    @njit
    def copied(source, target, whole, count):
        memory.store(whole, 0, moved(source, target, count))

    for count in range(16):
        target, whole = np.full(16, f32(7)), np.empty(16, f32)
        copied(numbers, target, whole, np.int64(count))
        np.testing.assert_array_equal(target[:count], numbers[:count])
        assert (target[count:] == 7).all()
        np.testing.assert_array_equal(whole, np.where(np.arange(16) < count, numbers[:16], 0))


@pytest.mark.parametrize("count", [1, 2, 5, 12, 16])
def test_sums_of_any_count(numbers, count: int) -> None:
    @njit
    def sums(array, out, values):
        a = memory.load(array, 0)
        memory.store_sums(out, 1, _scaled(a, values))

    _scaled = njit(_tuples[count])
    out = np.full(18, f32(7))
    sums(numbers, out, f32(1))
    expected = [numbers[:16].sum() * (k + 1) for k in range(count)]
    np.testing.assert_allclose(out[1 : 1 + count], expected, rtol=1e-5, atol=1e-5)
    assert out[0] == 7 and (out[1 + count :] == 7).all()


def _tuple_of(count: int):
    scope: dict = {"f32": f32}
    parts = ", ".join(f"a * f32({k + 1})" for k in range(count))
    exec(f"def made(a, values): return ({parts},)", scope)
    return scope["made"]


_tuples = {count: _tuple_of(count) for count in (1, 2, 5, 12, 16)}


def test_nan_is_never_smaller_nor_larger() -> None:
    @njit
    def compare(array):
        a = memory.load(array, 0)
        zero = f32(0)
        return lanes.bits(a < zero), lanes.bits(a >= zero), lanes.bits(a <= a)

    assert compare(np.full(16, f32(np.nan))) == (0, 0, 0)


def test_scratch_begins_on_a_cache_line() -> None:
    for size in (1, 16, 100, 5000):
        array = memory.scratch(size)
        assert len(array) == size
        assert array.ctypes.data % 64 == 0


@njit
def both(x, exps, logs):
    for i in range(0, len(x), 16):
        memory.store(exps, i, functions.exponential(memory.load(x, i)))
        memory.store(logs, i, functions.logarithm(memory.load(exps, i)))


def test_exp_and_log_to_the_last_digits() -> None:
    x = np.linspace(-87, 88, 16 * 5000).astype(f32)
    exps, logs = np.empty_like(x), np.empty_like(x)
    both(x, exps, logs)
    np.testing.assert_allclose(exps, np.exp(x.astype(np.float64)), rtol=3e-7)
    exact = np.log(exps.astype(np.float64))
    np.testing.assert_allclose(logs, exact, rtol=3e-7, atol=1e-7)


def test_exp_beyond_float32_stays_a_number() -> None:
    x = np.repeat(np.array([-1e4, 1e4], f32), 8)
    exps, logs = np.empty_like(x), np.empty_like(x)
    both(x, exps, logs)
    assert (exps[:8] < 2e-38).all() and (exps[8:] > 1e38).all() and np.isfinite(exps).all()


def test_powers_of_two_and_logarithms_of_more_than_one() -> None:
    @njit
    def powers(x, out):
        for i in range(0, len(x), 16):
            memory.store(out, i, functions.exp2(memory.load(x, i)))

    @njit
    def logarithms(x, out):
        for i in range(0, len(x), 16):
            memory.store(out, i, functions.log_one_plus(memory.load(x, i)))

    x = np.linspace(-125, 127, 16 * 5000).astype(f32)
    out = np.empty_like(x)
    powers(x, out)
    np.testing.assert_allclose(out, np.exp2(x.astype(np.float64)), rtol=2e-7)
    far = np.repeat(np.array([-1e9, 1e9], f32), 8)
    powers(far, far)
    assert (far[:8] < 2e-38).all() and (far[8:] > 1e38).all()
    r = np.r_[np.geomspace(1e-30, 1e-3, 16 * 50), np.linspace(0, 1, 16 * 5000)].astype(f32)
    out = np.empty_like(r)
    logarithms(r, out)
    np.testing.assert_allclose(out, np.log1p(r.astype(np.float64)), rtol=2e-7)


def test_what_powers_are_made_of_is_numpys() -> None:
    @njit
    def parts(x, fractions, products):
        for i in range(0, len(x), 16):
            y = memory.load(x, i)
            memory.store(fractions, i, functions.above_floor(y))
            memory.store(products, i, functions.times_power_of_two(lanes.spread(f32(3)), y))

    x = np.linspace(-20, 20, 16 * 100).astype(f32)
    fractions, products = np.empty_like(x), np.empty_like(x)
    parts(x, fractions, products)
    np.testing.assert_allclose(fractions, functions.above_floor(x), rtol=3e-7)
    np.testing.assert_array_equal(products, functions.times_power_of_two(f32(3), x))


def test_asking_for_numbers_changes_none_within_the_array_and_beyond() -> None:
    @njit
    def asked(x):
        memory.prefetch(x, 3)
        memory.prefetch_run(x, 5, 40)
        memory.prefetch(x, 10**6)

    for kind in (f32, np.uint16, np.int8, np.int64):
        x = np.arange(60).astype(kind).reshape(6, 10)
        asked(x)
        np.testing.assert_array_equal(x.ravel(), np.arange(60))
