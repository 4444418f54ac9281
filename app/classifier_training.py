"""A classifier's training from its first lesson to its file, in stages that can be continued."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.classifiers import percent
from app.count_progress import CountProgress
from app.interrupts import StopRequest
from app.progress import TrainProgress, describe_fit

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32
    from rich.console import Console

    from data.labelled_clouds import LabelledClouds
    from pointcloud.advice import Advisers
    from pointcloud.classifier_files import SavedClassifier
    from pointcloud.config import FitConfig, ModelConfig
    from pointcloud.distillation import DistilConfig
    from pointcloud.fitting import Aim, FitState

_LABELS = "labels"
"""The stage that every training ends with."""
_MOST_SEEN = 10_000
"""Training clouds that say what is familiar."""


@dataclass(eq=False)
class Training:
    """What `darb3d fit classifier` does once its options are read."""

    out: Path
    state_path: Path
    config: ModelConfig
    fit: FitConfig
    distil: DistilConfig | None
    teacher: str | None
    start: SavedClassifier | None
    """What to train on; without it a model is made."""
    advisers: tuple[str, ...]
    """Files or names of those whose scores are learned beside labels."""
    data: tuple[LabelledClouds, LabelledClouds]
    """To train on, and held out."""
    data_name: str
    data_terms: str
    save_every_s: float
    score_every: float
    """Passes over the data between two scores of what is held out; 0 for none."""
    half: bool
    console: Console
    spent: FitState | None = None
    """The last stage, when it is done."""

    def run(self, resume: bool) -> int:
        """Train, score, write; returns the exit code."""
        from backbones.training_state import read_about
        from pointcloud.advice import load_advisers
        from pointcloud.classifier_files import new_model

        train, _ = self.data
        advisers = load_advisers(self.advisers, train.classes)
        if self.start is not None:
            model = self.start.model
        else:
            model = new_model(self.config, len(train.classes), self.fit.seed)
        self.console.print(f"{sum(value.numel() for value in model.parameters()):,} parameters")
        teacher = self._teacher(model) if self.teacher is not None else None
        names = [] if teacher is None else [lesson.name for lesson in self._lessons(model, teacher)]
        names.append(_LABELS)
        at = str(read_about(self.state_path).get("stage")) if resume else names[0]
        if at not in names:  # another kind of training: the first stage's check says which
            at = names[0]
        for name in names[names.index(at) :]:
            code = self._stage(name, model, teacher, advisers, resume)
            if code:
                return code
            resume = False
        return self._finish(model)

    def _stage(self, name: str, model: Any, teacher: Any, advisers: Advisers, resume: bool) -> int:
        """Train one stage; 0, or the exit code of whoever stopped it."""
        from backbones.training_state import load_training, save_training
        from pointcloud import distillation
        from pointcloud.fitting import classifying, initial_state

        train, _ = self.data
        config, lesson = self.fit, None
        if name == _LABELS:
            model.requires_grad_(True)
            if teacher is not None:
                distillation.inherit(model, teacher)
            elif not resume and self.start is None:
                start_gaussians(model, train)
        else:
            assert self.distil is not None
            config = distillation.fit_config(self.distil, self.fit)
            lesson = next(x for x in self._lessons(model, teacher) if x.name == name)
            distillation.begin(lesson, model, solve=not resume)
            self.console.print(f"learning from the teacher: {name}")
        state, about = initial_state(model, config), {**self._about(), "stage": name}
        if resume:
            load_training(self.state_path, state, config, about)
            self.console.print(f"resuming at step {state.step}")

        def save(now: FitState) -> None:
            save_training(self.state_path, now, config, about)

        with StopRequest() as stop:
            if lesson is not None:
                aim = lesson.aim
            else:
                aim = classifying(state, train, config, self._advice(advisers, stop))
            if not stop:
                every = self._steps_of_a_score() if lesson is None else 0
                self._descend(state, aim, config, save, every, stop)
            if stop:
                save(state)
                self.console.print(
                    f"stopped at step {state.step}; the same command with --resume goes on"
                )
                return stop.code
        state.finish()
        self.spent = state
        return 0

    def _descend(
        self,
        state: FitState,
        aim: Aim,
        config: FitConfig,
        save: Callable[[FitState], None],
        every: int,
        stop: StopRequest,
    ) -> None:
        """With a bar, and a score after `every` steps, unless that is 0."""
        from pointcloud.fitting import descend

        clock = _Clock()
        with TrainProgress(self.console, describe_fit, "starting") as progress:

            def report(step: int, values: dict[str, Any]) -> bool:
                progress.update(step, values)
                if every and step % every == 0:
                    with clock.standing():
                        self._score(state)
                return not stop

            descend(state, aim, config, report, save, self.save_every_s, clock)

    def _steps_of_a_score(self) -> int:
        """Steps between two scores; 0 where none are wanted."""
        if not self.score_every:
            return 0
        clouds = len(self.data[0])
        return max(1, round(self.score_every * (clouds // min(self.fit.batch, clouds))))

    def _advice(
        self, advisers: Advisers, stop: StopRequest
    ) -> Float32[np.ndarray, "c classes"] | None:
        """What advisers say of the clouds to train on; none without advisers, or when stopped."""
        from pointcloud.advice import advice, versions_of

        if not advisers.predictors:
            return None
        train, _ = self.data
        self.console.print("asking advisers about every cloud")
        with CountProgress(self.console, versions_of(train)) as progress:

            def report(count: int) -> bool:
                progress.add(count)
                return not stop

            return advice(advisers, train, self.fit, report)

    def _score(self, state: FitState) -> None:
        """Of the weights as they are: printed, and a line of the curve."""
        from pointcloud.prediction import accuracy

        found = accuracy(state.model, self.data[1])
        state.begin()
        line = {"step": state.step, "seconds": round(state.seconds, 1), "overall": found.overall}
        with open(self.out.with_suffix(".curve.jsonl"), "a") as stream:
            stream.write(json.dumps(line | {"mean_class": found.mean_class}) + "\n")
        self.console.print(f"step {state.step}: held out {percent(found)}")

    def _finish(self, model: Any) -> int:
        """Calibrate on what was held out, and write."""
        import numpy as np
        import torch

        from pointcloud import calibration
        from pointcloud.accuracy import accuracy_of
        from pointcloud.classifier_files import SavedClassifier, save_classifier
        from pointcloud.prediction import features, scores

        assert self.spent is not None
        train, held_out = self.data
        self.console.print("scoring the held-out clouds")
        given = scores(model, held_out.clouds)
        temperature = calibration.fitted_temperature(given, held_out.labels)
        if self.fit.balance:
            share = self.fit.balance
            # scores are log probabilities times the temperature
            lift = temperature * calibration.lifted_classes(train.labels, len(train.classes), share)
            model.head.bias.data += torch.from_numpy(lift).to(model.head.bias)
            given = given + lift
            temperature = calibration.fitted_temperature(given, held_out.labels)
        found = accuracy_of(given, held_out)
        rows = np.random.default_rng(self.fit.seed).permutation(len(train))[:_MOST_SEEN]
        seen = train.take(rows)
        familiarity = calibration.fitted_familiarity(
            features(model, seen.clouds).numpy(),
            seen.labels,
            features(model, held_out.clouds).numpy(),
        )
        error = calibration.calibration_error(
            calibration.probabilities(given, temperature), held_out.labels
        )
        written = {
            "data": self.data_name,
            **({"terms of the data": self.data_terms} if self.data_terms else {}),
            "clouds": len(train),
            "steps": self.spent.step,
            "seconds": round(self.spent.seconds, 1),
            "epochs": round(self.spent.step * self.fit.batch / len(train), 1),
            "seed": self.fit.seed,
            "recipe": asdict(self.fit),
            "held_out": {
                "clouds": len(held_out),
                "accuracy": round(found.overall, 4),
                "mean_class": round(found.mean_class, 4),
                "calibration_error": round(error, 4),
            },
        }
        if self.teacher is not None and self.distil is not None:
            # its name: where it lay is nobody's business who gets the model
            written["distilled"] = {"teacher": Path(self.teacher).stem, **asdict(self.distil)}
        if self.advisers:
            written["advised_by"] = [Path(name).stem for name in self.advisers]
        if self.start is not None:
            written["began_with"] = self._beginning()
        saved = SavedClassifier(model, train.classes, written, temperature, familiarity)
        save_classifier(self.out, saved, self.half)
        self.state_path.unlink(missing_ok=True)
        self.console.print(f"held out: {percent(found)}")
        self.console.print(f"wrote {self.out}: {self.out.stat().st_size / 1e6:.2f} MB")
        return 0

    def _teacher(self, model: Any) -> Any:
        from pointcloud.classifier_files import load_classifier
        from pointcloud.distillation import check_teacher
        from pointcloud.package_weights import weights_file

        assert self.teacher is not None
        path = weights_file(self.teacher, "--teacher")
        saved = load_classifier(path)
        check_teacher(saved, self.data[0].classes, model, f"--teacher {path}")
        return saved.model

    def _lessons(self, model: Any, teacher: Any) -> list[Any]:
        from pointcloud.distillation import lessons

        assert self.distil is not None
        return lessons(model, teacher, self.data[0], self.distil, self.fit)

    def _about(self) -> dict[str, Any]:
        """What must be the same when a training goes on."""
        train, _ = self.data
        about = {"data": self.data_name, "classes": list(train.classes), "clouds": len(train)}
        about |= {"model": type(self.config).__name__, "options": asdict(self.config)}
        teacher = None if self.distil is None else {"file": self.teacher, **asdict(self.distil)}
        began = {"began_with": self._beginning()} if self.start is not None else {}
        advised = {"advisers": list(self.advisers)} if self.advisers else {}
        return about | {"teacher": teacher} | advised | began

    def _beginning(self) -> dict[str, Any]:
        """Of the file that is trained on: a card tells of all trainings behind it."""
        assert self.start is not None
        told = ("data", "epochs", "seconds", "seed", "distilled", "advised_by", "began_with")
        return {name: self.start.about[name] for name in told if name in self.start.about}


class _Clock:
    """Seconds of training: it stands while something else is done."""

    def __init__(self) -> None:
        self._away = 0.0

    def __call__(self) -> float:
        return time.perf_counter() - self._away

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Inside, no time passes."""
        began = self()
        try:
            yield
        finally:
            self._away += self() - began


def start_gaussians(model: Any, data: LabelledClouds) -> None:
    """Put Gaussians that begin where points are (k-means) there."""
    import torch

    from pointcloud.config import MambaConfig
    from pointcloud.gaussian_encoder import GaussianEncoder
    from pointcloud.grouping import GROUP_SCALE

    encoders = [one for one in model.modules() if isinstance(one, GaussianEncoder)]
    if not any(one.config.start == "k-means" for one in encoders):
        return
    inputs = model.prepare(data.clouds[:64])
    grouped = isinstance(model.config, MambaConfig)
    xyz = (GROUP_SCALE * inputs[1] if grouped else inputs[0]).reshape(-1, 3)
    few = xyz[torch.randperm(len(xyz), generator=torch.Generator().manual_seed(0))[:8192]]
    for one in encoders:
        one.start_at(few)
