"""`darb3d fit classifier`: a model of clouds trained on one's own data, in a file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from backbones.config import BackboneConfig
from data.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from data.labelled_clouds import LabelledClouds
    from pointcloud.classifier_files import SavedClassifier
    from pointcloud.config import FitConfig, ModelConfig
    from pointcloud.distillation import DistilConfig

DEFAULT_MINUTES = 10.0
_OF_THE_RECIPE = (
    "rate",
    "smoothing",
    "scale",
    "shift",
    "drop",
    "average",
    "coarse_until",
    "gaussian_rate",
)
"""Options whose defaults are the model's own."""


@dataclass(frozen=True)
class Command:
    """Train a classifier of point clouds on this machine.

    DATA is a folder with a sub-folder of clouds for each class (.ply, .obj, .xyz, .pcd, ...), or
    one file .npz with points (count, n, 3), label and classes. A fifth of each class is held out,
    the same every time, for the score and for calibration; rows that the .npz marks as is_test are
    never read. Everything is saved every five minutes and on Ctrl-C: --resume goes on.

    With --teacher a 3dgpe learns from a pointnet, and a mamba3d-3dgpe from a mamba3d, before it is
    fitted to the labels. With --advisers any model learns what trained ones of any kind say of each
    cloud, beside its label.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write (.safetensors)."""
    clouds: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = None
    """Folder of folders, or .npz."""
    data: Path | None = None
    """The same as DATA."""
    model: Literal["transformer", "pointnet", "3dgpe", "mamba3d", "mamba3d-3dgpe"] = "transformer"
    """transformer: groups of points as tokens (--backbone.*). pointnet: layers on every point.
    3dgpe: Gaussians instead of those layers, the quickest. mamba3d: groups as tokens of a scan, by
    layers or (-3dgpe) by Gaussians."""
    teacher: str | None = None
    """A file of this command to distil from, or the name of a classifier that comes with darb3d."""
    start_from: str | None = None
    """A file of this command, or the name of a classifier that comes with darb3d, of the same
    --model and classes: train on with its weights. It says what is built."""
    advisers: tuple[str, ...] = ()
    """Files of this command, or names of classifiers that come with darb3d, of the data's classes
    and of any model: what they say of a cloud is learned beside its label."""
    advice: float = 0.7
    """Share of what --advisers say in what is learned; 1 leaves the labels out."""
    minutes: float | None = None
    """Length of the training; 10 when neither this nor --steps nor --epochs is given."""
    steps: int | None = None
    """Length of the training in steps."""
    epochs: float | None = None
    """Length of the training in passes over the data."""
    distil_steps: int = 6000
    """Length of each stage of learning from the teacher."""
    distil_source: Literal["data", "uniform"] = "data"
    """What the teacher is asked about: the data's points, or random ones."""
    points: int = 1024
    """Points of a cloud that are looked at."""
    size: Literal["small", "full"] = "small"
    """Of a mamba3d: 192 wide with 6 blocks, or as published, which asks for a GPU."""
    width: int | None = None
    """Features of a cloud (1024), or numbers in a token of a mamba3d."""
    depth: int | None = None
    """Blocks of a mamba3d."""
    centres: int | None = None
    """Groups that a cloud is cut into: the tokens; 64 (full size: 128)."""
    neighbours: int | None = None
    """Points in a group; 16 (full size: 32)."""
    metric: bool = False
    """Look at how large clouds are, too, in the units of their files: where all are measured in the
    same ones, as a LiDAR's are."""
    no_t_net: bool = False
    """Leave out the network that turns each cloud (pointnet, 3dgpe)."""
    gaussians: int = 32
    """Gaussians of an encoder."""
    shape: Literal["full", "diagonal", "isotropic"] = "full"
    """Of their precision matrices."""
    start: Literal["random", "grid", "layered", "k-means"] = "random"
    """Where they begin."""
    rule: Literal["natural", "sgd", "adamw"] = "natural"
    """What moves them: natural gradient, plain gradient, or AdamW like all else."""
    gaussian_rate: float | None = None
    """Highest rate of natural or sgd."""
    batch: int = 32
    """Clouds in a step."""
    rate: float | None = None
    """Highest rate of AdamW; the model's own by default, as with all that follow."""
    smoothing: float | None = None
    """Label smoothing."""
    scale: float | None = None
    """Stretch axes by up to this factor."""
    shift: float | None = None
    """Move clouds by up to this many radii."""
    drop: float | None = None
    """Leave out up to this share of points."""
    coarse_until: float | None = None
    """Progress until which a transformer or mamba3d sees half of the groups, for half of the work.
    """
    bf16: bool = False
    """Multiply matrices in bfloat16, on a processor that can (AVX512-BF16, AMX); not of a 3dgpe."""
    rotate: bool = False
    """Turn clouds about their upright axis: where the data has no front."""
    average: float | None = None
    """Keep a running mean of the weights, of this decay (0.999, say)."""
    balance: float = 0.0
    """How far rare classes are lifted to where common ones stand: 0 takes them to be as rare as in
    DATA, for the most right answers on more of the same; 1 as common as the others, for the best
    mean over classes; 0.5 gave ModelNet40 some of the second at no cost in the first."""
    hold_out: float = 0.2
    """Share of each class that is held out."""
    half: bool = False
    """Write weights in half precision: half the size."""
    data_terms: str = ""
    """Terms under which the data may be used; they stand in the file's card (darb3d inspect)."""
    seed: int = 0
    """Seed of every random draw."""
    threads: int | None = None
    """CPU threads; all cores by default."""
    resume: bool = False
    """Go on with the unfinished training of this --out."""
    save_every: float = 300.0
    """Seconds of training between two saves of everything that is needed to resume."""
    score_every: float = 0.0
    """Passes over the data between two scores of the held-out clouds, printed and added to --out's
    .curve.jsonl; 0 for one score at the end."""
    backbone: BackboneConfig = field(default_factory=BackboneConfig)

    def run(self) -> int:
        """Train, save, score on the held-out clouds; returns the exit code."""
        from rich.console import Console

        from app.classifier_training import Training
        from app.classifiers import new_file, say_data, set_threads
        from data.labelled_clouds import read_labelled_clouds

        data = self._data()
        if not 0.0 < self.hold_out < 1.0:
            raise UserError(f"--hold-out: expected above 0, below 1, found {self.hold_out}")
        if not 0.0 <= self.score_every < math.inf:
            raise UserError(f"--score-every: expected 0 or more, found {self.score_every}")
        start = self._start()
        config = self._model_config() if start is None else start.model.config
        # options are refused before data are read
        self._check_fit(config)
        set_threads(self.threads)
        new_file(self.out, "--out")
        state_path = self.out.with_suffix(".state.safetensors")
        _check_state(state_path, self.out, self.resume)
        console = Console(highlight=False, markup=False, soft_wrap=True)
        train, held_out = read_labelled_clouds(data).split(self.hold_out)
        say_data(console, train, held_out)
        if start is not None:
            _check_beginning(start, train, data.name, console)
        training = Training(
            self.out,
            state_path,
            config,
            self._fit_config(self._steps(len(train))),
            self._distil_config(),
            self.teacher,
            start,
            self.advisers,
            (train, held_out),
            data.name,
            self.data_terms,
            self.save_every,
            self.score_every,
            self.half,
            console,
        )
        return training.run(self.resume)

    def _data(self) -> Path:
        given = [path for path in (self.clouds, self.data) if path is not None]
        if len(given) != 1:
            raise UserError(
                f"DATA: expected one folder of clouds, or one .npz, found {len(given)}; as in"
                " darb3d fit classifier CLOUDS -o model.safetensors"
            )
        return given[0]

    def _start(self) -> SavedClassifier | None:
        """The classifier to train on, which must be what the other options ask for."""
        from pointcloud.classifier_files import load_classifier
        from pointcloud.package_weights import weights_file
        from pointcloud.recipes import name_of

        if self.start_from is None:
            return None
        if self.teacher is not None:
            raise UserError("--start-from: expected no --teacher beside it; it has learned already")
        path = weights_file(self.start_from, "--start-from")
        found = load_classifier(path)
        if name_of(found.model.config) != self.model:
            raise UserError(
                f"--model: expected {name_of(found.model.config)}, which --start-from {path} is,"
                f" found {self.model}"
            )
        if self._model_config() != Command(self.out, model=self.model)._model_config():
            raise UserError(
                "--start-from: expected no options that say how the model is built, since the file"
                " does; leave them out"
            )
        return found

    def _steps(self, clouds: int) -> int | None:
        if self.epochs is None:
            return self.steps
        if self.epochs <= 0 or self.steps is not None or self.minutes is not None:
            raise UserError("--epochs: expected above 0, and neither --steps nor --minutes")
        return max(1, round(self.epochs * (clouds // min(self.batch, clouds))))

    def _fit_config(self, steps: int | None) -> FitConfig:
        from pointcloud.config import FitConfig
        from pointcloud.recipes import RECIPES

        given = {
            name: getattr(self, name) for name in _OF_THE_RECIPE if getattr(self, name) is not None
        }
        minutes = None
        if self.epochs is None and (steps is None or self.minutes is not None):
            minutes = DEFAULT_MINUTES if self.minutes is None else self.minutes
            steps = self.steps
        try:
            return FitConfig(
                steps=steps,
                minutes=minutes,
                batch=self.batch,
                rotate=self.rotate,
                gaussians=self.rule,
                seed=self.seed,
                bf16=self.bf16,
                balance=self.balance,
                advice=self.advice if self.advisers else 0.0,
                **{**RECIPES[self.model], **given},
            )
        except ValueError as error:
            raise UserError(f"options: {error}") from None

    def _check_fit(self, config: ModelConfig) -> None:
        from pointcloud.config import check_fit

        try:
            check_fit(self._fit_config(steps=1), config)
        except ValueError as error:
            raise UserError(f"options: {error}") from None

    def _distil_config(self) -> DistilConfig | None:
        from pointcloud.distillation import DistilConfig

        if self.teacher is None:
            return None
        if "3dgpe" not in self.model:
            raise UserError(
                f"--teacher: expected --model 3dgpe or mamba3d-3dgpe to learn from it, found"
                f" {self.model}"
            )
        if self.distil_steps < 1:
            raise UserError(f"--distil-steps: expected 1 or more, found {self.distil_steps}")
        return DistilConfig(steps=self.distil_steps, source=self.distil_source)

    def _model_config(self) -> ModelConfig:
        from pointcloud.config import (
            GaussianConfig,
            GaussianNetConfig,
            MambaConfig,
            PointNetConfig,
            TransformerConfig,
        )

        sizes: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("width", "depth", "centres", "neighbours")
            if getattr(self, name) is not None
        }
        groups = {n: v for n, v in sizes.items() if n in ("centres", "neighbours")}
        shared: dict[str, Any] = {"points": self.points, "metric": self.metric}
        width, t_net = self.width or 1024, not self.no_t_net
        try:
            gaussian = GaussianConfig(self.gaussians, self.shape, self.start)
            if self.model == "transformer":
                return TransformerConfig(**shared, **groups, backbone=self.backbone)
            if self.model == "pointnet":
                return PointNetConfig(**shared, widths=(64, 128, width), t_net=t_net)
            if self.model == "3dgpe":
                return GaussianNetConfig(**shared, width=width, t_net=t_net, encoder=gaussian)
            whole = MambaConfig.small() if self.size == "small" else MambaConfig()
            kind = "pointnet" if self.model == "mamba3d" else "gaussian"
            own = {**shared, "encoder": kind, "gaussian": gaussian}
            return MambaConfig(**{**vars(whole), **own, **sizes})
        except ValueError as error:
            raise UserError(f"options: {error}") from None


def _check_beginning(
    start: SavedClassifier, train: LabelledClouds, data: str, console: Console
) -> None:
    """UserError for other classes; a warning where clouds held out now were trained on then."""
    if start.classes != train.classes:
        raise UserError(
            f"--start-from: expected a classifier of the data's {len(train.classes)} classes,"
            f" found one of {len(start.classes)} or of other names; darb3d adapt gives it others"
        )
    then = start.about.get("clouds")
    if start.about.get("data") == data and isinstance(then, int) and then != len(train):
        console.print(
            f"warning: --start-from was trained on {then:,} clouds of {data}, and now"
            f" {len(train):,} are trained on: what is held out now it may have seen, and the score"
            " flatters; give the same --hold-out as then"
        )


def _check_state(path: Path, out: Path, resume: bool) -> None:
    if not resume and path.exists():
        raise UserError(
            f"{path}: expected no unfinished training of {out}, found one; go on with --resume, or"
            " delete it"
        )
    if resume and not path.exists():
        raise UserError(
            f"--resume: expected an unfinished training in {path}, found none; leave --resume out"
        )
