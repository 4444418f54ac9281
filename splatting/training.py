"""train(): from a scene to splats. One step is draw, loss, backward, Adam; every so often density
control.

The loop does no input or output: it reports through a callable and hands its whole state to
another, which may save it. A state that was saved continues as if it had never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32

from data.errors import UserError
from data.scene import Scene
from simd.threads import set_threads
from splatting import dropout, mcmc, sparsity
from splatting.averaging import EVERY, Average
from splatting.config import TrainConfig
from splatting.cpu import adam, pipeline, ssim
from splatting.photos import Photos, Sample
from splatting.refinement import refine
from splatting.sparse_depth import SparseDepth
from splatting.splats import Splats
from splatting.training_state import TrainingState, check_scene, initial_state, progress
from splatting.warm_up import warm_up

Report = Callable[[int, dict[str, Any]], Any]
"""Called after each step with its number and values; training stops early when it returns False."""

AHEAD = 4
"""Photos that are decoded ahead of their turn where not all fit into memory."""
MEASURE_EVERY = 10
"""Steps between two measurements of the training PSNR: one costs as much as a small stage."""


class Buffers:
    """Memory of a step, reused by the next."""

    def __init__(self) -> None:
        self.frame = pipeline.Workspace()
        self.loss = ssim.SsimWorkspace()

    def zeros(self, name: str, picture: Float32[np.ndarray, "h w 3"]) -> np.ndarray:
        """Zeros, one for each pixel of `picture`."""
        array = self.frame.take(name, picture.shape[:2])
        array[:] = 0.0
        return array


@dataclass(frozen=True, eq=False)
class TrainResult:
    """Trained splats; `seconds` is the loop alone, without compiling, loading and evaluation."""

    splats: Splats
    steps: int
    seconds: float
    finished: bool
    """Whether the configured end was reached."""


def train(
    scene: Scene,
    config: TrainConfig,
    report: Report | None = None,
    state: TrainingState | None = None,
    autosave: Callable[[TrainingState], None] | None = None,
    autosave_every_s: float = 300.0,
    cache_bytes: float = math.inf,
    clock: Callable[[], float] = time.perf_counter,
) -> TrainResult:
    """Train on `scene.train` and return the splats; `state` continues an earlier training, and
    decoded photos take at most `cache_bytes`. `clock` gives the seconds that `minutes` count.
    UserError for a state of other photos.

    `report(step, values)` sees loss, psnr (running, training views), splats, progress, seconds,
    steps_per_second and `live`, the current Splats, which another thread may draw.
    """
    if config.steps is not None and config.minutes is not None:
        raise UserError("expected --steps or --minutes, found both; give one of them")
    set_threads(config.threads)
    state = state or initial_state(scene, config)
    check_scene(state, scene)
    if config.drop is None:
        config = replace(config, drop=dropout.share_for(len(scene.train)))
    depths = SparseDepth.of(scene) if config.depth_weight else None
    with Photos(scene.train, cache_bytes) as photos:
        warm_up(state.splats.kernel, depth=depths is not None)
        _loop(
            photos, depths, scene.radius, config, state, report, autosave, autosave_every_s, clock
        )
    finished = progress(state, config, len(scene.train)) >= 1.0
    return TrainResult(state.splats, state.step, state.seconds, finished)


def _loop(
    photos: Photos,
    depths: SparseDepth | None,
    radius: float,
    config: TrainConfig,
    state: TrainingState,
    report: Report | None,
    autosave: Callable[[TrainingState], None] | None,
    autosave_every_s: float,
    clock: Callable[[], float],
) -> None:
    """Steps, density control, reports and saves until the configured length is reached."""
    buffers = Buffers()
    psnr: float | None = None
    saved_at = state.seconds
    while (done := progress(state, config, len(photos))) < 1.0:
        started = clock()
        level = sum(done < until for until in config.coarse_until)
        view = _next_view(state, len(photos))
        photos.expect(state.queue[-AHEAD:])
        sample = photos.take(view, level)
        loss, shown, photo = step(state, config, sample, done, radius, buffers, view, depths)
        if state.step % MEASURE_EVERY == 0 or psnr is None:
            error = _mean_square_error(shown, photo, sample.kept)
            now = -10.0 * float(np.log10(max(error, 1e-12)))
            psnr = now if psnr is None else 0.9 * psnr + 0.1 * now
        growing = config.refine_from <= done < config.refine_until
        if growing and state.step % config.refine_every == 0:
            buffers.frame.clear()  # an edit needs room for a second copy of all splats
            refine(state, config)
        _average(state, config, done)
        state.seconds += clock() - started
        # not kept in a variable: it would hold the splats of before the next edit
        done = progress(state, config, len(photos))
        if report is not None and report(state.step, _values(state, loss, psnr, done)) is False:
            break
        if autosave is not None and state.seconds - saved_at >= autosave_every_s:
            autosave(state)
            saved_at = state.seconds
    else:
        if state.average is not None:
            state.splats, state.average = state.average.of_splats(state.splats), None
        photos.check()  # a training may be over before the last photo was read


def _average(state: TrainingState, config: TrainConfig, done: float) -> None:
    if done < config.average_from:
        state.average = None  # a finished training may be given more steps
    elif state.average is None:
        state.average = Average.of(state.splats)
    elif state.step % EVERY == 0:
        state.average.add(state.splats)


def _values(state: TrainingState, loss: float, psnr: float, done: float) -> dict[str, Any]:
    """What a report sees."""
    return {
        "loss": loss,
        "psnr": psnr,
        "splats": len(state.splats),
        "progress": done,
        "seconds": state.seconds,
        "steps_per_second": state.step / max(state.seconds, 1e-9),
        "live": state.splats,
    }


def step(
    state: TrainingState,
    config: TrainConfig,
    sample: Sample,
    done: float,
    radius: float,
    buffers: Buffers,
    view: int = 0,
    depths: SparseDepth | None = None,
) -> tuple[float, Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w 3"]]:
    """One optimiser step on one photo at progress `done`; returns the loss, what was drawn before
    it and what it should have been. `view` is the photo's place among the training views."""
    camera = sample.camera
    degree = min(config.sh_degree, sum(done >= begin for begin in config.sh_from))
    background, photo = np.array(config.background, np.float32), sample.rgb
    if sample.opacity is not None:
        # a new colour behind each photo: what is empty cannot be painted in it
        background = state.generator.random(3, np.float32)
        photo = photo + (1.0 - sample.opacity)[..., None] * background
    drawn = state.splats
    if config.drop:
        drawn = dropout.thinned(drawn, config.drop * done, state.generator)
    frame = pipeline.forward(buffers.frame, drawn, camera, degree, background)
    d_rgb = buffers.frame.take("d_rgb", frame.rgb.shape)
    shown = frame.rgb
    if state.exposure is not None:
        shown = buffers.frame.take("exposed", frame.rgb.shape)
        state.exposure.apply(view, frame.rgb, shown)
    if sample.kept is not None:
        kept = sample.kept[..., None]
        photo = kept * photo + (1.0 - kept) * shown  # what does not count is right as it is
    loss, _, _ = ssim.l1_dssim(shown, photo, config.dssim_weight, d_rgb, buffers.loss)
    if sample.kept is not None:
        d_rgb *= sample.kept[..., None] / max(float(sample.kept.mean()), 1e-3)
    if state.exposure is not None:
        rate = config.exposure_rate * 0.01**done
        state.exposure.step(view, frame.rgb, d_rgb, rate, config.exposure_weight)
    by_alpha = by_depth = None
    if depths is not None:
        by_alpha, by_depth = buffers.zeros("d_alpha", shown), buffers.zeros("d_depth", shown)
        weight = config.depth_weight * 0.01**done
        loss += depths.add_slopes(view, camera, frame, weight, by_alpha, by_depth)
    state.step += 1
    rates = _rates(config, done, radius)
    harmonics: bool | pipeline.HarmonicsStep = False
    shN_rate = rates.pop("shN")
    if state.step % config.shN_every == 0:
        harmonics = pipeline.HarmonicsStep(state.moments["sh0"][1], shN_rate, state.step)
    gradients = pipeline.backward(buffers.frame, frame, d_rgb, by_alpha, by_depth, harmonics)
    if config.sparsity_weight:
        sparsity.add_slopes(frame, config.sparsity_weight, radius, gradients)
    _adam_step(state, gradients, rates)
    if config.strategy == "mcmc":
        falling = rates["means"] / (config.means_rate * radius)
        mcmc.add_noise(state.splats, falling, radius, state.generator)
    elif done < config.refine_until:
        state.statistics.add(frame.visible, gradients.screen, camera.width, camera.height)
    return loss, shown, photo


