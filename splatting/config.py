"""TrainConfig: every choice of a training run, with its reason; each field is an option of the
command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Schedules run on progress 0..1, so they fit any number of steps or minutes."""

    kernel: str = "raised-cosine"
    """Falloff of the splats."""
    steps: int | None = None
    """Length in steps; give this or `minutes`."""
    minutes: float | None = None
    """Length in minutes of the training loop alone."""
    passes: float = 250.0
    """Rounds of all photos after which a training by minutes is over, time left or not: more are
    learnt by heart (see `training_state.most_steps`); 0 for no end."""
    seed: int = 0
    """Seed of every random draw."""
    threads: int | None = None
    """CPU threads; all cores if not given."""
    max_splats: int = 100_000
    """Density control stops growing here."""
    sh_degree: int = 3
    """Highest degree of view-dependent colour, 0 to 3."""
    dssim_weight: float = 0.2
    """Share of D-SSIM in the loss; the rest is L1 (3DGS)."""
    means_rate: float = 1.6e-4
    """Adam's rate of positions at the start, times the scene's radius; falls a hundredfold
    (3DGS)."""
    scales_rate: float = 2e-2
    """Four times that of 3DGS: trainings here are ten times shorter (chosen on an inner split)."""
    quats_rate: float = 1e-3
    opacities_rate: float = 5e-2
    sh0_rate: float = 5e-3
    """Twice that of 3DGS, for the same reason."""
    shN_rate: float = 5e-4
    """A tenth of the constant colour's; that of 3DGS is a twentieth, by which each harmonic moves,
    not all of a colour on average (see `cpu.harmonic_rows`)."""
    shN_every: int = 1
    """Steps between two updates of the higher harmonics, three quarters of all numbers."""
    coarse_until: tuple[float, ...] = (0.05, 0.2)
    """Progress at which training leaves a quarter and half of the resolution."""
    sh_from: tuple[float, ...] = (0.25, 0.4, 0.55)
    """Progress at which harmonics of degree 1, 2 and 3 join."""
    refine_every: int = 100
    """Steps between two rounds of density control."""
    refine_from: float = 0.02
    refine_until: float = 0.7
    """Progress between which density control works."""
    growth: float = 0.05
    """Largest share of splats that one round may split."""
    pull_threshold: float = 4e-4
    """Mean absolute screen gradient above which a splat is split."""
    least_opacity: float = 0.005
    """Splats fainter than this are removed (3DGS)."""
    average_from: float = 0.95
    """Progress from which on the result is the mean of the splats (see `averaging`); 1 for none."""
    strategy: Literal["adaptive", "mcmc"] = "adaptive"
    """Density control: splits where the screen pulls, or samples that move (3DGS-MCMC)."""
    drop: float | None = None
    """Share of the splats that rest in the last step, rising from 0 (DropGaussian); if not given,
    as `dropout.share_for` finds for the number of photos."""
    sparsity_weight: float = 0.01
    """Price of mean opacity and mean size in the loss (3DGS-MCMC), for either density control: on
    fox's inner split 0.4 dB after 11,000 steps."""
    depth_weight: float = 1.0
    """Price of the distance to the sparse points that a photo observes, relative to their depth;
    falls a hundredfold. On folds of the training photos it gives 0.3 to 1 dB on three scenes."""
    antialiased: bool = False
    """Splats keep their paint when they are smaller than a pixel (Mip-Splatting)."""
    exposure: bool = False
    """Fit an affine map of colour to each training photo, for photos of changing exposure."""
    exposure_rate: float = 1e-3
    exposure_weight: float = 1e-2
    """Pull of each map towards the identity."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Colour behind everything."""
