"""Structure from motion: a folder of photos becomes a COLMAP model, by COLMAP itself (pycolmap).

Three stages, each of which continues where an earlier attempt stopped: features of each photo,
matches of pairs of photos, cameras and points. The photos' folder is never written into.
"""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data import photo_pairs
from data.errors import UserError
from data.photo_files import photos_below, some_of

Report = Callable[[str, int, int], Any]
"""Called with the stage, what of it is done, and its total."""

ENOUGH = 0.8
"""Share of the photos below which another, more daring mapper is asked too."""
FEWEST = 3
"""Photos that a model must hold."""
_POLL_S = 0.25
_SPACE = "\x1f"
"""In place of a space: no photo is called so."""
_EXIF = (271, 272, 37386)
"""Maker, model and focal length."""


@dataclass(frozen=True)
class SfmConfig:
    """How cameras are found."""

    max_photo_side_px: int = 1600
    """Features are looked for in photos no larger than this."""
    lens: str = "SIMPLE_RADIAL"
    """COLMAP's camera model; each size of photo of each camera gets one."""
    pairs: photo_pairs.Order = "auto"
    """Which photos are compared."""


def reconstruct(
    photos: Path,
    out: Path,
    config: SfmConfig | None = None,
    report: Report | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[str]:
    """Write `out`/sparse/0 for the photos below a folder; returns lines for the user.

    What was done before stands in `out`/database.db and is not done again. Raises UserError when
    no model is found, InterruptedError soon after `stopped` says so.
    """
    colmap = _pycolmap()
    config, report = config or SfmConfig(), report or (lambda *_: None)
    names = photos_below(photos)
    if len(names) < FEWEST:
        raise UserError(
            f"{photos}: expected at least {FEWEST} photos to find cameras for, found {len(names)}"
        )
    folder, listed = out / "sparse" / "0", out / "pairs.txt"
    if folder.exists() and not listed.exists():
        raise UserError(
            f"{folder}: expected no model yet, found one that was made elsewhere; name another "
            "folder to write to, or move it away"
        )
    out.mkdir(parents=True, exist_ok=True)
    database = out / "database.db"
    with _Work(colmap, database, stopped) as work:
        work.rename(_SPACE, " ")  # an attempt may have been killed while it matched
        for group in _same_camera(photos, names):
            work.run(
                lambda token, group=group: colmap.extract_features(
                    database,
                    photos,
                    image_names=group,
                    camera_mode=colmap.CameraMode.SINGLE,
                    reader_options=colmap.ImageReaderOptions(camera_model=config.lens),
                    extraction_options=colmap.FeatureExtractionOptions(
                        max_image_size=config.max_photo_side_px
                    ),
                    device=colmap.Device.cpu,
                    cancellation_token=token,
                ),
                lambda: report("features", work.searched(), len(names)),
            )
        pairs = photo_pairs.choose(config.pairs, work.images(), work.descriptors)
        with work.names_without_spaces() as spaceless:
            lines = (f"{spaceless(a)} {spaceless(b)}\n" for a, b in pairs)
            listed.write_text("".join(lines), encoding="utf-8")
            work.run(
                lambda token: colmap.match_image_pairs(
                    database,
                    # small blocks: what is matched is kept when the work is interrupted
                    pairing_options=colmap.ImportedPairingOptions(
                        match_list_path=listed, block_size=50
                    ),
                    device=colmap.Device.cpu,
                    cancellation_token=token,
                ),
                lambda: report("matches", work.compared(), len(pairs)),
            )
        model = _map(colmap, work, photos, out, len(names), report)
    draft = out / "sparse.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    model.write(draft)
    folder.parent.mkdir(exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    registered = model.num_reg_images()
    notes = [
        f"cameras found for {registered} of {len(names)} photos, {model.num_points3D():,} points, "
        f"error {model.compute_mean_reprojection_error():.2f} px"
    ]
    if registered < len(names):
        known = {image.name for image in model.images.values() if image.has_pose}
        missing = [name for name in names if name not in known]
        notes.append(f"no camera found for {some_of(missing)}")
    return notes


def _map(colmap: Any, work: _Work, photos: Path, out: Path, count: int, report: Report) -> Any:
    """The model with the most photos, from the careful mapper, or else from more daring ones."""
    found: list[Any] = []
    placed: list[int] = []  # photos of the attempt so far
    careful, daring = colmap.IncrementalPipelineOptions(), colmap.IncrementalPipelineOptions()
    for options in (careful, daring):
        options.min_model_size, options.random_seed = FEWEST, 0
    daring.mapper.init_min_num_inliers = 50
    daring.mapper.init_min_tri_angle = 8.0
    daring.mapper.abs_pose_min_num_inliers = 15
    daring.mapper.abs_pose_min_inlier_ratio = 0.15
    scratch = out / "models"
    for options in (careful, daring, None):
        placed.clear()
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()

        def attempt(token: Any, options: Any = options) -> None:
            if options is None:
                models = colmap.global_mapping(work.database, photos, scratch)
            else:
                models = colmap.incremental_mapping(
                    work.database,
                    photos,
                    scratch,
                    options=options,
                    initial_image_pair_callback=lambda: placed.append(2),
                    next_image_callback=lambda: placed.append(1),
                    cancellation_token=token,
                )
            found.extend(models.values())

        work.run(attempt, lambda: report("cameras", min(sum(placed), count), count))
        best = max(found, key=lambda m: (m.num_reg_images(), m.num_points3D()), default=None)
        if best is not None and best.num_reg_images() >= ENOUGH * count:
            break
    shutil.rmtree(scratch, ignore_errors=True)
    if best is None or best.num_reg_images() < FEWEST:
        raise UserError(
            f"{photos}: expected photos that overlap and show the same things from several places, "
            "found no two that fit together; take more photos, closer to one another"
        )
    report("cameras", count, count)
    return best


class _Work:
    """COLMAP's database, and long calls on it that may be watched and stopped."""

    def __init__(self, colmap: Any, database: Path, stopped: Callable[[], bool]) -> None:
        self._colmap, self.database, self._stopped = colmap, database, stopped
        # Open as long as the work: opening writes, and COLMAP's own threads, which would be locked
        # out then, answer that by ending the process. By COLMAP alone: another copy of SQLite in
        # this process would break its locks.
        try:
            self._file = colmap.Database.open(database)
        except RuntimeError as error:
            raise UserError(
                f"{database}: expected a database of COLMAP, found: {str(error).strip()}; delete it"
            ) from None

    def __enter__(self) -> _Work:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def run(self, call: Callable[[Any], None], watch: Callable[[], None]) -> None:
        """Call with a token in a thread, and `watch` until it returns."""
        token = self._colmap.CancellationToken()
        failed: list[BaseException] = []

        def guarded() -> None:
            try:
                call(token)
            except BaseException as error:  # it crosses the border of a thread
                failed.append(error)

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_POLL_S)
            if self._stopped():
                token.cancel()
            watch()
        if self._stopped():
            raise InterruptedError
        if failed:
            raise UserError(
                f"{self.database}: expected COLMAP to find cameras, found: "
                f"{str(failed[0]).strip().splitlines()[0]}"
            ) from failed[0]

    def searched(self) -> int:
        """Photos whose features are known."""
        return self._asked(
            lambda file: sum(file.exists_keypoints(i.image_id) for i in file.read_all_images())
        )

    def compared(self) -> int:
        """Pairs of photos that were matched."""
        return self._asked(lambda file: file.num_matched_image_pairs())

    def images(self) -> dict[str, int]:
        """Ids of the photos by name, sorted by name."""
        return dict(sorted((image.name, image.image_id) for image in self._file.read_all_images()))

    def descriptors(self, image_id: int) -> np.ndarray:
        """SIFT descriptors of a photo, (n, 128) bytes."""
        return self._file.read_descriptors(image_id).data

    @contextmanager
    def names_without_spaces(self) -> Iterator[Callable[[str], str]]:
        """COLMAP's list of pairs separates names by spaces: in the block, the database's have none;
        yields what makes the same of a name."""
        self.rename(" ", _SPACE)
        try:
            yield lambda name: name.replace(" ", _SPACE)
        finally:
            self.rename(_SPACE, " ")

    def rename(self, old: str, new: str) -> None:
        """Replace a character in the names of all photos."""
        for image in self._file.read_all_images():
            if old in image.name:
                image.name = image.name.replace(old, new)
                self._file.update_image(image)

    def _asked(self, question: Callable[[Any], int]) -> int:
        """What the database says while another thread works on it; 0 where it does not answer."""
        try:
            return question(self._file)
        except (RuntimeError, IndexError):  # it is locked, or a row is just being written
            return 0


def _same_camera(photos: Path, names: Sequence[str]) -> list[list[str]]:
    """Names grouped by size, maker, model and focal length: each group shares one camera."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name in names:
        try:
            with Image.open(photos / name) as photo:
                exif = photo.getexif()
                details = {**exif, **exif.get_ifd(0x8769)}
                key = (photo.size, *(str(details.get(tag)) for tag in _EXIF))
        except (OSError, ValueError, SyntaxError) as error:
            found = getattr(error, "strerror", None) or f"a broken one ({error})"
            raise UserError(
                f"{photos / name}: expected a readable photo, found {found}; replace it or move it"
                " away"
            ) from None
        groups.setdefault(key, []).append(name)
    return list(groups.values())


def _pycolmap() -> Any:
    try:
        import pycolmap
    except ImportError as error:
        raise UserError(
            f"photos without a model: expected the package pycolmap, found: {error}; pip install "
            "pycolmap, or run COLMAP yourself"
        ) from None
    if threading.current_thread() is threading.main_thread():
        # its log library takes SIGTERM for a crash when it is imported: put ours back
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
    pycolmap.logging.minloglevel = pycolmap.logging.Level.FATAL.value
    return pycolmap
