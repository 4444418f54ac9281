"""Which token each head looks at, at the start: on a line, a grid or a skeleton.

A target is one matrix a head: 1 where the query (row) should look, zero rows where it has no such
neighbour. Heads take offsets in turn, the nearest first on a line, in the published order on a
grid.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from backbones.config import BackboneConfig

GRID_ORDER = (4, 1, 5, 3, 7, 0, 2, 6, 8)
"""Offsets of a 3 x 3 kernel by number, as heads take them (arXiv 2505.19985)."""


def targets(config: BackboneConfig) -> Float[Tensor, "h n n"]:
    """What `config.impulse` asks of each head."""
    if config.impulse == "line":
        assert config.tokens is not None
        return line_targets(config.tokens, config.heads)
    if config.impulse == "grid":
        assert config.grid is not None
        return grid_targets(*config.grid, config.heads)
    assert config.parents is not None
    return skeleton_targets(config.parents, config.heads, config.mirror)


def line_offsets(heads: int) -> list[int]:
    """0, -1, +1, -2, +2, ..."""
    return [(head + 1) // 2 * (-1 if head % 2 else 1) for head in range(heads)]


def line_targets(tokens: int, heads: int) -> Float[Tensor, "h n n"]:
    """Head i looks `line_offsets(heads)[i]` further: frames, or points along a curve."""
    place = torch.arange(tokens)
    offsets = torch.tensor(line_offsets(heads)) if tokens > 1 else torch.zeros(heads).long()
    return (place[None, None, :] == place[None, :, None] + offsets[:, None, None]).float()


def grid_targets(rows: int, columns: int, heads: int) -> Float[Tensor, "h n n"]:
    """Head i looks at one of the eight neighbours, or itself; tokens run along the rows."""
    place = torch.arange(rows * columns)
    y, x = place // columns, place % columns
    found = []
    for head in range(heads):
        number = GRID_ORDER[head % len(GRID_ORDER)]
        down, right = number // 3 - 1, number % 3 - 1
        found.append((y[None] == y[:, None] + down) & (x[None] == x[:, None] + right))
    return torch.stack(found).float()


def skeleton_targets(
    parents: tuple[int, ...], heads: int, mirror: tuple[int, ...] | None = None
) -> Float[Tensor, "h n n"]:
    """Heads look at a joint itself, its parent, its children, and the other side (where `mirror`
    is not given, its siblings), in turn."""
    joints = len(parents)
    itself = torch.eye(joints)
    up = torch.zeros(joints, joints)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            up[joint, parent] = 1.0
    siblings = (up @ up.T) * (1.0 - itself)
    across = siblings if mirror is None else itself[list(mirror)]
    relations = [relation for relation in (itself, up, up.T, across) if relation.any()]
    return torch.stack([relations[head % len(relations)] for head in range(heads)])


def in_windows(
    tokens: Float[Tensor, "b n w"], grid: tuple[int, int], window: int, shift: int = 0
) -> Float[Tensor, "c m w"]:
    """Swin's windows of a grid of tokens as a batch of small grids, moved by `shift` cells.

    An encoder with impulse=grid and grid=(window, window) then starts with heads that look at
    neighbours within a window. ValueError for a grid that windows do not fill.
    """
    rows, columns = grid
    if rows % window or columns % window or tokens.shape[1] != rows * columns:
        raise ValueError(
            f"tokens: expected {rows} x {columns} of them in whole windows of {window}, found "
            f"{tokens.shape[1]}"
        )
    cells = tokens.unflatten(1, grid).roll((-shift, -shift), (1, 2))
    split = cells.unflatten(2, (-1, window)).unflatten(1, (-1, window))
    return split.transpose(2, 3).flatten(0, 2).flatten(1, 2)


def out_of_windows(
    tokens: Float[Tensor, "c m w"], grid: tuple[int, int], window: int, shift: int = 0
) -> Float[Tensor, "b n w"]:
    """What `in_windows` took apart."""
    rows, columns = grid
    split = tokens.unflatten(1, (window, window))
    split = split.unflatten(0, (-1, rows // window, columns // window)).transpose(2, 3)
    cells = split.flatten(3, 4).flatten(1, 2)
    return cells.roll((shift, shift), (1, 2)).flatten(1, 2)


def window_mask(grid: tuple[int, int], window: int) -> Bool[Tensor, "n n"]:
    """The same windows as an attention mask over the whole grid: True within one window."""
    rows, columns = grid
    place = torch.arange(rows * columns)
    number = place // columns // window * columns + place % columns // window
    return number[:, None] == number[None, :]


def shifted_mask(grid: tuple[int, int], window: int, shift: int) -> Bool[Tensor, "c m m"]:
    """For the windows of one grid moved by `shift`: True between cells that are neighbours, not
    brought together over the grid's edge. Repeat it for each sample of a batch."""
    sides = [(torch.arange(size) < shift).long() for size in grid]
    number = 2 * sides[0][:, None] + sides[1][None, :]
    cells = in_windows(number.flatten()[None, :, None].float(), grid, window, shift)
    return cells == cells.transpose(1, 2)
