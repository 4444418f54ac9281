"""Point-cloud classification on a CPU with 3D Gaussian point encoders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pointcloud.predictor import Predictor

__all__ = ["load"]


def load(
    name: str | Path = "3dgpe",
    option: str = "--weights",
    adapter: str | Path | None = None,
    int8: bool = False,
) -> Predictor:
    """The classifier `name`: "3dgpe", "3dgpe-16", "pointnet", "transformer", "mamba3d",
    "mamba3d-3dgpe", or the path of a file of weights; with the file of an `adapter` of that model.
    `int8` rounds the weights of a 3dgpe to bytes: about twice the speed on processors that multiply
    bytes (AVX512-VNNI), nearly the same answers.

    UserError, which calls the file `option`, for a name whose weights are not here, for a file that
    is no classifier, and for an adapter of another model. All but the transformer need no torch,
    unless there is an adapter.
    """
    from pointcloud.predictor import load_predictor

    return load_predictor(name, option, adapter, int8)
