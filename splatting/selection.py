"""Which splats: the box, opacity, size and likely floaters by which some are left out.

The command line and the page mean the same splats by the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.errors import UserError

if TYPE_CHECKING:  # the options of a command: its --help loads no numpy
    import numpy as np
    from jaxtyping import Bool, Float, Float64

    from splatting.splats import Splats

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Selection:
    """What is left out; nothing by default."""

    crop_min: Corner | None = None
    """Corner of a box, in the coordinates of the model: nothing below it is kept."""
    crop_max: Corner | None = None
    """Opposite corner: nothing above it is kept."""
    min_opacity: float = 0.0
    """Leave out splats fainter than this."""
    max_size: float | None = None
    """Leave out splats whose largest sigma is above this, in units of the scene."""
    drop_floaters: float = 0.0
    """Leave out likely floaters: 0 none, 0.5 the likely ones, up to 1 for the faintest doubt."""

    def check(self) -> None:
        """UserError for numbers that mean no splats."""
        if not 0.0 <= self.min_opacity < 1.0:
            raise UserError(f"--min-opacity: expected 0 to 1, found {self.min_opacity}")
        if self.max_size is not None and not self.max_size > 0.0:
            raise UserError(f"--max-size: expected a sigma above 0, found {self.max_size}")
        if not 0.0 <= self.drop_floaters <= 1.0:
            raise UserError(f"--drop-floaters: expected 0 to 1, found {self.drop_floaters}")


def kept(
    splats: Splats, selection: Selection, floater_scores: Float[np.ndarray, "n"] | None = None
) -> Bool[np.ndarray, "n"]:
    """Which splats stay; floaters are judged by `floater_scores` (see `splatting.floaters`).

    Raises ValueError where floaters are to be left out and no scores are given.
    """
    import numpy as np

    keep = np.ones(len(splats), bool)
    if selection.min_opacity > 0.0:
        keep &= opacities(splats) >= selection.min_opacity
    if selection.max_size is not None:
        keep &= largest_sigmas(splats) <= selection.max_size
    if selection.crop_min is not None or selection.crop_max is not None:
        # in float64: coordinates of a georeferenced model do not fit into float32
        xyz_model = splats.means.astype(np.float64) + np.array(splats.origin_world)
        if selection.crop_min is not None:
            keep &= (xyz_model >= np.array(selection.crop_min)).all(axis=1)
        if selection.crop_max is not None:
            keep &= (xyz_model <= np.array(selection.crop_max)).all(axis=1)
    if selection.drop_floaters > 0.0:
        if floater_scores is None:
            raise ValueError("floater_scores: expected where floaters are left out, got None")
        keep &= floater_scores <= 1.0 - selection.drop_floaters
    return keep


def opacities(splats: Splats) -> Float64[np.ndarray, "n"]:
    """Activated opacities, 0 to 1."""
    import numpy as np

    return 1.0 / (1.0 + np.exp(-splats.logit_opacities.astype(np.float64)))


def largest_sigmas(splats: Splats) -> Float64[np.ndarray, "n"]:
    """Sigma along each splat's longest axis, in units of the scene."""
    import numpy as np

    x, y, z = splats.log_scales.T  # an axis of three is slow to reduce
    return np.exp(np.maximum(np.maximum(x, y), z).astype(np.float64))
