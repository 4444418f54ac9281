"""`darb3d lift`: 2D keypoints of any animal to a 3D motion."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from data.errors import UserError

if TYPE_CHECKING:
    from data.keypoints import Keypoints2D
    from data.motion import Motion
    from lifting.lift import LiftOptions

_LENGTH = re.compile(r"\s*(.+?)\s*=\s*([0-9.eE+-]+)\s*([a-z]+)\s*")


@dataclass(frozen=True)
class Command:
    """Lift the tracks of one camera to 3D.

    FILE is what DeepLabCut, SLEAP, Lightning Pose, COCO tools or AlphaTracker write, or a plain
    table with columns like nose_x, nose_y (.csv, .npz). The ending of --out chooses the format:
    .glb and .bvh for Blender and game engines, .csv, .h5 (DeepLabCut's 3D table) and .npz for
    analysis. Depth has no unit of its own: --known-length gives one. Several animals of the same
    joints become several clips of a .glb; else each gets a file named after it.
    """

    file: Annotated[Path, tyro.conf.Positional]
    """2D keypoints."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write: .glb, .bvh, .csv, .h5 or .npz."""
    edges: str | None = None
    """Skeleton, where the file has none: "nose-neck, neck-tail", by names or numbers from 0, or a
    file of pairs (.json, .csv, DeepLabCut's config.yaml). Inferred from rigidity otherwise."""
    individual: str | None = None
    """Only this animal."""
    fps: float | None = None
    """Frames per second, where the file does not say; 30 otherwise."""
    confidence_cut: float | None = None
    """Leave out points of less confidence; chosen from the data by default."""
    known_length: str | None = None
    """A distance that is known, such as "nose-tailbase=82mm": sets the scale."""
    frame: Literal["upright", "camera"] = "upright"
    """y against gravity, or the camera's axes (x right, y down, z forward)."""
    up: tuple[float, float, float] | None = None
    """Direction against gravity in the camera's axes; found by the lifter otherwise."""
    root_relative: bool = False
    """Take the animal's path away."""
    stills: Literal["auto", "yes", "no"] = "auto"
    """Lift each frame alone: pictures that are no film, as a set of labelled photos is. auto: where
    photos have several sizes, or frames are far apart."""
    video: Path | None = None
    """Video the tracks were made from: also write it with the skeleton drawn over it."""
    weights: Path | None = None
    """Lifter made by `darb3d fit lifter`; the one of this package otherwise."""
    terms: Literal["permissive", "share-alike"] = "permissive"
    """Which of the package's weights."""
    adapter: Path | None = None
    """File of darb3d adapt lifter, made for that lifter."""
    threads: int | None = None
    """CPU threads; all cores by default."""

    def run(self) -> int:
        """Read, lift, write; returns the exit code."""
        from rich.console import Console

        from app.classifiers import new_file, set_threads
        from data.keypoints import read_keypoints
        from data.motion_files import WRITTEN
        from lifting.rigidity import with_edges

        if self.out.suffix.lower() not in WRITTEN:
            raise UserError(
                f"--out {self.out}: expected an ending among {', '.join(WRITTEN)}, found"
                f" {self.out.suffix or 'none'}"
            )
        console = Console(highlight=False, markup=False, soft_wrap=True)
        animals = self._chosen(read_keypoints(self.file))
        given = [animal.edges is not None for animal in animals]
        animals = with_edges(animals)
        options = self._options(animals)
        files = self._files(animals)
        for path in files:
            new_file(path, "--out")
        set_threads(self.threads)
        from lifting.lift import load

        lifter = load(self.terms, self.weights, self.adapter)
        motions = []
        for animal, edges_given in zip(animals, given, strict=True):
            motion = lifter.lift_keypoints(animal, options)
            motions.append(replace(motion, name=animal.label or self.file.stem))
            self._say(console, animal, motion, edges_given)
        self._write(console, files, motions)
        if self.video is not None:
            self._overlay(console, motions)
        return 0

    def _chosen(self, animals: list[Keypoints2D]) -> list[Keypoints2D]:
        from data.keypoint_edges import edges_of

        if self.individual is not None:
            labels = [animal.label for animal in animals]
            wanted = (self.individual, f"/{self.individual}")
            animals = [a for a in animals if a.label == wanted[0] or a.label.endswith(wanted[1])]
            if not animals:
                raise UserError(
                    f"--individual: expected one of {', '.join(labels):.300}, found"
                    f" {self.individual}"
                )
        changed = []
        for animal in animals:
            if self.edges is not None:
                animal = replace(animal, edges=edges_of(self.edges, animal.names))
            if self.fps is not None:
                if not 0 < self.fps <= 1e6:
                    raise UserError(f"--fps: expected above 0, found {self.fps}")
                animal = replace(animal, fps=self.fps)
            changed.append(animal)
        return changed

    def _options(self, animals: list[Keypoints2D]) -> LiftOptions:
        from lifting.lift import LiftOptions

        known = None
        if self.known_length is not None:
            known = known_length(self.known_length, animals[0].names)
        if self.up is not None and not sum(x * x for x in self.up) > 0:
            raise UserError("--up: expected three numbers, not all zero")
        return LiftOptions(
            cut=self.confidence_cut,
            upright=self.frame == "upright",
            up=self.up,
            root_relative=self.root_relative,
            known_length=known,
            stills={"auto": None, "yes": True, "no": False}[self.stills],
        )

    def _files(self, animals: list[Keypoints2D]) -> list[Path]:
        """One file for all, or one for each animal."""
        one_skeleton = len({animal.names for animal in animals}) == 1
        if len(animals) == 1 or (self.out.suffix.lower() == ".glb" and one_skeleton):
            return [self.out]
        stems = [re.sub(r"[^\w.-]+", "-", animal.label) or "animal" for animal in animals]
        stems = [s if stems.count(s) == 1 else f"{s}-{k}" for k, s in enumerate(stems)]
        return [self.out.with_name(f"{self.out.stem}-{s}{self.out.suffix}") for s in stems]

    def _say(self, console: object, animal: Keypoints2D, motion: Motion, edges_given: bool) -> None:
        import numpy as np

        observed = np.asarray(motion.observed)
        ever = np.asarray(observed.any(axis=0)).tolist()
        never = [name for name, seen in zip(animal.names, ever, strict=True) if not seen]
        edges = "given" if edges_given else "found from the tracks (named by --edges, it errs less)"
        line = (
            f"{animal.label or self.file.stem}: {len(motion)} frames, {len(animal.names)} joints,"
            f" edges {edges}, {100 * (1 - observed.mean()):.0f} % of points filled in"
        )
        if never:
            line += f"; never seen, so guessed: {', '.join(never)}"
        console.print(line)  # pyright: ignore[reportAttributeAccessIssue]

    def _write(self, console: object, files: list[Path], motions: list[Motion]) -> None:
        from data.motion_files import write_motions

        groups = [motions] if len(files) == 1 else [[motion] for motion in motions]
        for path, group in zip(files, groups, strict=True):
            write_motions(path, group)
            unit = group[0].units or "no unit: give --known-length for one"
            console.print(  # pyright: ignore[reportAttributeAccessIssue]
                f"wrote {path}: {path.stat().st_size / 1e6:.2f} MB ({unit})"
            )

    def _overlay(self, console: object, motions: list[Motion]) -> None:
        from app.overlay import write_overlay

        assert self.video is not None
        if self.root_relative:
            raise UserError("--video: expected the animal's path, found --root-relative")
        for k, motion in enumerate(motions):
            name = f"{self.out.stem}-overlay{'' if len(motions) == 1 else f'-{k + 1}'}.mp4"
            path = self.out.with_name(name)
            count = write_overlay(self.video, path, motion)
            console.print(f"wrote {path}: {count} frames")  # pyright: ignore[reportAttributeAccessIssue]


def known_length(text: str, names: tuple[str, ...]) -> tuple[str, str, float, str]:
    """Two joints, a length and its unit out of "nose-tail=82mm"; UserError for anything else.

    >>> known_length("nose-tail = 82mm", ("nose", "tail"))
    ('nose', 'tail', 82.0, 'mm')
    """
    from data.motion import UNITS_M

    match = _LENGTH.fullmatch(text)
    try:
        length = float(match[2]) if match else 0.0
    except ValueError:
        length = 0.0
    if match is None or not length > 0 or match[3] not in UNITS_M:
        raise UserError(
            f"--known-length: expected something like nose-tail=82mm, in one of"
            f" {', '.join(UNITS_M)}, found {text!r:.60}"
        )
    pair = match[1]
    cuts = [(pair[:i].strip(), pair[i + 1 :].strip()) for i, c in enumerate(pair) if c == "-"]
    for first, second in cuts:
        if first in names and second in names and first != second:
            return first, second, length, match[3]
    raise UserError(
        f"--known-length: expected two joints among {', '.join(names):.200}, found {pair!r:.60}"
    )
