"""`darb3d train`: a COLMAP folder in; a run folder, and a page that shows it grow, out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from data.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from app.interrupts import StopRequest
    from app.runs import RunConfig, RunFolder
    from app.viewer import Viewer
    from data.scene import Scene
    from splatting.training_state import TrainingState

DEFAULT_MINUTES = 5.0
SCORED_TRAINING_VIEWS = 50
"""The training PSNR is taken over at most this many views, evenly spaced."""


@dataclass(frozen=True)
class Command:
    """Train splats on a COLMAP folder and watch them in the browser."""

    scene: Annotated[Path, tyro.conf.Positional]
    """COLMAP folder: photos and a sparse model."""
    kernel: str = "raised-cosine"
    """Decay of a splat: gaussian, raised-cosine, half-cosine, half-cosine-square, parabolic,
    modular-sinc, inverse-multiquadric, triangle, generalised-exponential:n=1.5, student-t:nu=5, or
    your own, FILE.py:NAME (docs/kernels.md)."""
    strategy: Literal["adaptive", "mcmc"] = "adaptive"
    """Density control: split where the screen pulls, or samples that move to where they matter."""
    data_factor: int = 1
    """Shrink the photos by this factor."""
    minutes: float | None = None
    """Length of the training loop; 5 when neither this nor --steps is given."""
    steps: int | None = None
    """Length of the training loop in steps."""
    seed: int = 0
    """Seed of every random draw."""
    out: Path | None = None
    """Run folder; by default the next free runs/<scene>-<kernel>-<n>."""
    no_viewer: bool = False
    """Open no page; leave when done."""
    resume: str | None = None
    """Continue the newest unfinished run of this scene and kernel, or the folder named here; more
    --steps or --minutes may be given."""
    save_every: float = 300.0
    """Seconds of training between two saves of everything that is needed to resume."""
    train_on_all: bool = False
    """Train on the held-out photos too; writes no score."""
    exit: bool = False
    """Leave after training instead of serving the page."""
    port: int | None = None
    """Port of the page; by default the next free one from 8080."""
    antialiased: bool = False
    """Keep the paint of splats smaller than a pixel, for views from afar (Mip-Splatting)."""
    exposure: bool = False
    """Fit exposure and white balance of each training photo; scores are of the plain render."""
    invert_masks: bool = False
    """Masks are black where photos count; by default they are white there."""
    alpha: Literal["transparent", "mask"] = "transparent"
    """Alpha channels: transparency of the subject, or masks of what counts."""
    max_splats: int | None = None
    """Never more splats than this."""
    cache_gb: float | None = None
    """Memory for decoded photos; a quarter of what is free by default. The others are decoded anew
    each time."""
    threads: int | None = None
    """Threads of the CPU rasteriser; all cores by default."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Training runs on the CPU; cuda is refused for now."""

    def run(self) -> int:
        """Train, save, score, serve; returns the exit code."""
        from rich.console import Console

        from app.interrupts import StopRequest
        from app.memory import plan
        from app.resuming import continued, find, load_state
        from app.runs import RunFolder
        from data import load_scene
        from data.images import read_photo
        from splatting import kernels

        config, resumed = resolve(self), None
        if self.resume is not None:
            endless = self.minutes is None and self.steps is None
            resumed = find(self.resume, config, self.out)
            defaults = resolve(Command(self.scene))
            config = continued(resumed, config, defaults, endless)
        console = Console(highlight=False, markup=False, soft_wrap=True)
        scene = load_scene(
            self.scene,
            config.data_factor,
            config.train_on_all,
            config.invert_masks,
            config.alpha,
        )
        memory = plan(scene, config.max_splats, self.cache_gb)
        config = replace(config, max_splats=memory.max_splats)
        for note in (*scene.notes, memory.note):
            console.print(note)
        viewer = None if self.no_viewer else open_viewer(scene, self, console)
        try:
            for view in scene.test:  # a broken one should not be found after the training
                read_photo(view.image_path)
            state = None
            if resumed is None:
                run = RunFolder.create(scene.name, kernels.get(self.kernel).name, self.out)
            else:
                run = resumed
                state, note = load_state(run)
                console.print(f"{note}resuming {run.path} at step {state.step if state else 0}")
                run.forget_after(state.step if state else 0)
            run.write_config(config)
            try:
                with StopRequest() as stop:
                    result = train_and_save(
                        scene,
                        config,
                        run,
                        viewer,
                        console,
                        stop,
                        state,
                        self.save_every,
                        memory.cache_bytes,
                    )
            except BaseException:
                if resumed is None:
                    run.discard()
                raise
            if stop:
                console.print(f"stopped at step {result.steps}; saved in {run.path}")
                console.print(f"go on with: darb3d train {self.scene} --resume {run.path}")
                return stop.code
            score(scene, run, result, viewer, console)
            console.print(f"saved in {run.path}")
            if viewer and not self.exit:
                with StopRequest() as stop:
                    console.print(f"serving {viewer.address} until Ctrl-C")
                    stop.wait()
        finally:
            if viewer:
                viewer.close()
        return 0


