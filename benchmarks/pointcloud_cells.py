"""What `benchmarks.pointcloud` measures: each cell returns figures by name, times in milliseconds
of wall and of CPU."""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from benchmarks import multiply_adds
from benchmarks.backbone_cost import peak_mb
from pointcloud.classifier_files import SavedClassifier, new_model, save_classifier
from pointcloud.config import (
    GaussianConfig,
    GaussianNetConfig,
    MambaConfig,
    ModelConfig,
    PointNetConfig,
)
from pointcloud.cpu.classifier import CpuClassifier
from pointcloud.cpu.gaussian_features import GaussianFeatures, gaussian_features
from pointcloud.cpu.gaussian_filters import Filter
from pointcloud.cpu.mamba import CpuMamba
from pointcloud.cpu.tiles import PARTS, TILE
from pointcloud.pointnet import PointNetEncoder
from pointcloud.predictor import load_predictor
from pointcloud.stored import StoredClassifier, read_classifier
from simd.threads import set_threads

POINTS, CLASSES = 1024, 40
KS = (16, 32)
TAUS = (1e-4, 1e-3, 1e-2)
MANY = 32
"""Clouds together."""
NARROW = 6.0
"""Diagonal of T of the Gaussians that stand in for trained ones: widths of a sixth of a radius."""


@dataclass(frozen=True)
class Setting:
    """How a cell is measured."""

    quick: bool
    weights: Path | None = None

    @property
    def rounds(self) -> int:
        """Of each thing that is timed."""
        return 3 if self.quick else 31


Measure = Callable[[Setting], dict[str, Any]]


def cells(quick: bool) -> dict[str, Measure]:
    """Every cell, quick ones first."""
    found: dict[str, Measure] = {"macs": lambda _: multiply_adds.table(POINTS, CLASSES, KS)}
    found |= {"memory": memory, "latency": latency, "filters": filters}
    for batch in (1,) if quick else (1, 32):
        for threads in (1,) if quick else (1, 2):
            found[f"speed-b{batch}-t{threads}"] = functools.partial(speed, batch, threads)
    for size in ("small",) if quick else ("small", "full"):
        found[f"mamba3d-{size}"] = functools.partial(mamba, size)  # type: ignore[arg-type]
    return found


def made(config: ModelConfig) -> Any:
    """An untrained model, in use."""
    return new_model(config, CLASSES, 0).eval()


def stored_of(model: Any) -> StoredClassifier:
    """The same model as its file holds it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        names = tuple(str(k) for k in range(CLASSES))
        save_classifier(path, SavedClassifier(model, names))
        return read_classifier(path)


def compiled_loops(model: Any, int8: bool = False) -> CpuClassifier:
    """The same model as compiled loops."""
    return CpuClassifier(stored_of(model), "model", int8=int8)


def without_norms(model: Any) -> Any:
    """`model` as others run it: every batch norm folded into the layer before it, and maxima taken
    of the features of all points."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_linear_bn_eval

    for part in model.modules():
        for k, norm in enumerate(getattr(part, "norms", ())):
            part.layers[k] = fuse_linear_bn_eval(part.layers[k], norm)
            part.norms[k] = nn.Identity()
        if isinstance(part, PointNetEncoder):
            part.pooled = lambda xyz, encoder=part: encoder(xyz).amax(1)
    return model


def shells(count: int) -> list[np.ndarray]:
    """Clouds of points near the surface of a ball."""
    rng = np.random.default_rng(0)
    clouds = rng.normal(size=(count, POINTS, 3))
    clouds /= np.linalg.norm(clouds, axis=2, keepdims=True) * rng.uniform(
        1, 1.2, (count, POINTS, 1)
    )
    return list(clouds.astype(np.float32))


