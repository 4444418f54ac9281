"""Vectors of sixteen numbers for compiled loops, threads that may enter them, and the cache of what
is compiled: what every package with loops of its own stands on."""

from __future__ import annotations

import os

from simd import cache, quick_start

# Threads that wait by spinning slow a training threefold as soon as anything else runs, be it the
# browser that shows it; OpenMP reads this when numba first loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
cache.configure()
quick_start.load_array_functions()
