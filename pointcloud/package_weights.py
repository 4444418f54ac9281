"""Weights that come with darb3d, by name."""

from __future__ import annotations

from pathlib import Path

from data.errors import UserError

NAMES = ("3dgpe", "3dgpe-16", "pointnet", "transformer", "mamba3d", "mamba3d-3dgpe")
"""What a release holds; the first is what `darb3d classify` takes."""
_OPTIONS = {"3dgpe-16": "3dgpe --gaussians 16"}
"""Of `darb3d fit classifier`, where they are more than the name."""
FOLDER = Path(__file__).parent / "weights"


def weights_file(name: str | Path, option: str = "--weights") -> Path:
    """The file of a name, or a path as it is; UserError where there is none."""
    path = Path(name)
    if str(name) in NAMES:
        path = FOLDER / f"{name}.safetensors"
        if not path.is_file():
            model = _OPTIONS.get(str(name), name)
            raise UserError(
                f"{name}: expected the weights that come with a release in {path}, found none; make"
                f" them by darb3d fit classifier --model {model} --data DATA -o FILE, and name them"
                f" by {option} FILE"
            )
    if not path.is_file():
        raise UserError(
            f"{option} {name}: expected a file, or one of {', '.join(NAMES)}, found neither"
        )
    return path
