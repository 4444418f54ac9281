"""RunFolder: where one training keeps everything it wrote, and how it is read back.

Each file appears whole or not at all: written beside its place, flushed to disk, renamed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, field, fields
from numbers import Real
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from app.errors import FULL
from data.errors import UserError
from data.whole_files import replacing

if TYPE_CHECKING:
    from splatting.training_state import TrainingState

VERSIONED = ("darb3d", "numpy", "numba", "torch", "viser", "pillow")
METRICS = {"step", "loss", "psnr", "seconds"}
"""What every line of metrics.jsonl holds."""


def installed_versions() -> dict[str, str]:
    """What this run ran on; nothing is imported to find out."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's outcome."""

    scene: str
    """Absolute path of the COLMAP folder."""
    kernel: str
    data_factor: int
    minutes: float | None
    steps: int | None
    seed: int
    train_on_all: bool
    max_splats: int
    threads: int | None
    strategy: Literal["adaptive", "mcmc"] = "adaptive"
    exposure: bool = False
    antialiased: bool = False
    invert_masks: bool = False
    undistorted: bool = False
    alpha: Literal["transparent", "mask"] = "transparent"
    depth_weight: float = 0.0  # what runs had that do not say it
    passes: float = 250.0
    init: str | None = None
    """Absolute path of the run or file that the splats started from."""
    versions: dict[str, str] = field(default_factory=installed_versions)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write indented JSON atomically."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of ours; UserError when it holds something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected a JSON file of a run, found {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    path: Path

    @classmethod
    def create(cls, scene_name: str, kernel: str, out: Path | None = None) -> RunFolder:
        """A folder of its own: `out`, or the next free `runs/<scene>-<kernel>-<n>`.

        Raises UserError when `out` already holds a run or cannot be written.
        """
        try:
            if out is not None:
                out.mkdir(parents=True, exist_ok=True)
                run = cls(out)
                if run.config_path.exists() or run.ply_path.exists():
                    raise UserError(
                        f"--out {out}: expected a new folder, found one that holds a run; "
                        "name another or delete it"
                    )
                return run
            stem = re.sub(r"[^\w.-]+", "_", scene_name).strip("._") or "scene"
            for n in range(1, 100_000):
                path = Path("runs") / f"{stem}-{re.sub('[:=,]', '-', kernel)}-{n}"
                try:
                    path.mkdir(parents=True)
                except FileExistsError:
                    continue
                return cls(path)
        except OSError as error:
            where = out or Path("runs").absolute()
            raise UserError(
                f"{where}: expected a folder to write the run to, found: {error.strerror}; "
                "name one you may write to with --out"
            ) from error
        raise UserError("runs/: expected room for one more run, found 99999; delete some")

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """A folder that a training left behind."""
        if not path.is_dir():
            raise UserError(f"{path}: expected a run folder, found no folder of that name")
        run = cls(path)
        if not (run.splats_path.exists() or run.ply_path.exists()):
            raise UserError(
                f"{path}: expected a run folder with splats.safetensors or splats.ply, found "
                "neither; train one with `darb3d train SCENE`"
            )
        return run

    def discard(self) -> bool:
        """Take back a run that ended before its first splats, unless cameras were found for it; a
        folder with more in it stays. Returns whether it was taken back."""
        if self.splats_path.exists() or (self.sfm_path / "sparse" / "0").is_dir():
            return False
        for path in (self.config_path, self.metrics_path):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.sfm_path, ignore_errors=True)
        with suppress(OSError):
            self.path.rmdir()
        return True

    @property
    def config_path(self) -> Path:
        return self.path / "config.json"

    @property
    def sfm_path(self) -> Path:
        """Where cameras are found for photos that came without."""
        return self.path / "sfm"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def splats_path(self) -> Path:
        return self.path / "splats.safetensors"

    @property
    def state_path(self) -> Path:
        return self.path / "state.safetensors"

    @property
    def previous_state_path(self) -> Path:
        return self.path / "state.previous.safetensors"

    @property
    def finished_path(self) -> Path:
        return self.path / "finished"

    @property
    def finished(self) -> bool:
        """Whether its training reached its end."""
        return self.finished_path.exists()

    @property
    def ply_path(self) -> Path:
        return self.path / "splats.ply"

    @property
    def eval_path(self) -> Path:
        return self.path / "eval.json"

    def render_path(self, view_name: str) -> Path:
        """Where the picture of a view goes: inside `renders/`, whatever the photo is called."""
        parts = [part for part in PurePosixPath(view_name).parts if part not in ("..", "/", ".")]
        return self.path / "renders" / Path(*parts).with_suffix(".png")

    def write_config(self, config: RunConfig) -> None:
        """Keep what was asked for."""
        write_json(self.config_path, asdict(config))

    def read_config(self) -> RunConfig | None:
        """What was asked for; None when the folder holds no config.json.

        Raises UserError on keys this version does not know or misses.
        """
        if not self.config_path.exists():
            return None
        content = read_json(self.config_path)
        known = fields(RunConfig)
        required = {entry.name for entry in known if entry.default is MISSING}
        required -= {"versions"}
        odd = sorted(set(content) - {entry.name for entry in known} | required - set(content))
        if odd:
            versions = content.get("versions")
            writer = versions.get("darb3d", "?") if isinstance(versions, dict) else "?"
            here = installed_versions().get("darb3d", "?")
            raise UserError(
                f"{self.config_path}: expected the keys of darb3d {here}, found unknown or missing "
                f"{', '.join(odd)} (written by darb3d {writer}); use that version, or pass the "
                "splats.ply and --scene instead"
            )
        return RunConfig(**content)

    def save_state(self, state: TrainingState) -> None:
        """Keep everything that the next step depends on, and the state before, should this one be
        damaged later."""
        from splatting.checkpoint import save_state
        from splatting.training_state import pack

        if self.state_path.exists():
            os.replace(self.state_path, self.previous_state_path)
        save_state(self.state_path, *pack(state))

    def forget_after(self, step: int) -> None:
        """Drop metrics of steps that will be taken again, and drafts of saves that were killed."""
        for draft in self.path.glob(".*"):
            if draft.is_file():
                draft.unlink(missing_ok=True)
        kept = [json.dumps(line) + "\n" for line in self.metrics() if line["step"] <= step]
        with replacing(self.metrics_path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")

    def metrics(self) -> list[dict[str, Any]]:
        """The whole lines of metrics.jsonl, oldest first; empty when there is no such file."""
        if not self.metrics_path.exists():
            return []
        lines = []
        for line in self.metrics_path.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):  # the last one may have been cut short by a crash
                lines.append(json.loads(line))
        return [line for line in lines if line.keys() >= METRICS]

    def write_image(self, path: Path, rgb_uint8: Any) -> None:
        """Write an (h, w, 3) uint8 picture as PNG, atomically."""
        import PIL.Image

        with replacing(path) as temporary:
            PIL.Image.fromarray(rgb_uint8).save(temporary, format="PNG")


class MetricsLog:
    """Appends one line of numbers every `every` steps; a crash loses at most the last line, a full
    disk those that do not fit."""

    def __init__(self, path: Path, every: int = 10) -> None:
        self._file = path.open("ab", buffering=0)
        self._every = every
        self._next = 0
        self._last: tuple[int, dict] | None = None

    def add(self, step: int, values: dict[str, Any]) -> None:
        """Take the report of a step; only its numbers are kept."""
        self._last = (step, values)
        if step >= self._next:
            self._next = step + self._every
            self._write()

    def close(self) -> None:
        """Write the last step, whatever its number."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        if self._last is None:
            return
        step, values = self._last
        self._last = None
        numbers = {k: v for k, v in values.items() if isinstance(v, Real)}
        line = {"step": step, **numbers}
        content = (json.dumps(line, default=float) + "\n").encode()
        try:
            self._file.write(content)
        except OSError as error:
            if error.errno not in FULL:
                raise
