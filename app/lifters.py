"""What makes motions of the keypoint files that a page is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from data import keypoints
from data.errors import UserError
from lifting.config import Terms

if TYPE_CHECKING:
    from data.motion import Motion
    from lifting.lift import Lift


def named_lifter(name: str | None) -> FileLifter:
    """The lifter of the package's terms `name`, or of the file `name`; the package's permissive one
    for None. UserError where there is neither."""
    if name is None:
        return FileLifter()
    for terms in get_args(Terms):
        if name == terms:
            return FileLifter(terms=terms)
    if not Path(name).is_file():
        raise UserError(
            f"--lifter {name}: expected {' or '.join(get_args(Terms))}, or a file of darb3d fit"
            " lifter; found no such file"
        )
    return FileLifter(Path(name))


@dataclass(frozen=True)
class FileLifter:
    """A lifter of the package, or one from a file, read when the first keypoints come."""

    weights: Path | None = None
    terms: Terms = "permissive"
    endings: tuple[str, ...] = keypoints.READ

    @cached_property
    def _lift(self) -> Lift:
        from lifting.lift import load

        return load(self.terms, self.weights)

    def lift_file(self, path: Path, edges: str | None = None) -> list[Motion]:
        """The animals of a file, lifted, with the skeleton `edges` (see `edges_of`) instead of the
        file's or an inferred one; UserError for a file or a skeleton that cannot be read."""
        from data.keypoint_edges import edges_of
        from lifting.rigidity import with_edges

        animals = keypoints.read_keypoints(path)
        if edges is not None:
            animals = [replace(one, edges=edges_of(edges, one.names)) for one in animals]
        animals = with_edges(animals)
        found = [self._lift.lift_keypoints(animal) for animal in animals]
        return [
            replace(motion, name=animal.label or path.stem)
            for animal, motion in zip(animals, found, strict=True)
        ]
