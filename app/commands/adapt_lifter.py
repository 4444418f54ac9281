"""`darb3d adapt lifter`: the lifter for one's own animal, by an adapter of a few kB."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from data.errors import UserError

if TYPE_CHECKING:
    from backbones.adapters import AdapterConfig
    from lifting.clips import RigClips
    from lifting.config import LiftFitConfig
    from lifting.model import Lifter

DEFAULT_MINUTES = 3.0


@dataclass(frozen=True)
class Command:
    """Fine-tune the lifter on 3D of your own animal; writes an adapter for darb3d lift.

    DATA holds 3D points of the animal, of a second camera, a tracker or a scan: .csv of anipose or
    DeepLabCut, or .npz with positions or xyz (frames, joints, 3); a file, or a folder of them. The
    base is not changed. The last fifth of each clip is held out for the scores, through still
    cameras: before, and after, of what the written file gives.
    """

    data: Annotated[Path, tyro.conf.Positional]
    """Folder of motions, or one file."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write, for darb3d lift --adapter."""
    weights: Path | None = None
    """Lifter made by darb3d fit lifter; the one of this package otherwise."""
    terms: Literal["permissive", "share-alike"] = "permissive"
    """Which of the package's weights."""
    bits: int | None = None
    """Store each number of the adapter in 1 to 8 bits (k-means levels); 32 by default."""
    kind: Literal["sine-lora", "sine-dora", "lora", "dora"] = "sine-lora"
    """How the trained low-rank product changes a weight."""
    rank: int = 4
    """Rank of the product: size on disk grows with it."""
    omega: float = 100.0
    """Frequency of the sine."""
    minutes: float | None = None
    """Length of the training; 3 when neither this nor --steps is given."""
    steps: int | None = None
    """Length of the training in steps."""
    rate: float = 1e-3
    """Highest rate of AdamW."""
    generated: float = 0.2
    """Share of generated animals among the clips: what keeps the lifter at home elsewhere."""
    tokens: int = 6000
    """Joints x frames in a step."""
    seed: int = 0
    """Seed of every random draw."""
    threads: int | None = None
    """CPU threads; all cores by default."""

    def run(self) -> int:
        """Adapt, write, score; returns the exit code."""
        from rich.console import Console

        from app.classifiers import new_file, set_threads
        from lifting import adapting
        from lifting.clips import load_rigs
        from lifting.lifter_files import load_lifter, shipped_weights

        fit_config, adapter_config = self._configs()
        set_threads(self.threads)
        new_file(self.out, "--out")
        console = Console(highlight=False, markup=False, soft_wrap=True)
        rigs = load_rigs(self.data)
        train, held_out = adapting.parted(rigs)
        weights = shipped_weights(self.terms) if self.weights is None else self.weights
        saved = load_lifter(weights)
        frames = [sum(rig.frames for rig in part) for part in (train, held_out)]
        console.print(f"{frames[0]:,} frames to train on, {frames[1]:,} held out")
        self._score(console, "before", saved.model, held_out)
        adaptation = adapting.begin(saved, adapter_config, self.seed)
        code = self._train(adaptation, train, fit_config, console)
        if code:
            return code
        size = adaptation.save(self.out, self.bits)
        read_back = adapting.load_adapted(load_lifter(weights), self.out)
        self._score(console, "after", read_back.model, held_out)
        console.print(f"wrote {self.out}: {size:,} bytes; darb3d lift --adapter {self.out} uses it")
        return 0

    def _configs(self) -> tuple[LiftFitConfig, AdapterConfig]:
        from app.adapter_options import adapter_config
        from lifting.config import LiftFitConfig

        endless = self.minutes is None and self.steps is None
        try:
            fit_config = LiftFitConfig(
                steps=self.steps,
                minutes=DEFAULT_MINUTES if endless else self.minutes,
                optimiser="adamw",  # an adapter's factors are no matrices to make orthogonal
                frames=16,
                short=0.15,
                rate=self.rate,
                generated=self.generated,
                tokens=self.tokens,
                weight_decay=0.0,
                bend=0.0,
                average=0.98,
                seed=self.seed,
            )
        except ValueError as error:
            raise UserError(f"options: {error}") from None
        return fit_config, adapter_config(self.kind, self.rank, self.omega, self.bits)

    def _train(self, adaptation: Any, train: Any, config: LiftFitConfig, console: Any) -> int:
        from app.interrupts import StopRequest
        from app.progress import TrainProgress, describe_lifting
        from lifting.adapting import adapt

        with (
            StopRequest() as stop,
            TrainProgress(console, describe_lifting, "starting") as progress,
        ):

            def report(step: int, values: dict[str, Any]) -> bool:
                progress.update(step, values)
                return not stop

            adapt(adaptation, train, config, report)
        if stop:
            console.print("stopped; nothing was written")
        return stop.code

    def _score(self, console: Any, when: str, model: Lifter, rigs: list[RigClips]) -> None:
        from lifting.evaluation import evaluate, lifter_as_lift, summary
        from lifting.protocol import still_camera_clips

        if not rigs:
            return
        found = summary(evaluate(lifter_as_lift(model), still_camera_clips(rigs, seed=0)))
        console.print(
            f"{when}, held out: FA-MPJPE {found['fa_mpjpe']:.2f} % of the animal's box, SA-MPJPE"
            f" {found['sa_mpjpe']:.2f} %"
        )
