"""What makes motions of the keypoint files that a page is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from data import keypoints

if TYPE_CHECKING:
    from data.motion import Motion
    from lifting.lift import Lift


@dataclass(frozen=True)
class FileLifter:
    """A lifter of the package, or one from a file, read when the first keypoints come."""

    weights: Path | None = None
    endings: tuple[str, ...] = keypoints.READ

    @cached_property
    def _lift(self) -> Lift:
        from lifting.lift import load

        return load(weights=self.weights)

    def lift_file(self, path: Path) -> list[Motion]:
        """The animals of a file, lifted; UserError for one that cannot be read."""
        from lifting.rigidity import with_edges

        animals = with_edges(keypoints.read_keypoints(path))
        found = [self._lift.lift_keypoints(animal) for animal in animals]
        return [
            replace(motion, name=animal.label or path.stem)
            for animal, motion in zip(animals, found, strict=True)
        ]
