"""Milliseconds of a whole training step at a fixed number of splats, density control off.

    python -m benchmarks.step SCENE [--data-factor N | --size WxH] --splats N --kernel K --threads T
    python -m benchmarks.step SCENE --depth

The splats start at the scene's points, sampled down or repeated with a jitter of half their size to
reach the count, and lie in memory along a curve through space, as training keeps them; sigmas are
those of equal screen mass, whatever the kernel. Everything that a step does is in `step_ms`:
projection, tiles, compositing, loss, backward, Adam. Kernels take turns, a step each, so that a
slow minute of the machine strikes all of them; `times_first` is the median over turns of the first
kernel's step divided by this one's; memory is that of all of them together. The depth of the
sparse points, which a training of a model with tracks has by default and other programs' steps have
not, is a part of the step with --depth.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import data
from benchmarks.machine import Clock, facts, parser, peak_memory_mb, print_table, write_json
from benchmarks.render import BOTH, NAMES, STAGES
from simd.threads import set_threads
from splatting import densification, kernels, training
from splatting.config import TrainConfig
from splatting.cpu import adam, ssim
from splatting.photos import Photos
from splatting.sparse_depth import SparseDepth
from splatting.splats import Splats
from splatting.training_state import TrainingState, initial_state
from splatting.warm_up import warm_up

TRAINING_STAGES = [*STAGES, (ssim, "l1_dssim"), (adam, "adam")]


def resized(splats: Splats, count: int) -> Splats:
    """`count` splats: a sample, or all and jittered copies."""
    rng = np.random.default_rng(0)
    n = len(splats)
    if count <= n:
        return splats.take(np.sort(rng.choice(n, count, replace=False)))
    chosen = np.concatenate([np.arange(n), rng.integers(0, n, count - n)])
    bigger = splats.take(chosen)
    jitter = rng.normal(size=(count, 3)) * np.exp(bigger.log_scales) * 0.5
    jitter[:n] = 0
    return replace(bigger, means=(bigger.means + jitter).astype(np.float32))


def at_size(scene: data.Scene, width: int, height: int) -> data.Scene:
    """The scene with photos of another size, and shape: squeezed, as nothing but time is asked."""
    views = [replace(view, camera=view.camera.resized(width, height)) for view in scene.views]
    return replace(scene, views=tuple(views))


@dataclass
class Trainee:
    """A training whose steps are timed, and what they took in seconds."""

    state: TrainingState
    config: TrainConfig
    buffers: training.Buffers
    clock: Clock
    walls: list[float]
    cpus: list[float]


def trainee(scene: data.Scene, count: int | None, kernel: str, rounds: int, depth: bool) -> Trainee:
    """`count` splats of the scene (its points, if None) at the beginning of their training; loops
    are compiled, those of `depth` too if it is wanted."""
    config = TrainConfig(kernel=kernel, steps=rounds, sh_degree=3, drop=0.1)
    state = initial_state(scene, config)
    if count is not None:
        splats = resized(state.splats, count)
        state.splats, state.moments = densification.reorder(
            splats, densification.new_moments(splats)
        )
        state.statistics = densification.ScreenStatistics.empty(count)
    warm_up(kernels.get(kernel), depth=depth)
    return Trainee(state, config, training.Buffers(), Clock(TRAINING_STAGES), [], [])


def measure(
    scene: data.Scene,
    count: int | None,
    names: Sequence[str],
    threads: int,
    rounds: int,
    depth: bool = False,
) -> list[dict[str, Any]]:
    """Median milliseconds of a step and of its stages over `rounds` steps after ten to warm up: a
    cell for each kernel. With `depth`, that of the scene's sparse points is in the loss."""
    set_threads(threads)
    photos = Photos(scene.train)
    for index in range(len(photos)):  # nothing is decoded in the background while steps are timed
        photos.take(index, 0)
    trainees = [trainee(scene, count, name, rounds, depth) for name in names]
    depths = SparseDepth.of(scene) if depth else None
    if depth and depths is None:
        raise SystemExit(f"{scene.name}: expected points with tracks for --depth, found none")
    for turn in range(rounds + 10):
        view = turn % len(photos)
        sample = photos.take(view, 0)
        for each in trainees:
            if turn == 10:
                each.clock.clear()
                each.walls.clear()
                each.cpus.clear()
            with each.clock:
                wall, cpu = time.perf_counter(), time.process_time()
                # progress 0.6: full resolution, all harmonics, density control's statistics kept
                training.step(
                    *(each.state, each.config, sample, 0.6, scene.radius, each.buffers),
                    view=view,
                    depths=depths,
                )
                each.walls.append(time.perf_counter() - wall)
                each.cpus.append(time.process_time() - cpu)
    camera = photos.take(0, 0).camera
    return [
        {
            "splats": len(each.state.splats),
            "width": camera.width,
            "height": camera.height,
            "threads": threads,
            "kernel": name,
            "depth": depth,
            "step_ms": round(1e3 * float(np.median(each.walls)), 3),
            "step_cpu_ms": round(1e3 * float(np.median(each.cpus)), 3),
            "times_first": round(float(np.median(np.divide(trainees[0].walls, each.walls))), 3),
            "stages": each.clock.medians(),
            "peak_memory_mb": round(peak_memory_mb()),
        }
        for name, each in zip(names, trainees, strict=True)
    ]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("scene")
    options.add_argument("--data-factor", type=int, default=1)
    options.add_argument("--size", metavar="WxH", help="squeeze the photos to this size")
    options.add_argument("--splats", type=int, help="count; the scene's points if not given")
    options.add_argument("--kernel", action="append")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--depth", action="store_true", help="with the sparse points' depth")
    given = options.parse_args()
    scene = data.load_scene(given.scene, given.data_factor)
    if given.size:
        width, height = map(int, given.size.split("x"))
        scene = at_size(scene, width, height)
    machine = facts()
    print(machine)
    rounds = 15 if given.quick else given.rounds
    cells = measure(scene, given.splats, given.kernel or BOTH, given.threads, rounds, given.depth)
    names = [*NAMES, "l1_dssim", "adam"]
    print_table(
        ["splats", "size", "threads", "kernel", "step_ms", "cpu_ms", "times_first", *names, "MB"],
        [
            [
                f"{c['splats']:,}",
                f"{c['width']}x{c['height']}",
                c["threads"],
                c["kernel"],
                f"{c['step_ms']:.2f}",
                f"{c['step_cpu_ms']:.2f}",
                f"{c['times_first']:.2f}",
                *(f"{c['stages'][name]['wall_ms']:.2f}" for name in names),
                c["peak_memory_mb"],
            ]
            for c in cells
        ],
    )
    if given.json:
        first = cells[0] if len(cells) == 1 else {}
        write_json(
            given.json,
            {"benchmark": "step", "machine": machine, "scene": scene.name, **first, "cells": cells},
        )


if __name__ == "__main__":
    main()
