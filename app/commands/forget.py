"""`darb3d forget`: a classifier that no longer says a class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from data.errors import UserError

if TYPE_CHECKING:
    from pointcloud.classifier_files import SavedClassifier


@dataclass(frozen=True)
class Command:
    """Unlearn classes with bounded adapters, and report what is forgotten and what is kept.

    Needs clouds of the classes to forget and of those to keep. The base is not changed: an adapter
    is written beside it, and with --merged a model of its own, without the base's weights. Scores
    are of a fifth of each class, held out. What is forgotten is no longer said; that is no proof
    that nothing of it can be found in the weights.
    """

    base: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """A classifier that comes with darb3d, or one made by `darb3d fit classifier`."""
    classes: Annotated[tuple[str, ...], tyro.conf.arg(name="class")]
    """Names of the classes to forget."""
    data: Path
    """Folder with a sub-folder of clouds for each class, or an .npz."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """File to write, for darb3d classify --adapter; by default
    MODEL-without-CLASS.adapter.safetensors beside the base, or here for one that comes with
    darb3d."""
    merged: Path | None = None
    """Write the whole model without the class here, too."""
    bits: int | None = None
    """Store each number of the adapter in 1 to 8 bits; 32 by default."""
    kind: Literal["sine-lora", "tanh-lora", "lora"] = "sine-lora"
    """What bounds the adapters: a sine, tanh, or nothing (lora, for comparison)."""
    rank: int = 4
    """Rank of the adapters."""
    steps: int = 300
    """Length of the training."""
    rate: float = 1e-3
    """Of AdamW."""
    retain_weight: float = 10.0
    """Weight of what is to be kept."""
    clip: float | None = None
    """Largest norm of the gradient."""
    weight_decay: float = 0.0
    """Of AdamW."""
    seed: int = 0
    """Seed of every random draw."""
    threads: int | None = None
    """CPU threads; all cores by default."""

    def run(self) -> int:
        """Forget, write, score; returns the exit code."""
        from rich.console import Console

        from app.classifiers import new_file, say_data, set_threads
        from app.commands.adapt import beside
        from backbones.adapter_files import fingerprint, save_adapter
        from data.labelled_clouds import read_labelled_clouds
        from pointcloud.adapting import load_adapted
        from pointcloud.classifier_files import load_classifier, save_classifier
        from pointcloud.forgetting import bounded, parted
        from pointcloud.package_weights import weights_file
        from pointcloud.prediction import accuracy

        self._check()
        set_threads(self.threads)
        names = "-".join(self.classes)
        base = weights_file(self.base, "MODEL")
        out = new_file(self.out or beside(self.base, f"without-{names}"), "--out")
        if self.merged is not None:
            new_file(self.merged, "--merged")
        console = Console(highlight=False, markup=False, soft_wrap=True)
        saved = load_classifier(base)
        data = read_labelled_clouds(self.data)
        data = data.relabelled(self._classes(saved, data.classes))
        train, held_out = data.split()
        say_data(console, train, held_out)
        adapter_config = bounded(saved.model.config, self.kind, self.rank)
        print_of_base = fingerprint(saved.model)
        parts = parted(held_out, self.classes)
        before = [accuracy(saved.model, part).overall for part in parts]
        code = self._train(saved.model, train, adapter_config, console)
        if code:
            return code
        bits = self.bits
        text = {"temperature": f"{saved.temperature:.4g}"}
        size = save_adapter(
            out, saved.model, adapter_config, base=print_of_base, bits=bits, text=text
        )
        forgotten, _ = load_adapted(load_classifier(base), out)
        after = [accuracy(forgotten.model, part).overall for part in parts]
        said = (f"{names}, to forget", "the others, to keep")
        for what, one, other in zip(said, before, after, strict=True):
            console.print(f"{what}: {100 * one:.1f} % before, {100 * other:.1f} % after (held out)")
        console.print(f"wrote {out}: {size:,} bytes")
        if self.merged is not None:
            about = {**saved.about, "forgotten": list(self.classes)}
            save_classifier(self.merged, replace(forgotten, about=about))
            console.print(f"wrote {self.merged}: {self.merged.stat().st_size / 1e6:.2f} MB")
        return 0

    def _check(self) -> None:
        if self.bits is not None and not 1 <= self.bits <= 8:
            raise UserError(f"--bits: expected 1 to 8, found {self.bits}")
        for name in ("rank", "steps", "rate", "retain_weight"):
            if not getattr(self, name) > 0:
                option = name.replace("_", "-")
                raise UserError(f"--{option}: expected above 0, found {getattr(self, name)}")
        if not self.classes:
            raise UserError("--class: expected the name of a class, found none")

    def _classes(self, saved: SavedClassifier, given: tuple[str, ...]) -> tuple[str, ...]:
        """The model's classes, if it knows those of the data and of --class."""
        for name in (*self.classes, *given):
            if name not in saved.classes:
                where = f"--class {name}" if name in self.classes else f"{self.data}: class {name}"
                raise UserError(
                    f"{where}: expected one of the {len(saved.classes)} classes of {self.base},"
                    f" found none of that name{_near(name, saved.classes)}"
                )
        for name in self.classes:
            if name not in given:
                raise UserError(f"{self.data}: expected clouds of {name} to forget, found none")
        if set(given) <= set(self.classes):
            raise UserError(f"{self.data}: expected clouds of classes to keep, found none")
        return saved.classes

    def _train(self, model: Any, train: Any, adapter: Any, console: Any) -> int:
        from app.interrupts import StopRequest
        from app.progress import TrainProgress, describe_forgetting
        from backbones.unlearning import UnlearningConfig
        from pointcloud.forgetting import forget

        config = UnlearningConfig(
            self.steps, self.rate, self.retain_weight, self.clip, self.weight_decay
        )
        with StopRequest() as stop, TrainProgress(console, describe_forgetting) as progress:

            def report(step: int, values: dict[str, Any]) -> bool:
                progress.update(step, values)
                return not stop

            try:
                forget(model, train, self.classes, adapter, config, seed=self.seed, report=report)
            except ValueError as error:
                raise UserError(f"--rank {self.rank}: {error}") from None
        if stop:
            console.print("stopped; nothing was written")
        return stop.code


def _near(name: str, classes: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, classes, n=1)
    return f"; did you mean {near[0]}?" if near else f": {', '.join(classes[:8])}, ..."
