"""Names and shapes of all that a file of a PointNet, a 3DGPE or a Mamba3D holds."""

from __future__ import annotations

from itertools import pairwise

from pointcloud.config import (
    GROUP_WIDTHS,
    INNER,
    NECK_WIDTH,
    PLACE_WIDTH,
    GaussianConfig,
    GaussianNetConfig,
    MambaConfig,
    PointNetConfig,
)
from pointcloud.extents import EXTENTS

Shapes = dict[str, tuple[int, ...]]


def shapes_of(config: PointNetConfig | GaussianNetConfig | MambaConfig, classes: int) -> Shapes:
    """Names and shapes for `config`."""
    return (
        _of_mamba(config, classes)
        if isinstance(config, MambaConfig)
        else _of_points(config, classes)
    )


def _linear(name: str, inputs: int, outputs: int, bias: bool = True) -> Shapes:
    weight: Shapes = {f"{name}.weight": (outputs, inputs)}
    return weight | ({f"{name}.bias": (outputs,)} if bias else {})


def _norm(name: str, width: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def _layers(name: str, *sizes: int) -> Shapes:
    found: Shapes = {}
    for depth, (inputs, outputs) in enumerate(pairwise(sizes)):
        found |= _linear(f"{name}.layers.{depth}", inputs, outputs)
        found |= _norm(f"{name}.norms.{depth}", outputs)
    return found


def _gaussians(name: str, config: GaussianConfig, width: int) -> Shapes:
    count = config.gaussians
    own: Shapes = {f"{name}.means": (count, 3), f"{name}.triangles": (count, 6)}
    return own | _linear(f"{name}.mixer", count, width)


def _extent(width: int) -> Shapes:
    norm: Shapes = {f"extent.norm.running_{part}": (EXTENTS,) for part in ("mean", "var")}
    norm["extent.norm.num_batches_tracked"] = ()
    return norm | _linear("extent.layer", EXTENTS, width)


def _of_points(config: PointNetConfig | GaussianNetConfig, classes: int) -> Shapes:
    def encoder(name: str) -> Shapes:
        if isinstance(config, PointNetConfig):
            return _layers(name, 3, *config.widths)
        return _gaussians(name, config.encoder, config.width)

    found = encoder("encoder") | _layers("neck", config.width, *INNER)
    if config.t_net:
        found |= encoder("t_net.encoder") | _layers("t_net", config.width, *INNER)
        found |= _linear("t_net.matrix", INNER[-1], 9)
    found |= _extent(config.width) if config.metric else {}
    return found | _linear("head", INNER[-1], classes)


def _of_mamba(config: MambaConfig, classes: int) -> Shapes:
    width = config.width
    found: Shapes = {"first": (width,), "first_place": (width,)}
    if config.encoder == "gaussian":
        found |= _gaussians("encoder", config.gaussian, width)
    else:
        one, two, three = GROUP_WIDTHS
        sizes = ((3, one), (one, two), (2 * two, three), (three, width))
        for depth, (inputs, outputs) in enumerate(sizes):
            found |= _linear(f"encoder.layers.{depth}", inputs, outputs)
        found |= _norm("encoder.norms.0", one) | _norm("encoder.norms.1", three)
    found |= _linear("place_in", 3, PLACE_WIDTH) | _linear("place_out", PLACE_WIDTH, width)
    for depth in range(config.depth):
        found |= _block(f"blocks.{depth}", config)
    found |= {"norm.weight": (width,), "norm.bias": (width,)}
    found |= _extent(2 * width) if config.metric else {}
    for depth, inputs in enumerate((2 * width, NECK_WIDTH)):
        found |= _linear(f"neck.{depth}", inputs, NECK_WIDTH)
        found |= _norm(f"neck_norms.{depth}", NECK_WIDTH)
    return found | _linear("head", NECK_WIDTH, classes)


def _block(name: str, config: MambaConfig) -> Shapes:
    width, inner = config.width, config.inner
    found: Shapes = {
        f"{name}.{norm}_norm.{part}": (width,)
        for norm in ("local", "scan")
        for part in ("weight", "bias")
    }
    found |= {
        f"{name}.local.{part}": (2 * width,)
        for part in ("scale", "offset", "norm.weight", "norm.bias")
    }
    found |= _linear(f"{name}.local.out", 2 * width, width)
    found |= _linear(f"{name}.scan.enter", width, 2 * inner, bias=False)
    for way in ("forwards", "backwards"):
        own = f"{name}.scan.{way}"
        found |= {f"{own}.conv_weight": (config.taps, inner), f"{own}.conv_bias": (inner,)}
        found |= {f"{own}.log_decay": (inner, config.state), f"{own}.skip": (inner,)}
        found |= _linear(f"{own}.coefficients", inner, config.rank + 2 * config.state, bias=False)
        found |= _linear(f"{own}.step", config.rank, inner)
    return found | _linear(f"{name}.scan.leave", inner, width, bias=False)
