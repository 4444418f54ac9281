"""The CPU back end in numba: projection, tiles, compositing, SSIM and Adam, each forward beside
its backward."""

from __future__ import annotations

import os

from splatting.cpu import cache

# Threads that wait by spinning slow a training threefold as soon as anything else runs, be it the
# browser that shows it; OpenMP reads this when numba first loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
cache.configure()
