"""`darb3d fit lifter`: a lifter of 2D keypoints, trained on rigs in motion."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from data.errors import UserError
from lifting.config import LifterConfig, LiftFitConfig

if TYPE_CHECKING:
    from rich.console import Console

    from lifting.clips import RigClips
    from lifting.fitting import FitState
    from lifting.lifter_files import SavedLifter


@dataclass(frozen=True)
class Command:
    """Train a lifter of 2D keypoints on this machine.

    DATA is a folder of rigs in motion: .npz with positions (frames, joints, 3), joint_names,
    parents and clip_lengths, as `darb3d make-motions` writes them, motions of our own (.npz with
    xyz), or 3D points of anipose and DeepLabCut (.csv). Without it, generated rigs alone are learnt
    from. With --protocol the rigs of docs/lifting.md that are to stay unseen, those that choices
    are made on, and every fifth movement of the others are left out; the error on the rigs for
    choices is written to --out's .curve.jsonl.
    """

    data: Annotated[Path | None, tyro.conf.Positional] = None
    """Folder of rigs, or one file."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("lifter.safetensors")
    """File to write."""
    protocol: bool = False
    """Leave out the rigs, and of the others the clips, that the published table is measured on."""
    with_selection: bool = False
    """With --protocol: learn from the rigs that choices are made on, too, once all is chosen."""
    permissive: bool = False
    """Learn only from rigs whose licence asks for no share-alike."""
    start_from: Path | None = None
    """Begin with the weights of this lifter, which also says what is built."""
    device: str = "cpu"
    """Where to train: cpu, or cuda."""
    threads: int | None = None
    """CPU threads; all cores by default."""
    workers: int = 0
    """Processes that make clips ahead of their turn; worth it beside a GPU."""
    resume: bool = False
    """Go on with the unfinished training of this --out."""
    half: bool = False
    """Write weights in half precision."""
    save_every: float = 300.0
    """Seconds of training between two saves of everything that is needed to resume."""
    score_every: float = 900.0
    """Seconds of training between two scores on the selection rigs, with --protocol."""
    fit: LiftFitConfig = field(default_factory=LiftFitConfig)
    lifter: LifterConfig = field(default_factory=LifterConfig)

    def run(self) -> int:
        """Train, save, score; returns the exit code."""
        from rich.console import Console

        from app.classifiers import new_file, set_threads
        from app.interrupts import StopRequest
        from backbones.training_state import load_training, save_training
        from lifting.fitting import initial_state
        from lifting.lifter_files import save_lifter
        from lifting.model import new_lifter, with_sides

        self._check_device()
        set_threads(self.threads)
        new_file(self.out, "--out")
        state_path = self.out.with_suffix(".state.safetensors")
        if self.resume != state_path.exists():
            raise UserError(
                f"{state_path}: expected {'an' if self.resume else 'no'} unfinished training of"
                f" {self.out}, found {'none' if self.resume else 'one'};"
                f" {'leave --resume out' if self.resume else 'go on with --resume, or delete it'}"
            )
        console = Console(highlight=False, markup=False, soft_wrap=True)
        train, selection = self._rigs()
        start = self._start()
        model = with_sides(start.model) if start else new_lifter(self.lifter, self.fit.seed)
        learnt = learnt_from(train, start)
        about: dict[str, Any] = {"rigs": [rig.name for rig in train]}
        # a training that goes on must name the lifter it began with: its licences go with it
        about |= {"lifter": asdict(model.config), "began_with": learnt.get("began_with")}
        console.print(
            f"{len(train)} rigs with {sum(len(r.clips) for r in train)} clips, and generated ones"
        )
        state = initial_state(model, self.fit)
        count = sum(value.numel() for value in state.model.parameters())
        console.print(f"{count:,} parameters")
        if self.resume:
            load_training(state_path, state, self.fit, about)
            console.print(f"resuming at step {state.step}")

        def save(now: FitState) -> None:
            save_training(state_path, now, self.fit, about)

        with StopRequest() as stop:
            self._train(state, train, selection, save, stop, console)
            if stop:
                save(state)
                console.print(
                    f"stopped at step {state.step}; the same command with --resume goes on"
                )
                return stop.code
        written = learnt | {"protocol": self.protocol}
        written |= {"steps": state.step, "seconds": round(state.seconds), "fit": asdict(self.fit)}
        if selection:
            written["selection"] = self._score(state, selection, console)
        save_lifter(self.out, state.averaged(), written, self.half)
        state_path.unlink(missing_ok=True)
        console.print(f"wrote {self.out}: {self.out.stat().st_size / 1e6:.2f} MB")
        return 0

    def _start(self) -> SavedLifter | None:
        """The lifter to begin with."""
        from lifting.lifter_files import load_lifter

        if self.start_from is None:
            return None
        found = load_lifter(self.start_from)
        if self.lifter not in (LifterConfig(), found.model.config):
            raise UserError(
                f"--start-from: expected no other --lifter options beside it, since"
                f" {self.start_from} says what is built; leave them out"
            )
        return found

    def _check_device(self) -> None:
        import torch

        kind = self.device.partition(":")[0]
        if kind not in ("cpu", "cuda"):
            raise UserError(f"--device: expected cpu or cuda, found {self.device}")
        if kind == "cuda" and not torch.cuda.is_available():
            raise UserError("--device: expected a CUDA device, found none; leave it out")

    def _rigs(self) -> tuple[list[RigClips], list[RigClips]]:
        """Rigs to train on, and those to score on."""
        from lifting.clips import load_rigs
        from lifting.protocol import split, training_rigs

        if self.with_selection and not self.protocol:
            raise UserError(
                "--with-selection: expected --protocol beside it, found none; without it every rig"
                " of DATA is learnt from"
            )
        if self.data is None:
            if self.protocol:
                raise UserError(
                    "--protocol: expected the folder of rigs that it divides, found none"
                )
            return [], []
        rigs = load_rigs(self.data)
        train, selection = rigs, []
        if self.protocol:
            train = training_rigs(rigs, self.with_selection)
            selection = [] if self.with_selection else split(rigs, "selection")
        if self.permissive:
            train = [rig for rig in train if rig.permissive]
        if not train:
            raise UserError(f"{self.data}: expected rigs to train on, found none that may be used")
        return train, selection

    def _train(
        self,
        state: FitState,
        train: list[RigClips],
        selection: list[RigClips],
        save: Any,
        stop: Any,
        console: Console,
    ) -> None:
        from app.progress import TrainProgress, describe_lifting
        from lifting.fitting import fit

        scored = state.seconds
        with TrainProgress(console, describe_lifting, "starting") as progress:

            def report(step: int, values: dict[str, Any]) -> bool:
                nonlocal scored
                progress.update(step, values)
                if selection and values["seconds"] - scored >= self.score_every:
                    scored = values["seconds"]
                    self._score(state, selection, console)
                return not stop

            fit(
                state,
                train,
                self.fit,
                report,
                save,
                self.save_every,
                self.device,
                self.workers,
            )

    def _score(
        self, state: FitState, selection: list[RigClips], console: Console
    ) -> dict[str, float]:
        """The errors on the selection rigs, printed and added to the curve."""
        from lifting.evaluation import evaluate, lifter_as_lift, summary
        from lifting.protocol import still_camera_clips

        clips = still_camera_clips(selection, seed=0, views=1)
        found = summary(evaluate(lifter_as_lift(state.averaged()), clips))
        kept = {name: round(value, 4) for name, value in found.items() if "unscaled" not in name}
        line = {"step": state.step, "seconds": round(state.seconds), **kept}
        with open(self.out.with_suffix(".curve.jsonl"), "a") as stream:
            stream.write(json.dumps(line) + "\n")
        console.print(
            f"step {state.step}: selection rigs FA {kept['fa_mpjpe']:.2f} %, SA"
            f" {kept['sa_mpjpe']:.2f} %"
        )
        return kept


def learnt_from(rigs: list[RigClips], start: SavedLifter | None) -> dict[str, Any]:
    """What stands in a file of weights about their data: rigs, licences, also those of the lifter
    that they began with."""
    before = start.about if start else {}
    licences = {rig.licence for rig in rigs if rig.licence} | set(before.get("licences", []))
    names = {rig.name for rig in rigs} | set(before.get("rigs", []))
    found: dict[str, Any] = {"rigs": sorted(names), "licences": sorted(licences)}
    if start:
        found["began_with"] = {
            name: before[name]
            for name in ("steps", "seconds", "selection", "measured", "rigs")
            if name in before
        }
    return found
