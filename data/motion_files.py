"""Motion files by their endings: which reader, which writer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.errors import UserError
from data.motion import Motion

READ = (".npz", ".bvh", ".glb")
WRITTEN = (".npz", ".bvh", ".glb", ".csv", ".h5")


def read_motions(path: str | Path) -> list[Motion]:
    """The clips of a file, or of all motion files in a folder; UserError for anything else."""
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in READ)
        if not files:
            raise UserError(f"{path}: expected motions ({', '.join(READ)}), found none")
        return [motion for file in files for motion in read_motions(file)]
    match path.suffix.lower():
        case ".npz":
            from data.motion_npz import load_npz

            return [load_npz(path)]
        case ".bvh":
            from data.motion_bvh import load_bvh

            return [load_bvh(path)]
        case ".glb":
            from data.animated_glb import load_glb

            return load_glb(path)
    raise UserError(f"{path}: expected a motion ({', '.join(READ)}), found another kind of file")


def write_motions(path: str | Path, motions: Sequence[Motion]) -> None:
    """Write clips by the ending of `path`: several into a .glb, one into any other.

    UserError for another ending or number, and where no joint is known.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in WRITTEN:
        raise UserError(f"{path}: expected one of {', '.join(WRITTEN)}, found {ending or 'none'}")
    if not motions or (len(motions) > 1 and ending != ".glb"):
        raise UserError(
            f"{path}: expected one clip, found {len(motions)}; only .glb holds several, write a "
            "file for each"
        )
    match ending:
        case ".npz":
            from data.motion_npz import save_npz

            save_npz(path, motions[0])
        case ".bvh":
            from data.motion_bvh import save_bvh

            save_bvh(path, motions[0])
        case ".glb":
            from data.motion_glb import save_glb

            save_glb(path, motions)
        case ".h5":
            from data.motion_h5 import save_h5

            save_h5(path, motions[0])
        case _:
            from data.motion_csv import save_csv

            save_csv(path, motions[0])
