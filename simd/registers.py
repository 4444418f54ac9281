"""What this machine's registers hold, and what it does with them."""

from __future__ import annotations

from llvmlite import binding


def _has(feature: str) -> bool:
    try:
        return bool(binding.get_host_cpu_features().get(feature))
    except RuntimeError:  # not every system tells LLVM
        return False


ROOMY = _has("avx512f")
"""Whether they hold 32, as AVX-512 does; AVX2 and NEON hold 8, so that a loop with more of them
keeps most in memory."""
SPLITS_EXPONENTS = _has("avx512dq")
"""Whether one instruction takes the whole part from sixteen numbers, and one multiplies by two to
that power."""
MULTIPLIES_BYTES = _has("avx512vnni")
"""Whether one instruction sums four products of bytes in each of sixteen lanes."""
MULTIPLIES_HALVES = _has("avx512bf16")
"""Whether one instruction sums two products of bfloat16 in each of sixteen lanes."""
