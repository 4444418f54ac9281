"""`darb3d adapt`: a trained classifier for one's own classes, by an adapter of a few kB."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from data.errors import UserError

if TYPE_CHECKING:
    from backbones.adapters import AdapterConfig
    from pointcloud.config import FitConfig

DEFAULT_MINUTES = 2.0


@dataclass(frozen=True)
class Command:
    """Fine-tune a classifier to your own classes; writes an adapter beside it.

    The base is not changed. A class that the base does not know gets a new head for all classes of
    the data; otherwise the base's own is kept. A fifth of each class is held out for the scores:
    before (the base; with a new head, that head trained on the base's features) and after, of what
    the written file gives.
    """

    base: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """A classifier that comes with darb3d, or one made by `darb3d fit classifier`."""
    data: Path
    """Folder with a sub-folder of clouds for each class, or an .npz."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """File to write, for darb3d classify --adapter; by default MODEL-DATA.adapter.safetensors
    beside the base, or here for one that comes with darb3d."""
    merged: Path | None = None
    """Write the whole adapted model here, too."""
    bits: int | None = None
    """Store each number of the adapter in 1 to 8 bits (k-means levels); 32 by default."""
    kind: Literal["sine-lora", "sine-dora", "lora", "dora"] = "sine-lora"
    """How the trained low-rank product changes a weight."""
    rank: int = 4
    """Rank of the product: size on disk grows with it."""
    omega: float = 100.0
    """Frequency of the sine."""
    minutes: float | None = None
    """Length of the training; 2 when neither this nor --steps is given."""
    steps: int | None = None
    """Length of the training in steps."""
    rate: float = 3e-3
    """Highest rate of AdamW."""
    seed: int = 0
    """Seed of every random draw."""
    threads: int | None = None
    """CPU threads; all cores by default."""

    def run(self) -> int:
        """Adapt, write, score; returns the exit code."""
        from rich.console import Console

        from app.classifiers import new_file, percent, print_classes, say_data, set_threads
        from data.labelled_clouds import read_labelled_clouds
        from pointcloud import adapting
        from pointcloud.calibration import fitted_temperature
        from pointcloud.classifier_files import load_classifier
        from pointcloud.package_weights import weights_file
        from pointcloud.prediction import accuracy, scores

        # options are refused before files are read
        fit_config, adapter_config = self._configs()
        set_threads(self.threads)
        base = weights_file(self.base, "MODEL")
        out = new_file(self.out or beside(self.base, self.data.resolve().stem), "--out")
        if self.merged is not None:
            new_file(self.merged, "--merged")
        console = Console(highlight=False, markup=False, soft_wrap=True)
        saved = load_classifier(base)
        train, held_out = read_labelled_clouds(self.data).split()
        say_data(console, train, held_out)
        try:
            adaptation, train = adapting.begin(saved, train, adapter_config, self.seed)
        except ValueError as error:
            raise UserError(f"--rank {self.rank}: {error}") from None
        held_out = held_out.relabelled(adaptation.classes)
        before = accuracy(adaptation.model, held_out)
        what = "the base and a new head" if adaptation.new_head else "the base"
        console.print(f"before, held out: {percent(before)} ({what})")
        code = self._train(adaptation, train, fit_config, console)
        if code:
            return code
        after = {}
        if self.bits is not None:
            after["32 bits"] = accuracy(adaptation.model, held_out)
        given = scores(adaptation.model, held_out.clouds)
        adaptation.temperature = fitted_temperature(given, held_out.labels)
        size = adaptation.save(out, self.bits)
        read_back, _ = adapting.load_adapted(load_classifier(base), out)
        after[f"{self.bits or 32} bits"] = accuracy(read_back.model, held_out)
        for bits, found in after.items():
            console.print(f"after, held out:  {percent(found)} ({bits})")
        print_classes(console, {"before": before, "after": list(after.values())[-1]})
        payload = adaptation.payload(self.bits)
        console.print(
            f"wrote {out}: {size:,} bytes ({payload:,} of numbers, {size - payload:,} of header)"
        )
        if self.merged is not None:
            overall = list(after.values())[-1].overall
            self._merge(self.merged, read_back, (train, held_out), overall, console)
        return 0

    def _merge(
        self, path: Path, read_back: Any, data: tuple[Any, Any], overall: float, console: Any
    ) -> None:
        """Write the adapted model, which knows what its own data are like."""
        from pointcloud.calibration import fitted_familiarity
        from pointcloud.classifier_files import save_classifier
        from pointcloud.prediction import features

        train, held_out = data
        seen, others = (features(read_back.model, d.clouds).numpy() for d in data)
        scored = {"clouds": len(held_out), "accuracy": round(overall, 4)}
        adapted = {"data": self.data.name, "clouds": len(train), "kind": self.kind}
        about = {**read_back.about, "adapted": {**adapted, "rank": self.rank, "held_out": scored}}
        familiarity = fitted_familiarity(seen, train.labels, others)
        save_classifier(path, replace(read_back, about=about, familiarity=familiarity))
        console.print(f"wrote {path}: {path.stat().st_size / 1e6:.2f} MB")

    def _configs(self) -> tuple[FitConfig, AdapterConfig]:
        from app.adapter_options import adapter_config
        from pointcloud.config import FitConfig
        from pointcloud.recipes import CHANGES

        endless = self.minutes is None and self.steps is None
        minutes = DEFAULT_MINUTES if endless else self.minutes
        try:
            fit_config = FitConfig(
                steps=self.steps,
                minutes=minutes,
                rate=self.rate,
                weight_decay=0.0,
                seed=self.seed,
                **CHANGES,
            )
        except ValueError as error:
            raise UserError(f"options: {error}") from None
        return fit_config, adapter_config(self.kind, self.rank, self.omega, self.bits)

    def _train(self, adaptation: Any, train: Any, config: FitConfig, console: Any) -> int:
        from app.interrupts import StopRequest
        from app.progress import TrainProgress, describe_fit
        from pointcloud.adapting import adapt

        with StopRequest() as stop, TrainProgress(console, describe_fit, "starting") as progress:

            def report(step: int, values: dict[str, Any]) -> bool:
                progress.update(step, values)
                return not stop

            adapt(adaptation, train, config, report)
        if stop:
            console.print("stopped; nothing was written")
        return stop.code


def beside(base: Path, what: str) -> Path:
    """Where an adapter of `base` is written by default: beside its file, or here for a name."""
    stem = base.stem if base.is_file() else base.name
    return base.with_name(f"{stem}-{what}.adapter.safetensors")
