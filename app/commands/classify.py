"""`darb3d classify`: what clouds and meshes show, by a trained classifier, on the CPU."""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from app.classify_options import ClassifyOptions, Up
from data.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from app.classifying import Answer
    from app.cloud_paths import CloudPath
    from app.predictors import CloudClassifier

MOST_WITH_BARS = 20
"""Files that are shown with five bars each; more get a line each."""


@dataclass(frozen=True)
class Command:
    """Name the class of each cloud or mesh: the five most probable ones, with bars.

    Reads files, folders and what is below them, and patterns such as 'scans/**/*.las'. What cannot
    be read is reported and counted, the rest is done. With --score the names of folders are taken
    for the truth.
    """

    paths: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILE|FOLDER")]
    """Clouds and meshes: .ply .pcd .las .laz .npy .npz .bin .xyz .txt .pts .off .obj .stl."""
    model: str = "3dgpe"
    """One of the models in the package."""
    weights: Path | None = None
    """A file of darb3d fit classifier, in place of --model."""
    adapter: Path | None = None
    """A file of darb3d adapt or forget, made for that model."""
    int8: bool = False
    """Round a 3dgpe's weights to bytes: about twice as fast on processors that multiply bytes
    (AVX512-VNNI), with nearly the same answers."""
    up: Up = "z"
    """The axis of the files that points upwards; auto asks the model, which then answers six times
    for each cloud."""
    draws: int = 4
    """Parts of a large cloud that are looked at: their mean is the answer, and how far they agree
    is said."""
    score: bool = False
    """Take folder names for the truth: print accuracy, a report of each class and confusions."""
    picture: Path | None = None
    """With --score: write the confusion matrix as a picture (.png)."""
    json: bool = False
    """Print a list of {file, label, probability, top5, ...} and nothing else."""
    csv: bool = False
    """Print a table with a line for each file and nothing else."""
    ray: str | None = None
    """Spread the work over a Ray cluster: its address, auto, or nothing for one on this machine.
    Answers go to --out; the same command goes on where it was stopped."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("classified")
    """With --ray: the folder of Parquet files to write."""

    def run(self) -> int:
        """Classify, print; returns the exit code: 2 if a file that was named, or every file of a
        folder, could not be read."""
        # each search for garbage goes through all that was imported; imports make next to none
        gc.set_threshold(50_000)
        from rich.console import Console

        from app.cloud_paths import cloud_paths
        from app.predictors import load_predictor

        options = self._options()
        paths = cloud_paths(self.paths)
        predictor = load_predictor(str(self.weights or self.model), self.adapter, self.int8)
        truths = self._truths(paths, predictor)
        said = Console(highlight=False, markup=False, soft_wrap=True, stderr=self.json or self.csv)
        if self.ray is None:
            labels = self._here(predictor, paths, options, said)
        else:
            labels = self._on_ray(self.ray, paths, options, said)
        if truths is not None and labels:
            kept = {path: truth for path, truth in truths.items() if path in labels}
            self._score(kept, labels, predictor.labels, said)
        refused = [one for one in paths if str(one.path) not in labels]
        return 2 if not labels or any(one.root is None for one in refused) else 0

    def _options(self) -> ClassifyOptions:
        if self.json and self.csv:
            raise UserError("--json, --csv: expected one of them, found both")
        if self.ray is not None and (self.json or self.csv):
            raise UserError("--ray: expected neither --json nor --csv: answers go to --out")
        if self.ray is not None and self.adapter is not None:
            raise UserError(
                "--ray: expected no --adapter, found one; adapt --merged writes a whole model"
            )
        if self.picture is not None:
            if not self.score:
                raise UserError("--picture: expected --score with it, found none")
            if self.picture.suffix.lower() not in (".png", ".jpg"):
                raise UserError(f"--picture {self.picture}: expected a name ending in .png or .jpg")
        try:
            return ClassifyOptions(self.up, self.draws)
        except ValueError as error:
            raise UserError(f"--{error}") from None

    def _truths(self, paths: list[CloudPath], predictor: CloudClassifier) -> dict[str, str] | None:
        """The label of each file by its name, with --score."""
        if not self.score:
            return None
        from app.scoring import truths_of

        names = [str(one.path) for one in paths]
        return dict(zip(names, truths_of(paths, predictor.labels), strict=True))

    def _here(
        self,
        predictor: CloudClassifier,
        paths: list[CloudPath],
        options: ClassifyOptions,
        said: Console,
    ) -> dict[str, str]:
        """The label of each file; answers are printed as they come, for --json at the end."""
        from rich.console import Console

        from app.classifying import Refusal, classified
        from app.count_progress import CountProgress

        if self.csv:
            from app.answer_lines import csv_line

            print(csv_line(None))
        answers: dict[str, Answer] = {}
        few = len(paths) <= MOST_WITH_BARS
        errors = Console(highlight=False, markup=False, soft_wrap=True, stderr=True)
        with CountProgress(errors, len(paths)) as progress:
            for answer in classified(predictor, [one.path for one in paths], options):
                if isinstance(answer, Refusal):
                    errors.print(f"error: {answer.reason}")
                else:
                    answers[answer.file] = answer
                    if few or not self.score or self.csv:
                        self._print(answer, few)
                progress.add()
        refused = len(paths) - len(answers)
        if len(paths) > 1:
            line = f"{len(answers):,} classified in {progress.seconds:.1f} s ({progress.speed})"
            said.print(line + (f"; {refused:,} refused" if refused else ""))
        if self.json:
            from app.answer_lines import row

            print(json.dumps([row(answer) for answer in answers.values()], indent=2))
        return {path: answer.label for path, answer in answers.items()}

    def _on_ray(
        self, address: str, paths: list[CloudPath], options: ClassifyOptions, said: Console
    ) -> dict[str, str]:
        """The label of each file, those of an earlier run of the same --out among them."""
        from rich.console import Console

        from app import ray_classify
        from app.count_progress import CountProgress

        errors = Console(highlight=False, markup=False, soft_wrap=True, stderr=True)
        ray_classify.expect_packages()
        work = ray_classify.work_of(str(self.weights or self.model), options, int8=self.int8)
        results = ray_classify.results_of(work, self.out)
        names = {ray_classify.name_of(one.path): str(one.path) for one in paths}
        left = len(names.keys() - results.done)
        if left < len(names):
            said.print(f"{len(names) - left:,} have their answer in {self.out}")
        with CountProgress(errors, left, least=0) as progress:
            for rows in ray_classify.classify_on_ray(
                work, [one.path for one in paths], results, address
            ):
                for row in rows:
                    if row.get("error"):
                        errors.print(f"error: {row['error']}")
                progress.add(len(rows))
        labels = {
            names[row["file"]]: row["label"]
            for row in results.rows
            if row["file"] in names and row.get("label")
        }
        refused = len(names) - len(labels)
        said.print(f"{left:,} files in {progress.seconds:.1f} s ({progress.speed})")
        said.print(f"{self.out}: {len(labels):,} classified, {refused:,} refused")
        return labels

    def _print(self, answer: Answer, few: bool) -> None:
        from app import answer_lines

        if self.csv:
            print(answer_lines.csv_line(answer))
        elif not self.json:
            plain = not (sys.stdout.encoding or "").lower().startswith("utf")
            shown = answer_lines.with_bars(answer, plain) if few else answer_lines.in_a_line(answer)
            print(shown)

    def _score(
        self,
        truths: dict[str, str],
        labels: dict[str, str],
        classes: tuple[str, ...],
        said: Console,
    ) -> None:
        from app.score_tables import print_score
        from app.scoring import scored

        found = scored(list(truths.values()), [labels[path] for path in truths], classes)
        found = found.involved()
        print_score(said, found)
        if self.picture is not None:
            from app.confusion_picture import write_confusion

            write_confusion(self.picture, found)
            said.print(f"wrote {self.picture}")
