"""Everything that the next training step depends on, beside scene and configuration, and how it
packs into arrays."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from data.clouds import PointCloud
from data.errors import UserError
from data.scene import Scene
from splatting import densification, kernels, splats
from splatting.averaging import Average
from splatting.checkpoint import how_to_draw, splats_of
from splatting.config import TrainConfig
from splatting.exposure import Exposure
from splatting.splats import PARAMETERS, Splats

LEAST_STEPS = 10_000
"""Of a training by minutes, however few the photos are: splats have to be split often enough. On
king's inner split (17 photos) 8,000 steps end 1.3 dB above 2,000."""


@dataclass
class TrainingState:
    """Splats, optimiser, density control, random numbers and the clock."""

    splats: Splats
    moments: densification.Moments
    statistics: densification.ScreenStatistics
    generator: np.random.Generator
    step: int = 0
    seconds: float = 0.0
    """Time spent in the loop so far; schedules by minutes follow it."""
    queue: list[int] = field(default_factory=list)
    """Training views still to come in this round, last first."""
    exposure: Exposure | None = None
    """Maps of colour of the training views, if they are fitted."""
    average: Average | None = None
    """Mean of the splats of the last steps, once it is taken."""
    scene: str = ""
    """What the training photos and their cameras were, as `likeness` puts it; empty if unknown."""


def initial_state(scene: Scene, config: TrainConfig) -> TrainingState:
    """The state before the first step: splats at the scene's points."""
    # samples that move start opaque: there is no gradient that could find them otherwise
    opacity = 0.5 if config.strategy == "mcmc" else 0.1
    kernel = kernels.get(config.kernel)
    points = _at_most(scene.points, config.max_splats, config.seed)
    start = splats.from_points(points, kernel, config.sh_degree, opacity, config.antialiased)
    return state_of(replace(start, origin_world=scene.origin_world), scene, config)


def state_of(start: Splats, scene: Scene, config: TrainConfig) -> TrainingState:
    """The state before the first step of a training that starts from `start`."""
    missing = (config.sh_degree + 1) ** 2 - 1 - start.shN.shape[1]
    if missing > 0:
        start = replace(start, shN=np.pad(start.shN, ((0, 0), (0, missing), (0, 0))))
    start, moments = densification.reorder(start, densification.new_moments(start))
    return TrainingState(
        splats=start,
        moments=moments,
        statistics=densification.ScreenStatistics.empty(len(start)),
        generator=np.random.default_rng(config.seed),
        exposure=Exposure.identity(len(scene.train)) if config.exposure else None,
        scene=likeness(scene),
    )


def likeness(scene: Scene) -> str:
    """The number of training photos, and a digest of their names, sizes and cameras.

    Rounded to a millionth of the scene, so that it is the same on another machine.
    """
    digest = hashlib.sha256()
    for view in scene.train:
        camera = view.camera
        pose = np.concatenate(
            [camera.cam_from_world[:3, :3].ravel(), camera.position_world / scene.radius]
        )
        rounded = (np.round(pose, 6) + 0.0).tolist()
        digest.update(f"{view.name} {camera.width} {camera.height} {rounded}\n".encode())
    return f"{len(scene.train)} {digest.hexdigest()[:16]}"


def check_scene(state: TrainingState, scene: Scene) -> None:
    """UserError unless `state` came of the training photos of `scene`."""
    if state.scene and state.scene != (found := likeness(scene)):
        before, now = state.scene.split()[0], found.split()[0]
        same = " whose names, sizes or cameras are others" if before == now else ""
        raise UserError(
            f"{scene.path}: expected the {before} training photos with which the training began, "
            f"found {now}{same}; put them back as they were, or start a new run with --init"
        )


def _at_most(points: PointCloud, count: int, seed: int) -> PointCloud:
    """A random choice where there are more: dense clouds have tens of millions."""
    if len(points) <= count:
        return points
    rows = np.sort(np.random.default_rng(seed).choice(len(points), count, replace=False))
    return PointCloud(points.xyz[rows], None if points.rgb is None else points.rgb[rows])


def progress(state: TrainingState, config: TrainConfig, photos: int) -> float:
    """Share of the training on so many `photos` that is done, 0 to 1."""
    if config.steps is not None:
        return min(1.0, state.step / config.steps)
    done = state.seconds / (60.0 * (config.minutes or 5.0))
    if config.passes:
        done = max(done, state.step / most_steps(config.passes, photos))
    return min(1.0, done)


def most_steps(passes: float, photos: int) -> float:
    """Steps of that many rounds of all photos; at least as many as density control needs.

    >>> most_steps(250, 43), most_steps(250, 9)
    (10750, 10000)
    """
    return max(LEAST_STEPS, passes * photos)


def pack(state: TrainingState) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and text that `checkpoint.save_state` stores; `unpack` gives the same state back, bit
    for bit."""
    arrays = dict(state.splats.arrays())
    for name, (first, second) in state.moments.items():
        arrays[f"first.{name}"], arrays[f"second.{name}"] = first, second
    arrays["pull"], arrays["views"] = state.statistics.pull, state.statistics.views
    if state.exposure is not None:
        arrays |= {f"exposure.{name}": array for name, array in vars(state.exposure).items()}
    if state.average is not None:
        arrays |= {f"mean.{name}": array for name, array in state.average.means.items()}
    text = {
        **how_to_draw(state.splats),
        "generator": json.dumps(state.generator.bit_generator.state),
        "step": str(state.step),
        "seconds": repr(state.seconds),
        "queue": json.dumps(state.queue),
        "averaged": str(state.average.count if state.average else 0),
        "scene": state.scene,
    }
    return arrays, text


def unpack(arrays: dict[str, np.ndarray], text: dict[str, Any]) -> TrainingState:
    """The state that `pack` took apart; UserError when a part is missing."""
    try:
        generator = np.random.default_rng()
        generator.bit_generator.state = json.loads(text["generator"])
        return TrainingState(
            splats=splats_of(arrays, text),
            moments={
                name: (arrays[f"first.{name}"], arrays[f"second.{name}"])
                for name in densification.MOVED_BY_ADAM
            },
            statistics=densification.ScreenStatistics(arrays["pull"], arrays["views"]),
            generator=generator,
            step=int(text["step"]),
            seconds=float(text["seconds"]),
            queue=json.loads(text["queue"]),
            exposure=_exposure(arrays),
            average=_average(arrays, int(text.get("averaged", "0"))),
            scene=text.get("scene", ""),
        )
    except KeyError as missing:
        raise UserError(
            f"expected a training state, found no {missing} in it; start again without --resume"
        ) from None


def _exposure(arrays: dict[str, np.ndarray]) -> Exposure | None:
    if "exposure.maps" not in arrays:
        return None
    return Exposure(**{field.name: arrays[f"exposure.{field.name}"] for field in fields(Exposure)})


def _average(arrays: dict[str, np.ndarray], count: int) -> Average | None:
    return Average(count, {n: arrays[f"mean.{n}"] for n in PARAMETERS}) if count else None


def snapshot(state: TrainingState) -> Splats:
    """The splats as they are now, copied: training goes on in the arrays themselves."""
    return replace(
        state.splats,
        **{name: array.copy() for name, array in state.splats.arrays().items()},
    )
