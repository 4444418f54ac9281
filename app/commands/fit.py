"""`darb3d fit`: a model trained on one's own data, in a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from backbones.config import BackboneConfig
from data.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from pointcloud.config import FitConfig
    from pointcloud.fitting import FitState

DEFAULT_MINUTES = 10.0


@dataclass(frozen=True)
class Command:
    """Train a classifier of point clouds on this machine.

    Data is a folder with a sub-folder of clouds for each class (.ply, .npz, .xyz, .pcd, ...), or an
    .npz with points (count, n, 3), label and classes. A fifth of each class is held out, the same
    every time, for the score; rows that the .npz marks as is_test are never read.
    """

    what: Annotated[Literal["classifier"], tyro.conf.Positional]
    """What to train."""
    data: Path
    """Folder of folders, or .npz."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write (.safetensors)."""
    model: Literal["transformer"] = "transformer"
    """Groups of points as tokens of a small transformer, whose options are --backbone.*."""
    minutes: float | None = None
    """Length of the training; 10 when neither this nor --steps is given."""
    steps: int | None = None
    """Length of the training in steps."""
    points: int = 1024
    """Points of a cloud that are looked at."""
    centres: int = 64
    """Groups that a cloud is cut into: the tokens."""
    neighbours: int = 16
    """Points in a group."""
    batch: int = 32
    """Clouds in a step."""
    rate: float = 1e-3
    """Highest rate of AdamW."""
    seed: int = 0
    """Seed of every random draw."""
    threads: int | None = None
    """CPU threads; all cores by default."""
    resume: bool = False
    """Go on with the unfinished training of this --out."""
    save_every: float = 300.0
    """Seconds of training between two saves of everything that is needed to resume."""
    backbone: BackboneConfig = field(default_factory=BackboneConfig)

    def run(self) -> int:
        """Train, save, score on the held-out clouds; returns the exit code."""
        from rich.console import Console

        from app.classifiers import new_file, percent, say_data, set_threads
        from app.interrupts import StopRequest
        from data.labelled_clouds import read_labelled_clouds
        from pointcloud.classifier_files import new_transformer, save_classifier
        from pointcloud.fitting import initial_state, load_fit, save_fit
        from pointcloud.prediction import accuracy

        fit_config, config = self._configs()
        set_threads(self.threads)
        state_path = self.out.with_suffix(".state.safetensors")
        new_file(self.out, "--out")
        if not self.resume and state_path.exists():
            raise UserError(
                f"{state_path}: expected no unfinished training of {self.out}, found one; go on"
                " with --resume, or delete it"
            )
        if self.resume and not state_path.exists():
            raise UserError(
                f"--resume: expected an unfinished training in {state_path}, found none; leave"
                " --resume out"
            )
        console = Console(highlight=False, markup=False, soft_wrap=True)
        train, held_out = read_labelled_clouds(self.data).split()
        say_data(console, train, held_out)
        about = {"data": self.data.name, "classes": list(train.classes), "clouds": len(train)}
        about |= {"transformer": asdict(config)}
        model = new_transformer(config, len(train.classes), self.seed)
        console.print(f"{sum(value.numel() for value in model.parameters()):,} parameters")
        state = initial_state(model, fit_config)
        if self.resume:
            load_fit(state_path, state, fit_config, about)
            console.print(f"resuming at step {state.step}")

        def save(now: FitState) -> None:
            save_fit(state_path, now, fit_config, about)

        with StopRequest() as stop:
            self._fit(state, train, fit_config, save, stop, console)
            if stop:
                save(state)
                console.print(
                    f"stopped at step {state.step}; the same command with --resume goes on"
                )
                return stop.code
        found = accuracy(model, held_out)
        written = {"data": self.data.name, "clouds": len(train), "steps": state.step}
        written |= {"seconds": round(state.seconds, 1), "seed": self.seed}
        written |= {"held_out": {"clouds": len(held_out), "accuracy": round(found.overall, 4)}}
        save_classifier(self.out, model, train.classes, written)
        state_path.unlink(missing_ok=True)
        console.print(f"held out: {percent(found)}")
        console.print(f"wrote {self.out}: {self.out.stat().st_size / 1e6:.2f} MB")
        return 0

    def _configs(self) -> tuple[FitConfig, Any]:
        from pointcloud.config import FitConfig, TransformerConfig

        endless = self.minutes is None and self.steps is None
        try:
            return FitConfig(
                steps=self.steps,
                minutes=DEFAULT_MINUTES if endless else self.minutes,
                batch=self.batch,
                rate=self.rate,
                seed=self.seed,
            ), TransformerConfig(self.points, self.centres, self.neighbours, self.backbone)
        except ValueError as error:
            raise UserError(f"options: {error}") from None

    def _fit(
        self,
        state: FitState,
        train: Any,
        config: FitConfig,
        save: Any,
        stop: Any,
        console: Console,
    ) -> None:
        from app.progress import TrainProgress, describe_fit
        from pointcloud.fitting import fit

        with TrainProgress(console, describe_fit, "starting") as progress:

            def report(step: int, values: dict[str, Any]) -> bool:
                progress.update(step, values)
                return not stop

            fit(state, train, config, report, save, self.save_every)
