"""A round of density control: splats that have faded go, new ones come where they are wanted."""

from __future__ import annotations

import numpy as np

from data.errors import UserError
from splatting import densification, mcmc
from splatting.config import TrainConfig
from splatting.training_state import TrainingState

REORDER_EVERY = 5
"""Rounds between two sortings of the splats in memory."""


def refine(state: TrainingState, config: TrainConfig) -> None:
    """One round of density control, by the configured strategy; UserError if no splat is left."""
    state.average = None  # its rows were those of other splats
    state.splats = densification.cap_opacity(state.splats)
    faint = densification.too_faint(state.splats, config.least_opacity)
    if faint.all():
        raise UserError(
            f"step {state.step}: expected splats that show something, found that all have faded: "
            "are the photos empty, or their masks the wrong way round (--invert-masks, --alpha)?"
        )
    if config.strategy == "mcmc":
        _move_and_grow(state, config, faint)
    else:
        _prune_and_split(state, config, faint)
    if state.step % (REORDER_EVERY * config.refine_every) == 0:
        state.splats, state.moments = densification.reorder(state.splats, state.moments)
    state.statistics = densification.ScreenStatistics.empty(len(state.splats))


def _move_and_grow(state: TrainingState, config: TrainConfig, faint: np.ndarray) -> None:
    splats, moments = mcmc.relocate(state.splats, state.moments, faint, state.generator)
    room = min(int(config.growth * len(splats)) + 1, config.max_splats - len(splats))
    state.splats, state.moments = mcmc.grow(splats, moments, room, state.generator)


def _prune_and_split(state: TrainingState, config: TrainConfig, faint: np.ndarray) -> None:
    """Drop the faint, split the hardest pulled within the budget."""
    pull = state.statistics.mean_pull[~faint]
    state.splats, state.moments = densification.prune(state.splats, state.moments, ~faint)
    n = len(state.splats)
    room = min(int(config.growth * n) + 1, config.max_splats - n)
    candidates = np.flatnonzero(pull > config.pull_threshold * state.splats.kernel.pull)
    if room > 0 and len(candidates):
        hardest = np.argsort(-pull[candidates], kind="stable")[:room]
        chosen = np.sort(candidates[hardest])
        state.splats, state.moments = densification.split(state.splats, state.moments, chosen)
