"""The record of one projected splat: 16 float32, one cache line, written by projection and read by
every tile.

The screen position is kept as a whole pixel and a fraction. Tiles work in coordinates relative to
their own corner; subtracting whole pixels is exact, so a wide image costs no precision.
"""

from __future__ import annotations

X_WHOLE, Y_WHOLE, X_PART, Y_PART = 0, 1, 2, 3
CONIC_A, CONIC_B, CONIC_C = 4, 5, 6
"""q = A dx^2 + 2 B dx dy + C dy^2."""
OPACITY = 7
RED, GREEN, BLUE = 8, 9, 10
DEPTH = 11
Q_CUT = 12
"""A pixel with a larger q is not touched: alpha below 1/255, or outside the support."""
HALF_WIDTH, HALF_HEIGHT = 13, 14
"""Half extents in pixels of the ellipse q = Q_CUT."""
WIDTH = 16
AHEAD = 8
"""Splats between asking for what one of them needs, where it lies anywhere in memory, and its
turn."""

TILE = 32
"""Pixels along a side of a tile: 64 patches of 4x4, one bit each of a word. Every pair of a splat
and a tile costs as much as half a dozen patches, so tiles are as large as the first cache allows.
"""
TILE_AREA = TILE * TILE

GRAD_X, GRAD_Y = 0, 1
GRAD_A, GRAD_B, GRAD_C = 2, 3, 4
GRAD_OPACITY = 5
GRAD_RED, GRAD_GREEN, GRAD_BLUE = 6, 7, 8
GRAD_DEPTH = 9
GRAD_ABS_X, GRAD_ABS_Y = 10, 11
"""Sum over pixels of |dL/dx|: a splat torn in two directions has no net gradient but a large one
here."""
GRAD_WIDTH = 16
"""Twelve sums and four zeros: a row is one cache line, which is written and added whole."""
