"""The CPU back end in numba: projection, tiles, compositing, SSIM and Adam, each forward beside
its backward."""

from __future__ import annotations

import simd  # noqa: F401 (points numba at the cache before the first loop is decorated)