def resolve(command: Command) -> RunConfig:
    """What the command asks for, checked before anything is loaded."""
    import splatting
    from app.runs import RunConfig
    from splatting import kernels

    if command.device != "cpu":
        raise UserError(
            f"--device: expected cpu, found {command.device}: training on CUDA is not there yet; "
            "leave it out (darb3d eval --device cuda draws Gaussians with gsplat)"
        )
    if command.minutes is not None and command.steps is not None:
        raise UserError("expected --minutes or --steps, found both; leave one out")
    if command.minutes is not None and not 0 < command.minutes < float("inf"):
        raise UserError(f"--minutes: expected a time above 0, found {command.minutes}")
    if command.cache_gb is not None and not command.cache_gb >= 0:
        raise UserError(f"--cache-gb: expected 0 or more, found {command.cache_gb}")
    if not command.save_every > 0:
        raise UserError(f"--save-every: expected seconds above 0, found {command.save_every}")
    least = {"data_factor": 1, "steps": 1, "seed": 0, "max_splats": 1, "threads": 1}
    for name, lowest in least.items():
        value = getattr(command, name)
        if value is not None and value < lowest:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag}: expected {lowest} or more, found {value}")
    kernels.get(command.kernel)
    endless = command.minutes is None and command.steps is None
    return RunConfig(
        scene=str(command.scene.absolute()),
        kernel=command.kernel,
        strategy=command.strategy,
        data_factor=command.data_factor,
        minutes=DEFAULT_MINUTES if endless else command.minutes,
        steps=command.steps,
        seed=command.seed,
        train_on_all=command.train_on_all,
        max_splats=command.max_splats or splatting.TrainConfig.max_splats,
        threads=command.threads,
        exposure=command.exposure,
        antialiased=command.antialiased,
        invert_masks=command.invert_masks,
        alpha=command.alpha,
    )


def open_viewer(scene: Scene, command: Command, console: Console) -> Viewer:
    """The page, before the first step; its address is printed."""
    from app.viewer import Viewer

    viewer = Viewer(scene.name, f"{command.kernel}: compiling", port=command.port)
    viewer.show_scene(scene)
    console.print(f"watch it at {viewer.address}")
    if viewer.hint:
        console.print(viewer.hint)
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
    from splatting.training_state import initial_state
    from splatting.training_state import progress as progress_of
    from splatting.warm_up import warm_up

    train_config = splatting.TrainConfig(
        kernel=config.kernel,
        strategy=config.strategy,
        steps=config.steps,
        minutes=config.minutes,
        seed=config.seed,
        threads=config.threads,
        max_splats=config.max_splats,
        exposure=config.exposure,
        antialiased=config.antialiased,
    )
    log = MetricsLog(run.metrics_path)

    def save(now: TrainingState) -> None:
        save_splats(run.splats_path, now.splats)
        run.save_state(now)

    with TrainProgress(console) as progress:

        def report(step: int, values: dict[str, Any]) -> bool:
            log.add(step, values)
            progress.update(step, values)
            wanted = viewer.update(step, values, lambda: stop) if viewer else True
            return wanted and not stop

        compiled_s = warm_up(kernels.get(config.kernel))
        if compiled_s > 2:
            console.print(f"compiled in {compiled_s:.0f} s, kept for the next time")
        if viewer:
            viewer.begin_training()
        state = state or initial_state(scene, train_config)
        result = splatting.train(
            scene, train_config, report, state, save, save_every_s, cache_bytes
        )
    log.close()
    if viewer:
        viewer.end_training(result)
    save(state)
    save_ply(run.ply_path, result.splats)
    if progress_of(state, train_config) >= 1.0:
        run.finished_path.touch()
    return result


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
    write_json(run.eval_path, complete(scores, result.steps, result.seconds))
    console.print(f"held-out PSNR ({len(scene.test)} views): {scores['psnr']:.2f} dB")
    if viewer:
        viewer.panel.say(f"done: held-out PSNR {scores['psnr']:.2f} dB")
