"""An order for points that have none: along a Morton curve, neighbours mostly stay neighbours.

What depends on the order of tokens (cosine transforms, convolutions along them, heads that look at
the next one) is given points in this order.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_BITS = 10


@torch.no_grad()
def morton_order(xyz: Float[Tensor, "*b n 3"]) -> Int64[Tensor, "*b n"]:
    """Indices that sort points along the Morton curve of their bounding cube (1,024 cells a
    side)."""
    low = xyz.amin(-2, keepdim=True)
    extent = (xyz.amax(-2, keepdim=True) - low).amax(-1, keepdim=True).clamp(min=1e-12)
    cells = ((xyz - low) / extent * (2**_BITS - 1)).long()
    code = torch.zeros_like(cells[..., 0])
    for bit in range(_BITS):
        for axis in range(3):
            code |= (cells[..., axis] >> bit & 1) << (3 * bit + axis)
    return code.argsort(dim=-1, stable=True)
