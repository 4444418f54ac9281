"""How `darb3d classify` looks at clouds; without imports, so that its help comes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Up = Literal["z", "-z", "y", "-y", "x", "-x", "auto"]


@dataclass(frozen=True)
class ClassifyOptions:
    """What is done with each cloud before it is predicted."""

    up: Up = "z"
    """The axis that points upwards; auto lets the predictor vote."""
    draws: int = 4
    """Parts of a large cloud that are looked at."""

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws: expected 1 or more, found {self.draws}")
