"""What a lifter is, and how it is trained: every field is an option of the command line and stands
in every saved model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from backbones.config import BackboneConfig

Terms = Literal["permissive", "share-alike"]
"""Of the weights that come with the package."""
_BACKBONE = BackboneConfig(width=128, depth=8, heads=8, head_dim=16, mlp_ratio=2.0)


@dataclass(frozen=True)
class LifterConfig:
    """A space-time lifter. ValueError for options that make no sense together."""

    backbone: BackboneConfig = field(default_factory=lambda: _BACKBONE)
    """Blocks, the first, third, ... over the joints of a frame, the others over the frames of a
    joint: a depth of 8 looks four times at space and at time."""
    window: int = 8
    """Frames to either side that a frame looks at; 0 lifts each frame alone."""
    context: bool = True
    """A frame that stands for the whole window and that all frames look at: what the animal is
    like, as far as its movement shows."""
    graph: Literal["both", "edges", "all"] = "both"
    """Which joints a joint looks at: its neighbours in half of the heads and all in the others,
    neighbours alone, or all alone."""
    pairs: bool = True
    """Tell attention how far apart two joints are along the edges and in the pictures."""
    sides: bool = True
    """Tell joints on which side they lie, and attention which joints lie across from each other, as
    far as their names say."""
    output: Literal["depth", "canonical"] = "depth"
    """Depth along each joint's ray, or a shape in a frame of the animal's own and its rotation."""
    fourier: int = 32
    """Random frequencies that a point's place is written in; 0 for the bare numbers."""
    fourier_scale: float = 1.0
    """Standard deviation of the frequencies, in cycles over 2 pi sizes of the animal."""

    def __post_init__(self) -> None:
        for name, least in (("window", 0), ("fourier", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected {least} or more, found {getattr(self, name)}")
        if not self.fourier_scale > 0:
            raise ValueError(f"fourier_scale: expected above 0, found {self.fourier_scale}")
        backbone = self.backbone
        if backbone.depth % 2:
            raise ValueError(
                f"backbone.depth: expected an even number, a block of space and one of time in"
                f" turns, found {backbone.depth}"
            )
        if backbone.mixer != "attention" or backbone.impulse != "none" or backbone.lean:
            raise ValueError(
                "backbone: expected mixer=attention, impulse=none and lean=False: joints have no"
                " order and any number"
            )
        if self.graph == "both" and backbone.heads < 2:
            raise ValueError("backbone.heads: expected 2 or more for graph=both, found 1")
        if self.pairs and backbone.attention != "softmax":
            raise ValueError("pairs: expected False with polynomial attention, found True")

    @property
    def single_frame(self) -> bool:
        """Whether each frame is lifted without the others."""
        return self.window == 0 and not self.context


def single_frame(config: LifterConfig) -> LifterConfig:
    """The same without time: what 3D-LFM does."""
    return replace(config, window=0, context=False)


@dataclass(frozen=True)
class LiftFitConfig:
    """How a lifter is trained. ValueError for what cannot be trained."""

    steps: int | None = None
    """Length of the training in steps, which goes before minutes."""
    minutes: float | None = 60.0
    tokens: int = 8_000
    """Joints x frames in a step: as many clips as that gives."""
    frames: int = 8
    """Frames of a training clip; fewer of them make more clips, which teach more."""
    views: int = 1
    """Sides from which each animal is seen in a step: a picture more takes less time than a
    movement more, and teaches less."""
    short: float = 0.25
    """Share of steps whose clips have fewer frames, down to a single one: so that pictures that are
    no film can be lifted, too."""
    single: float = 0.0
    """Share of steps whose clips are single frames, beside those of `short`: the most animals for
    their time."""
    generated: float = 0.2
    """Share of clips of generated rigs, where there are others: those teach less than real ones."""
    rate: float = 1.5e-3
    """Highest rate."""
    optimiser: Literal["adamw", "muon"] = "muon"
    """What moves the matrices within the blocks; all else is AdamW's."""
    weight_decay: float = 0.02
    clip: float = 1.0
    """Largest norm of a gradient."""
    average: float = 0.999
    """Decay of the averaged weights, which are what is kept."""
    seed: int = 0
    bf16: bool = False
    """Multiply in bfloat16: half again as fast on a GPU or a processor that does it well (AMX, Zen
    4 and later), slower on others, an Intel with AVX512-BF16 alone among them."""
    velocity: float = 2.0
    """Weight of the error of differences between frames."""
    bones: float = 0.2
    """Weight of changes of a bone's length."""
    reprojection: float = 0.3
    """Weight of the distance from the tracks as they should have been."""
    uncertainty: float = 0.1
    """Weight of the error of the predicted radii."""
    gravity: float = 0.05
    """Weight of the error of the direction upwards."""
    procrustes: float = 0.5
    """Share of the geometry that is measured after rotation to the truth, frame by frame; the rest
    in the camera's axes, the whole clip together."""
    augment: bool = True
    """Change rigs and spoil tracks."""
    bend: float = 0.5
    """Share of clips in which some joints bend as they do in no clip, if rigs are changed at
    all."""
    angle: float = 0.35
    """Largest standard deviation of those bends, in radians."""
    stretch: float = 0.2
    """Largest standard deviation of the logarithm of a bone's factor, if rigs are changed at
    all."""
    inferred: float = 0.4
    """Share of clips whose edges are found from their tracks, as those of a file without any are,
    if rigs are changed at all."""

    def __post_init__(self) -> None:
        if self.steps is not None:
            object.__setattr__(self, "minutes", None)
        elif self.minutes is None:
            raise ValueError("expected steps or minutes, found none")
        for name in ("steps", "minutes", "rate", "clip", "tokens", "frames", "views"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}: expected above 0, found {value}")
        for name in ("short", "single", "generated", "procrustes", "average", "bend", "inferred"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, found {getattr(self, name)}")
        for name in ("angle", "stretch"):
            if not 0 <= getattr(self, name) <= 3:
                raise ValueError(f"{name}: expected 0 to 3, found {getattr(self, name)}")


def lifter_config(values: dict[str, Any]) -> LifterConfig:
    """A configuration from what a file holds beside its backbone; ValueError for anything else."""
    known: dict[str, tuple[type, ...]] = {
        "window": (int,),
        "context": (bool,),
        "graph": (str,),
        "pairs": (bool,),
        "sides": (bool,),
        "output": (str,),
        "fourier": (int,),
        "fourier_scale": (int, float),
    }
    choices = {"graph": ("both", "edges", "all"), "output": ("depth", "canonical")}
    for name, value in values.items():
        if name == "backbone":
            continue
        if name not in known or type(value) not in known[name]:
            raise ValueError(f"{name}: expected an option of a lifter, found {value!r:.40}")
        if name in choices and value not in choices[name]:
            raise ValueError(f"{name}: expected one of {choices[name]}, found {value!r:.40}")
        if type(value) is int and value > 4096:
            raise ValueError(f"{name}: expected 4096 or less, found {value}")
    return LifterConfig(**values)
