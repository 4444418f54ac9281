"""Steps of training of every classifier, from the draw of a batch to the optimisers' last move: a
cell of `benchmarks.pointcloud`."""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

import numpy as np
import torch

from benchmarks.pointcloud_cells import CLASSES, Setting, shells
from data.labelled_clouds import LabelledClouds
from pointcloud.classifier_files import new_model
from pointcloud.config import FitConfig, GaussianNetConfig, PointNetConfig
from pointcloud.fitting import fit, initial_state
from pointcloud.recipes import RECIPES, default_config
from simd.threads import set_threads

BATCH = 32


def training(setting: Setting) -> dict[str, Any]:
    """Milliseconds of a step with all threads, by the default configuration of each model, and of
    those of groups in bfloat16, too."""
    torch.set_num_threads(os.cpu_count() or 1)
    set_threads(None)
    data = LabelledClouds(
        shells(BATCH),
        np.arange(BATCH) % CLASSES,
        tuple(str(k) for k in range(CLASSES)),
        np.arange(BATCH),
    )
    found: dict[str, Any] = {}
    for name, recipe in RECIPES.items():
        model_config = default_config(name)  # type: ignore[arg-type]
        of_points = isinstance(model_config, PointNetConfig | GaussianNetConfig)
        for bf16 in (False,) if of_points else (False, True):
            config = FitConfig(steps=3 if setting.quick else 15, batch=BATCH, bf16=bf16, **recipe)
            state = initial_state(new_model(model_config, CLASSES, 0), config)
            ticks: list[tuple[float, float]] = []

            def tick(step: int, values: dict[str, Any], to: list[Any] = ticks) -> None:
                to.append((time.perf_counter(), time.process_time()))

            fit(state, data, config, tick)
            wall, cpu = np.diff(np.array(ticks), axis=0).T
            label = f"{name}{', bfloat16' if bf16 else ''}"
            found[f"{label}, ms"] = 1e3 * statistics.median(wall.tolist())
            found[f"{label}, CPU ms"] = 1e3 * statistics.median(cpu.tolist())
    return found
