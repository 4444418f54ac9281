"""One training from the command line: its page, its run folder, its scores."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from app.interrupts import StopRequest
    from app.runs import RunConfig, RunFolder
    from app.viewer import Viewer
    from data.scene import Scene
    from splatting.config import TrainConfig
    from splatting.training_state import TrainingState

SCORED_TRAINING_VIEWS = 50
"""The training PSNR is taken over at most this many views, evenly spaced."""
WAIT_FOR_ROOM_S = 600.0
"""How long a finished training waits for room on a full disk."""


def open_viewer(
    scene: Scene, config: RunConfig, run: RunFolder, host: str, port: int | None, console: Console
) -> Viewer:
    """The page, before the first step; its address is printed. Commands that it shows name `run`,
    which holds splats from the first save on."""
    from app.viewer import Viewer
    from splatting import kernels

    viewer = Viewer(
        scene.name,
        f"{config.kernel}: compiling",
        port,
        host,
        source=str(run.path),
        kernel=kernels.get(config.kernel),
        antialiased=config.antialiased,
    )
    viewer.show_scene(scene)
    console.print(f"watch it at {viewer.address}")
    for line in filter(None, (viewer.note, viewer.hint)):
        console.print(line)
    return viewer


def train_and_save(
    scene: Scene,
    config: RunConfig,
    run: RunFolder,
    viewer: Viewer | None,
    console: Console,
    stop: StopRequest,
    state: TrainingState | None,
    save_every_s: float,
    cache_bytes: float,
) -> Any:
    """Train until done or stopped, from `state` if there is one, then write splats and state
    whatever ended it; the TrainResult."""
    import splatting
    from app.progress import TrainProgress
    from app.runs import MetricsLog
    from splatting import kernels
    from splatting.checkpoint import save_splats
    from splatting.export import save_ply
    from splatting.warm_up import warm_up

    train_config = train_config_of(config)
    log = MetricsLog(run.metrics_path)

    def save(now: TrainingState) -> None:
        save_splats(run.splats_path, now.splats)
        run.save_state(now)

    def save_all(now: TrainingState) -> None:
        save(now)
        save_ply(run.ply_path, now.splats)

    def autosave(now: TrainingState) -> None:
        if not fits(save, now):
            console.print(
                f"{run.path}: the disk is full: step {now.step} is not saved, training goes on"
            )

    with TrainProgress(console) as progress:

        def report(step: int, values: dict[str, Any]) -> bool:
            log.add(step, values)
            progress.update(step, values)
            wanted = viewer.update(step, values, lambda: stop) if viewer else True
            return wanted and not stop

        depth = bool(train_config.depth_weight)
        compiled_s = warm_up(kernels.get(config.kernel), depth=depth)
        if compiled_s > 2:
            console.print(f"compiled in {compiled_s:.0f} s, kept for the next time")
        if viewer:
            viewer.begin_training()
        state = state or first_state(scene, train_config, config.init)
        result = splatting.train(
            scene, train_config, report, state, autosave, save_every_s, cache_bytes
        )
    log.close()
    if viewer:
        viewer.end_training(result)
    if not fits(save_all, state):
        console.print(f"{run.path}: the disk is full: make room, or give up with Ctrl-C")
        until = time.monotonic() + WAIT_FOR_ROOM_S
        while not fits(save_all, state):
            if stop or time.monotonic() > until:
                raise UserError(
                    f"{run.path}: expected room for the last save, found none; make some and go on "
                    "from the save before with --resume"
                )
            time.sleep(1.0)
    if result.finished:
        run.finished_path.touch()
        if config.minutes is not None and result.seconds < 59 * config.minutes:
            rounds = result.steps / len(scene.train)
            console.print(
                f"over after {rounds:.0f} rounds of all photos: more would learn them by heart"
                " (--passes)"
            )
    return result


def fits(save: Callable[[TrainingState], None], state: TrainingState) -> bool:
    """Save; False where the disk has no room for it."""
    from app.errors import FULL

    try:
        save(state)
    except OSError as error:
        if error.errno not in FULL:
            raise
        return False
    return True


def train_config_of(config: RunConfig) -> TrainConfig:
    """What a run's configuration means to the trainer."""
    import splatting

    shared = (
        "kernel strategy steps minutes passes seed threads max_splats exposure antialiased"
        " depth_weight"
    )
    return splatting.TrainConfig(**{name: getattr(config, name) for name in shared.split()})


def first_state(scene: Scene, config: TrainConfig, init: str | None) -> TrainingState:
    """The state before the first step: splats at the scene's points, or those of a file or run.

    UserError for splats of another kernel.
    """
    from app.loading import load
    from splatting.splats import with_origin
    from splatting.training_state import initial_state, state_of

    if init is None:
        return initial_state(scene, config)
    splats = load(Path(init)).splats
    wanted = initial_state(scene, config).splats.kernel
    if splats.kernel.name != wanted.name:
        raise UserError(
            f"--init {init}: expected splats of the kernel {wanted.name}, found"
            f" {splats.kernel.name}; add --kernel {splats.kernel.name}"
        )
    return state_of(with_origin(splats, scene.origin_world), scene, config)


def score(
    scene: Scene, run: RunFolder, result: Any, viewer: Viewer | None, console: Console
) -> None:
    """Print the PSNR of both kinds of views; write eval.json and the held-out renders."""
    from app.commands.eval import complete
    from app.runs import write_json
    from app.viewer.scene_view import to_uint8
    from splatting.evaluation import evaluate

    every = -(-len(scene.train) // SCORED_TRAINING_VIEWS)
    seen = scene.train[::every]
    psnr = evaluate(result.splats, seen, perceptual=False)["psnr"]
    console.print(f"training PSNR ({len(seen)} views): {psnr:.2f} dB")
    if not scene.test:
        console.print("no held-out PSNR: every photo was trained on")
        return

    def keep(view: Any, rgb: Any) -> None:
        run.write_image(run.render_path(view.name), to_uint8(rgb))

    scores = evaluate(result.splats, scene.test, on_image=keep)
    write_json(run.eval_path, complete(scores, scene, result.steps, result.seconds))
    console.print(f"held-out PSNR ({len(scene.test)} views): {scores['psnr']:.2f} dB")
    if viewer:
        viewer.panel.say(f"done: held-out PSNR {scores['psnr']:.2f} dB")