def _mean_square_error(
    shown: Float32[np.ndarray, "h w 3"],
    photo: Float32[np.ndarray, "h w 3"],
    kept: Float32[np.ndarray, "h w"] | None,
) -> float:
    """Over the pixels that count; the others are equal."""
    error = float(np.mean((np.clip(shown, 0, 1) - np.clip(photo, 0, 1)) ** 2))
    return error if kept is None else error / max(float(kept.mean()), 1e-3)


def _next_view(state: TrainingState, count: int) -> int:
    if not state.queue:
        state.queue = state.generator.permutation(count).tolist()
    return state.queue.pop()


def _rates(config: TrainConfig, done: float, radius: float) -> dict[str, float]:
    return {
        "means": config.means_rate * radius * 0.01**done,
        "log_scales": config.scales_rate,
        "quats": config.quats_rate,
        "logit_opacities": config.opacities_rate,
        "sh0": config.sh0_rate,
        "shN": config.shN_rate,
    }


def _adam_step(
    state: TrainingState, gradients: pipeline.Gradients, rates: dict[str, float]
) -> None:
    bias1, bias2 = adam.bias(state.step)
    adam.adam(
        tuple(_rows(getattr(state.splats, name)) for name in rates),
        tuple(_rows(state.moments[name][0]) for name in rates),
        tuple(_rows(state.moments[name][1]) for name in rates),
        tuple(_rows(getattr(gradients, name)) for name in rates),
        gradients.visible,
        np.array(list(rates.values()), np.float32),
        bias1,
        bias2,
    )


def _rows(array: np.ndarray) -> np.ndarray:
    """One row a splat; there may be none, when a photo sees no splat."""
    return array.reshape(len(array), math.prod(array.shape[1:]))
