"""A trained lifter made to know one's own animal: an adapter on its blocks and heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from backbones.adapter_files import fingerprint, load_adapter, save_adapter
from backbones.adapters import ATTENTION, FEED_FORWARD, AdapterConfig, attach, merge
from backbones.quantised_adapters import Method
from data.motion import Motion
from lifting.clips import RigClips
from lifting.config import LiftFitConfig
from lifting.fitting import Report, fit, initial_state
from lifting.lifter_files import SavedLifter
from lifting.model import Lifter

TARGETS = (*ATTENTION, *FEED_FORWARD, "head_in", "head_out", "frame_head", "clip_head")
"""Layers that carry an adapter: all behind the tokens."""
_FEWEST_FRAMES = 8
"""Of a part of a clip: fewer say nothing of how an animal moves."""


@dataclass(frozen=True, eq=False)
class LifterAdaptation:
    """A lifter with an adapter on it, and what the adapter's file needs to know."""

    model: Lifter
    config: AdapterConfig
    base: str
    """Fingerprint of the lifter before."""

    def save(self, path: str | Path, bits: int | None = None, method: Method = "kmeans") -> int:
        """Write the adapter; bytes of its file. With `bits` the model becomes what is stored."""
        return save_adapter(path, self.model, self.config, base=self.base, bits=bits, method=method)


def begin(saved: SavedLifter, config: AdapterConfig, seed: int = 0) -> LifterAdaptation:
    """An adapter that changes nothing yet on `saved.model`."""
    base = fingerprint(saved.model)
    config = replace(config, targets=TARGETS)
    attach(saved.model, config, torch.Generator().manual_seed(seed))
    return LifterAdaptation(saved.model, config, base)


def adapt(
    adaptation: LifterAdaptation,
    rigs: Sequence[RigClips],
    config: LiftFitConfig,
    report: Report | None = None,
) -> None:
    """Train the adapter in place; the mean over its last steps is what stays."""
    state = initial_state(adaptation.model, config)
    fit(state, rigs, config, report)
    adaptation.model.load_state_dict(state.average)
    adaptation.model.eval()


def load_adapted(saved: SavedLifter, path: str | Path) -> SavedLifter:
    """`saved` with the adapter of a file written into its weights: as quick as the base.

    UserError for an adapter of another base or a spoilt one. `saved.model` is changed in place.
    """
    load_adapter(path, saved.model)
    merge(saved.model)
    saved.model.eval()
    return saved


def parted(rigs: Sequence[RigClips], share: float = 0.2) -> tuple[list[RigClips], list[RigClips]]:
    """(To train on, held out): the last `share` of the frames of each clip that is long enough for
    it; neighbouring frames are too alike to be drawn by chance."""
    first, last = [], []
    for rig in rigs:
        cuts = [round(len(clip) * (1 - share)) for clip in rig.clips]
        begun = tuple(_frames(clip, 0, at) for clip, at in zip(rig.clips, cuts, strict=True))
        ended = tuple(
            _frames(clip, at, len(clip))
            for clip, at in zip(rig.clips, cuts, strict=True)
            if len(clip) - at >= _FEWEST_FRAMES
        )
        first.append(replace(rig, clips=begun if ended else rig.clips))
        if ended:
            last.append(replace(rig, clips=ended))
    return first, last


def _frames(clip: Motion, first: int, last: int) -> Motion:
    return Motion(clip.xyz[first:last], clip.skeleton, fps=clip.fps, name=clip.name, up=clip.up)
