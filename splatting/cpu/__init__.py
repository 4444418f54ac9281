"""The CPU back end in numba: projection, tiles, compositing, SSIM and Adam, each forward beside
its backward."""

from __future__ import annotations

from splatting.cpu import cache

cache.configure()
