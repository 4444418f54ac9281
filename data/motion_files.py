"""Motion files by their endings: which reader, which writer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.errors import UserError
from data.motion import Motion

READ = (".npz",)
WRITTEN = (".npz",)
"""All read but .csv, which is for spreadsheets."""
_SEVERAL = (".glb",)


def read_motions(path: str | Path) -> list[Motion]:
    """The clips of a file, or of all motion files in a folder; UserError for anything else."""
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in READ)
        if not files:
            raise UserError(f"{path}: expected motions ({', '.join(READ)}), found none")
        return [motion for file in files for motion in read_motions(file)]
    from data.motion_npz import load_npz

    if path.suffix.lower() == ".npz":
        return [load_npz(path)]
    raise UserError(f"{path}: expected a motion ({', '.join(READ)}), found another kind of file")


def write_motions(path: str | Path, motions: Sequence[Motion]) -> None:
    """Write clips by the ending of `path`; UserError where a format holds one clip at most."""
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in WRITTEN:
        raise UserError(f"{path}: expected one of {', '.join(WRITTEN)}, found {ending or 'none'}")
    if len(motions) != 1 and ending not in _SEVERAL:
        raise UserError(f"{path}: expected one clip for {ending}, found {len(motions)}")
    from data.motion_npz import save_npz

    save_npz(path, motions[0])
