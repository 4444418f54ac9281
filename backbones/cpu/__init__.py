"""Compiled loops of the backbone."""

from __future__ import annotations

import simd  # noqa: F401 (points numba at the cache before the first loop is decorated)
