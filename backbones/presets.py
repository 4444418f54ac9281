"""Shapes of backbones by name: ours, and those of the paper on heads and depth (arXiv 2505.20802).

Each of the paper's models stands twice: as it was, and with more heads and less depth, as reported
for ImageNet, GLUE and TinyStories. ViT's and DeiT's lean forms also halve the MLP, which makes them
no clean trade.
"""

from __future__ import annotations

from backbones.config import BackboneConfig


def _shape(width: int, depth: int, heads: int, head_dim: int, mlp: float = 4.0) -> BackboneConfig:
    return BackboneConfig(width=width, depth=depth, heads=heads, head_dim=head_dim, mlp_ratio=mlp)


PRESETS: dict[str, BackboneConfig] = {
    "points": BackboneConfig(),
    "points-lean": BackboneConfig(depth=2, heads=9),
    "poses": BackboneConfig(width=96, depth=4, heads=6),
    "poses-lean": BackboneConfig(width=96, depth=2, heads=12),
    "vit-b": _shape(768, 12, 12, 64),
    "vit-b-lean": _shape(768, 7, 16, 48, 2.0),
    "vit-l": _shape(1024, 24, 16, 64),
    "vit-l-lean": _shape(1024, 8, 32, 32, 2.0),
    "xcit-m": _shape(512, 24, 8, 64),
    "xcit-m-lean": _shape(512, 12, 16, 64),
    "xcit-l": _shape(768, 24, 16, 48),
    "xcit-l-lean": _shape(768, 12, 24, 48),
    "bert": _shape(768, 16, 12, 64),
    "bert-lean": _shape(768, 10, 24, 32),
    "gpt2": _shape(768, 12, 12, 64),
    "gpt2-lean": _shape(768, 4, 16, 48),
}
"""`points` is made for 128 grouped points, `poses` for up to 81 frames or joints."""


def preset(name: str) -> BackboneConfig:
    """The configuration of that name; ValueError for an unknown one."""
    if name not in PRESETS:
        raise ValueError(f"expected a preset among {', '.join(PRESETS)}, found {name!r}")
    return PRESETS[name]
