"""Splats that rest for a step, so that no photo is explained by a few of them alone (DropGaussian,
Park et al., CVPR 2025)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splatting.splats import Splats

_INVISIBLE = np.float32(-30.0)
"""A logit whose opacity is far below 1/255."""


_DRAWS = 1 << 16
"""Of sixteen bits each: numbers of more take twice as long to draw as all else here."""
MOST = 0.3
PHOTOS_WORTH = 4.0


def share_for(photos: int) -> float:
    """The share that rests at the end of a training on so many photos: the fewer there are, the
    more easily they are learnt by heart.

    Chosen on inner splits: of 43 photos a tenth was best (0.4 dB; a fifth gave less), of 12 and of
    8 photos three tenths were better than one (0.3 and 1.4 dB).
    """
    return min(MOST, PHOTOS_WORTH / photos)


def thinned(splats: Splats, share: float, generator: np.random.Generator) -> Splats:
    """`splats` with a random `share` of them invisible; all other arrays are shared.

    The odds o / (1 - o) of the others are divided by the share that is left, so that the picture
    is as dense as before: for faint splats that is the paper's o / (1 - share), an opaque one
    stays below 1, and gradients by the logits need no factor.
    """
    logits = splats.logit_opacities + np.float32(-np.log1p(-share))
    drawn = generator.integers(0, _DRAWS, len(logits), np.uint16)
    np.copyto(logits, _INVISIBLE, where=drawn < round(share * _DRAWS))
    return replace(splats, logit_opacities=logits)
