"""Multiply-adds of the classifiers of clouds: by formula, and of any model as torch runs it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from pointcloud.config import GROUP_WIDTHS, INNER, MambaConfig

WIDTHS = (3, 64, 128, 1024)
OF_A_GAUSSIAN = 12
"""Three differences, six products with T, three squares."""
OF_A_STATE = 4
"""Of a scan at a time and channel: step times rate, decay, input, output; not the power of two."""


def pointnet(points: int) -> int:
    """Shared layers of PointNet, whose norms are folded in."""
    return points * sum(a * b for a, b in pairwise(WIDTHS))


def gaussian(points: int, count: int, width: int = WIDTHS[-1]) -> int:
    """Responses and mixer of `count` Gaussians."""
    return points * count * (OF_A_GAUSSIAN + width)


def head(width: int, outputs: int) -> int:
    """What follows the maximum: in a T-Net, and before the scores."""
    return sum(a * b for a, b in pairwise((width, *INNER, outputs)))


def table(points: int, classes: int, counts: tuple[int, ...]) -> dict[str, Any]:
    """Encoder, and the whole with its T-Net, of one cloud; what is saved beside PointNet."""
    rest = head(WIDTHS[-1], classes) + head(WIDTHS[-1], 9)
    encoder = pointnet(points)
    found: dict[str, Any] = {"pointnet, encoder": encoder, "pointnet, whole": 2 * encoder + rest}
    for count in counts:
        ours = gaussian(points, count)
        found[f"3dgpe-{count}, encoder"] = ours
        found[f"3dgpe-{count}, whole"] = 2 * ours + rest
        found[f"3dgpe-{count}, encoder saves"] = 1 - ours / encoder
        found[f"3dgpe-{count}, whole saves"] = 1 - (2 * ours + rest) / (2 * encoder + rest)
    return found


def repeated_by_groups(config: MambaConfig) -> int:
    """What Mamba3D's group encoder as published does beyond ours: it multiplies the maximum of a
    group once for each of its points."""
    _, second, third = GROUP_WIDTHS
    return config.centres * (config.neighbours - 1) * second * third


def counted(model: Any, inputs: tuple[Any, ...]) -> int:
    """Of one call, products of matrices as torch counts them, and the scans of a Mamba3D."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs)
    products = counter.get_total_flops() // 2
    config = getattr(model, "config", None)
    if not isinstance(config, MambaConfig):
        return products
    scans = 2 * config.depth * (config.centres + 1) * config.inner * config.state
    return products + scans * OF_A_STATE
