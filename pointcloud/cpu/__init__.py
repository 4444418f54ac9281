"""Compiled loops of point clouds, without torch: encoders fused with their maximum, the scan."""

from __future__ import annotations

import simd  # noqa: F401 (points numba at the cache before the first loop is decorated)