def in_turns(steps: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Medians of wall and CPU milliseconds of each step, measured one after the other."""
    wall: dict[str, list[float]] = {name: [] for name in steps}
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            step()
            cpu[name].append(time.process_time() - began_cpu)
            wall[name].append(time.perf_counter() - began)
    found = {f"{name}, ms": 1e3 * statistics.median(wall[name]) for name in steps}
    return found | {f"{name}, CPU ms": 1e3 * statistics.median(cpu[name]) for name in steps}


def speed(batch: int, threads: int, setting: Setting) -> dict[str, Any]:
    """Encoder and maximum, and the whole from prepared clouds to scores, of each model."""
    torch.set_num_threads(threads)
    set_threads(threads)
    clouds = shells(batch)
    models: dict[str, Any] = {"pointnet": made(PointNetConfig())}
    for k in KS:
        models[f"3dgpe-{k}"] = made(GaussianNetConfig(encoder=GaussianConfig(k)))
    steps: dict[str, Callable[[], Any]] = {}
    for name, model in models.items():
        for way in ("fused",) if name == "pointnet" else ("fused", "int8"):
            loops = compiled_loops(model, way == "int8")
            cut = [np.ascontiguousarray(cloud) for cloud in loops.prepared(clouds)]
            steps[f"{name} {way}, encoder"] = functools.partial(loops.encode, cut)
            steps[f"{name} {way}, whole"] = functools.partial(loops.scores, clouds)
    (xyz,) = models["pointnet"].prepare(clouds)
    plain = without_norms(models["pointnet"])
    ways = {"eager": plain}
    reason = _add_compiled(ways, plain, xyz, setting)
    for way, model in ways.items():
        encoder = model.encoder
        steps[f"pointnet {way}, encoder"] = _inference(lambda e=encoder: e(xyz).amax(1))
        steps[f"pointnet {way}, whole"] = _inference(lambda m=model: m(*plain.prepare(clouds)))
    found: dict[str, Any] = in_turns(steps, setting.rounds)
    for part in ("encoder", "whole"):
        best = min(found[f"pointnet {way}, {part}, ms"] for way in ways)
        for k in KS:
            for way, kind in (("fused", ""), ("int8", " int8")):
                ours = found[f"3dgpe-{k} {way}, {part}, ms"]
                found[f"torch's PointNet over 3dgpe-{k}{kind}, {part}"] = best / ours
                found[f"our PointNet over 3dgpe-{k}{kind}, {part}"] = (
                    found[f"pointnet fused, {part}, ms"] / ours
                )
    return found | ({"pointnet compiled": reason} if reason else {})


def _add_compiled(ways: dict[str, Any], plain: Any, xyz: Any, setting: Setting) -> str | None:
    """Put what torch.compile makes of PointNet beside it, or say why not."""
    if setting.quick:
        return "left out: quick"
    try:
        encoder, whole = torch.compile(plain.encoder), torch.compile(plain)
        with torch.inference_mode():
            encoder(xyz)
            whole(xyz)
    except Exception as error:  # no compiler of C++, mostly: the row says so
        return f"not compiled: {str(error).splitlines()[0]:.120}"

    class Compiled:
        def __init__(self) -> None:
            self.encoder = encoder

        def __call__(self, *inputs: Any) -> Any:
            return whole(*inputs)

    ways["compiled"] = Compiled()
    return None


def _inference(step: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        with torch.inference_mode():
            return step()

    return run


def memory(setting: Setting) -> dict[str, Any]:
    """Weights, and the most that one cloud needs beside them, in MB: torch's as it allocates, ours
    as its arrays are counted for one thread, with layers behind the maximum in float32, as in the
    weights that ship in float16, and in bytes."""
    torch.set_num_threads(1)
    cloud = shells(1)
    found: dict[str, Any] = {}
    pointnet = made(PointNetConfig())
    (xyz,) = pointnet.prepare(cloud)
    plain = without_norms(pointnet)
    weights = sum(value.numel() for value in plain.parameters()) * 4 / 2**20
    found["pointnet eager, weights"] = weights
    found["pointnet eager, workspace"] = peak_mb(_inference(lambda: plain(xyz)))
    found["pointnet eager, both"] = weights + found["pointnet eager, workspace"]
    for k in KS:
        config = GaussianNetConfig(encoder=GaussianConfig(k))
        model = made(config)
        weights = sum(value.numel() for value in model.parameters()) * 4 / 2**20
        behind = sum(
            value.numel()
            for name, value in model.named_parameters()
            if value.dim() == 2 and "encoder" not in name
        )
        row = POINTS * 3 + PARTS * config.width + TILE * k + 9 * k
        found[f"3dgpe-{k} fused, weights"] = weights
        found[f"3dgpe-{k} fused, workspace"] = row * 4 / 2**20
        for kind, saved in {"": 0, " in halves": 2, " int8": 3}.items():
            both = weights - behind * saved / 2**20 + row * 4 / 2**20
            found[f"3dgpe-{k}{kind}, saved of both"] = 1 - both / found["pointnet eager, both"]
    return found


def latency(setting: Setting) -> dict[str, Any]:
    """From an array of a scanner's size to probabilities, all threads."""
    torch.set_num_threads(2)
    set_threads(None)
    steps: dict[str, Callable[[], Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        configs = {"pointnet": PointNetConfig()}
        configs |= {f"3dgpe-{k}": GaussianNetConfig(encoder=GaussianConfig(k)) for k in KS}
        for name, config in configs.items():
            path = Path(folder) / f"{name}.safetensors"
            names = tuple(str(k) for k in range(CLASSES))
            save_classifier(path, SavedClassifier(made(config), names))
            for way in ("",) if name == "pointnet" else ("", " int8"):
                predictor = load_predictor(path, int8=bool(way))
                for points in (POINTS, 10 * POINTS):
                    cloud = np.concatenate(shells(points // POINTS))
                    ask = functools.partial(predictor.predict, cloud)
                    steps[f"{name}{way}, {points} points"] = ask
        return dict(in_turns(steps, setting.rounds))


def filters(setting: Setting) -> dict[str, Any]:
    """Active Gaussians a point, time of the encoder beside that without a filter, and how far a
    feature moves, for each kind and threshold."""
    set_threads(1)
    if setting.weights is not None:
        stored = read_classifier(setting.weights)
        trained = CpuClassifier(stored, str(setting.weights))
        clouds = trained.prepared(shells(8))
        build = functools.partial(_filtered_encoder, stored)
    else:
        clouds, build = shells(8), _narrow_encoder
    exact = build(Filter())
    expected, count = exact.with_counts(clouds)
    found: dict[str, Any] = {"Gaussians": count}
    for kind in ("voxel", "bbox", "distance"):
        for voxels in (4,) if setting.quick else (2, 4, 8):
            for tau in TAUS[1:2] if setting.quick else TAUS:
                one = build(Filter(kind, tau, voxels))
                features, active = one.with_counts(clouds)
                steps = {
                    "all": functools.partial(exact, clouds),
                    "some": functools.partial(one, clouds),
                }
                times = in_turns(steps, setting.rounds)
                name = f"{kind}, {voxels} voxels, tau {tau:g}"
                found[f"{name}, active"] = active
                found[f"{name}, times as fast"] = times["all, CPU ms"] / times["some, CPU ms"]
                found[f"{name}, moved by"] = float(np.abs(features - expected).max())
    return found


def _filtered_encoder(stored: Any, filtered: Filter) -> GaussianFeatures:
    return CpuClassifier(stored, "weights", filtered).encode


def _narrow_encoder(filtered: Filter) -> GaussianFeatures:
    rng = np.random.default_rng(0)
    k, width = 32, 1024
    factors = np.tril(0.2 * NARROW * rng.normal(size=(k, 3, 3)), -1) + NARROW * np.eye(3)
    means = rng.uniform(-1, 1, (k, 3)).astype(np.float32)
    mixer = rng.normal(size=(width, k)).astype(np.float32)
    return gaussian_features(means, factors, mixer, np.zeros(width, np.float32), filtered)


def mamba(size: Literal["small", "full"], setting: Setting) -> dict[str, Any]:
    """Mamba3D with either embedding of patches, by compiled loops and by torch: time of a cloud
    that is cut into groups, multiply-adds, and torch's weights and peak of memory, for it and for
    many clouds together."""
    torch.set_num_threads(1)
    set_threads(1)
    models = {}
    for encoder in ("pointnet", "gaussian"):
        full = MambaConfig(encoder=encoder)
        models[encoder] = made(full if size == "full" else MambaConfig.small(encoder))
    inputs = models["pointnet"].prepare(shells(1))
    steps = {f"{name} in torch": _inference(lambda m=m: m(*inputs)) for name, m in models.items()}
    for name, model in models.items():
        loops = CpuMamba(stored_of(model), name)
        steps[name] = functools.partial(loops.pooled, *loops.prepared(shells(1)))
    found: dict[str, Any] = in_turns(steps, min(setting.rounds, 21))
    for name, model in models.items():
        found[f"{name}, million multiply-adds"] = multiply_adds.counted(model, inputs) / 1e6
        weights = sum(value.numel() for value in model.parameters()) * 4 / 2**20
        found[f"{name}, weights and peak, MB"] = weights + peak_mb(steps[f"{name} in torch"])
        many = model.prepare(shells(MANY))
        peak = peak_mb(_inference(lambda m=model, many=many: m(*many)))
        found[f"{name}, weights and peak of {MANY} clouds, MB"] = weights + peak
    repeated = multiply_adds.repeated_by_groups(models["pointnet"].config) / 1e6
    found["pointnet as published, million multiply-adds"] = (
        found["pointnet, million multiply-adds"] + repeated
    )
    for what in (
        "CPU ms",
        "in torch, CPU ms",
        "million multiply-adds",
        "weights and peak, MB",
        f"weights and peak of {MANY} clouds, MB",
    ):
        joint = " " if what.startswith("in torch") else ", "
        both = (found[f"{name}{joint}{what}"] for name in ("gaussian", "pointnet"))
        found[f"gaussian over pointnet, {what}"] = next(both) / next(both)
    return found
