"""`darb3d train`: a COLMAP folder in; a run folder, and a page that shows it grow, out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from data.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from app.runs import RunConfig, RunFolder

DEFAULT_MINUTES = 5.0


@dataclass(frozen=True)
class Command:
    """Train splats and watch them in the browser.

    SCENE is a COLMAP folder, a folder with transforms.json, a .zip of either, a folder of photos,
    or a video; for the last two the cameras are found first (see darb3d sfm).
    """

    scene: Annotated[Path, tyro.conf.Positional]
    """COLMAP folder, transforms.json beside photos, .zip, photos alone, or a video."""
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
    passes: float = 250.0
    """A training by minutes ends when it has gone through all photos so often: more would learn
    them by heart. 0 for no end."""
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
    host: str = "127.0.0.1"
    """Address of this machine to serve the page on; 0.0.0.0 for all of them. Who can reach it needs
    the token too, which stands in the address that is printed."""
    antialiased: bool = False
    """Keep the paint of splats smaller than a pixel, for views from afar (Mip-Splatting)."""
    exposure: bool = False
    """Fit exposure and white balance of each training photo; scores are of the plain render."""
    depth_weight: float = 1.0
    """Pull of COLMAP's sparse points on the depth; 0 for none, where they are wrong."""
    init: Path | None = None
    """Start from the splats of this run or .ply instead of the sparse points."""
    undistorted: bool = False
    """Photos are undistorted already, although the model still lists distortion (RealityScan)."""
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

        from app.cameras import name_of
        from app.resuming import continued, find
        from app.runs import RunFolder
        from splatting import kernels

        config, resumed = resolve(self), None
        if self.resume is not None:
            endless = self.minutes is None and self.steps is None
            resumed = find(self.resume, config, self.out, endless)
            defaults = resolve(Command(self.scene))
            config = continued(resumed, config, defaults, endless)
        console = Console(highlight=False, markup=False, soft_wrap=True)
        if resumed is not None:
            return self._train(resumed, config, console, resumed=True)
        if note := check(self.scene):
            console.print(note)
        run = RunFolder.create(name_of(self.scene), kernels.get(self.kernel).name, self.out)
        try:
            return self._train(run, config, console, resumed=False)
        except BaseException:
            if not run.discard() and not run.splats_path.exists():
                self._say_how_to_go_on(run, console, "cameras are kept")
            raise

    def _train(self, run: RunFolder, config: RunConfig, console: Console, resumed: bool) -> int:
        from app import cameras, training_run
        from app.interrupts import StopRequest
        from app.memory import plan
        from app.resuming import load_state
        from data.images import read_photo
        from splatting.training_state import check_scene

        missing = cameras.are_missing(self.scene)
        if missing and not (run.sfm_path / "sparse" / "0").is_dir():
            run.write_config(config)
            with StopRequest() as stop:
                try:
                    cameras.find(self.scene, run.sfm_path, console, lambda: bool(stop))
                except InterruptedError:
                    self._say_how_to_go_on(run, console, "stopped while finding cameras")
                    return stop.code
            # as large as the photos, and nothing asks it again
            (run.sfm_path / "database.db").unlink(missing_ok=True)
        scene = cameras.read_scene(self.scene, config, run.sfm_path)
        memory = plan(scene, config.max_splats, self.cache_gb)
        config = replace(config, max_splats=memory.max_splats)
        for note in (*scene.notes, memory.note):
            console.print(note)
        for view in scene.test:  # a broken one should not be found after the training
            read_photo(view.image_path)
        viewer = None
        if not self.no_viewer:
            viewer = training_run.open_viewer(scene, config, run, self.host, self.port, console)
        try:
            state = None
            if resumed:
                state, note = load_state(run)
                if state is not None:
                    check_scene(state, scene)
                console.print(f"{note}resuming {run.path} at step {state.step if state else 0}")
                run.forget_after(state.step if state else 0)
            run.write_config(config)
            with StopRequest() as stop:
                result = training_run.train_and_save(
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
            if stop:
                self._say_how_to_go_on(run, console, f"stopped at step {result.steps}; saved")
                return stop.code
            training_run.score(scene, run, result, viewer, console)
            console.print(f"saved in {run.path}")
            if viewer and not self.exit:
                with StopRequest() as stop:
                    console.print(f"serving {viewer.address} until Ctrl-C")
                    stop.wait()
        finally:
            if viewer:
                viewer.close()
        return 0

    def _say_how_to_go_on(self, run: RunFolder, console: Console, what: str) -> None:
        console.print(f"{what} in {run.path}")
        console.print(f"go on with: darb3d train {self.scene} --resume {run.path}")


def check(source: Path) -> str:
    """UserError for a source that no training can come of, before a run folder is made for it; what
    to say of one that is doubtful."""
    from app import cameras
    from data.reconstruction import find_model

    if cameras.are_missing(source):
        return cameras.check_photos(source)
    find_model(cameras.folder_of(source))
    return ""


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
    if not 0 <= command.passes < float("inf"):
        raise UserError(f"--passes: expected 0 or more, found {command.passes}")
    if not 0 <= command.depth_weight < float("inf"):
        raise UserError(f"--depth-weight: expected 0 or more, found {command.depth_weight}")
    if command.init is not None and not command.init.exists():
        raise UserError(f"--init {command.init}: expected a run or a file of splats, found nothing")
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
        undistorted=command.undistorted,
        alpha=command.alpha,
        depth_weight=command.depth_weight,
        passes=command.passes,
        init=None if command.init is None else str(command.init.absolute()),
    )
