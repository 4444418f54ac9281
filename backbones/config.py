"""BackboneConfig: every choice of a transformer backbone; each field is an option of the command
line, and stands in every saved model. Each technique is switched by one field; a second one, where
there is one, refines it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, prod
from typing import Any, Literal

from backbones.exclusions import check_exclusions, check_refinements

MODEL_FORMAT = "darb3d-model-1"
GRAYING_POWER = {"svd": 0.7, "dct": 0.95}
"""What each graying takes when `graying_power` is not given."""


@dataclass(frozen=True)
class BackboneConfig:
    """How tokens are mixed. ValueError for options that exclude each other, naming both."""

    width: int = 64
    """Numbers in a token."""
    depth: int = 4
    """Blocks, one after the other."""
    heads: int = 4
    """Attention heads, of any number: heads x head_dim need not be the width."""
    head_dim: int = 16
    """Numbers in the query, key and value of one head."""
    mlp_ratio: float = 2.0
    """Hidden units of a block's MLP over the width."""
    tokens: int | None = None
    """Number of tokens, for the options that are made for one: lean, impulse line, mixer tokens."""
    attention: Literal["softmax", "poly2", "poly3"] = "softmax"
    """What turns scores into weights; poly2 and poly3: x^p / sqrt(N) (arXiv 2410.18613)."""
    attention_scale: Literal["fixed", "learned", "none"] = "fixed"
    """Of polynomial attention: 1 / sqrt(N), a learned multiple of it for each head, or 1."""
    lean: bool = False
    """More heads, less depth: half the blocks, twice the heads and heads x head_dim above the
    number of tokens (arXiv 2505.20802)."""
    impulse: Literal["none", "line", "grid", "skeleton"] = "none"
    """Start with heads that look at a neighbour: along a line (frames, sorted points), on a grid or
    a skeleton; adds learned positions (arXiv 2505.19985)."""
    grid: tuple[int, int] | None = None
    """Rows and columns, for --impulse grid."""
    parents: tuple[int, ...] | None = None
    """Parent of each joint, -1 for the root, for --impulse skeleton."""
    mirror: tuple[int, ...] | None = None
    """The joint on the other side of each joint (itself where there is none), if known."""
    conditioning: float = 0.0
    """Strength t of conditioned tokens: X + t ||X|| polar(X), 0 to 1; 0.1 brings the condition
    number to 11 (arXiv 2505.12789)."""
    graying: Literal["none", "svd", "dct"] = "none"
    """Flatten the tokens' spectrum before the first block; dct needs tokens in a meaningful order
    (arXiv 2505.01996)."""
    graying_power: float | None = None
    """Exponent on the spectrum, 0 to 1: 0.7 for svd and 0.95 for dct if not given."""
    skips: Literal["both", "mlp", "none"] = "both"
    """Which residual connections stay; none starts from weights that train without
    (arXiv 2510.00345)."""
    skip_free_init: bool = True
    """Those weights; without them, skips none is the control that does not train."""
    mixer: Literal["attention", "conv", "tokens"] = "attention"
    """What mixes tokens: attention, a depthwise convolution along ordered tokens (ConvMixer), or an
    MLP over the tokens (MLP-Mixer)."""
    conv_kernel: int = 7
    """Taps of --mixer conv, an odd number."""
    frozen: Literal["none", "spatial", "smoothed", "channels", "all"] = "none"
    """Weights of --mixer conv or tokens that stay random: those over tokens (as they are, or
    smoothed), those over channels, or all (arXiv 2503.16760)."""
    activation: Literal["gelu", "relu", "tanh", "gaussian", "sinc"] = "gelu"
    """Activation of the MLPs (arXiv 2504.18207)."""
    activation_scale: float = 1.0
    """Its width s, act(x / s): for gaussian and sinc it is their bandwidth."""

    def __post_init__(self) -> None:
        for name in ("grid", "parents", "mirror"):  # JSON knows lists alone
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_sizes()
        self._check_geometry()
        check_exclusions(self)
        check_refinements(self)

    @property
    def inner(self) -> int:
        """Numbers in all heads of one token."""
        return self.heads * self.head_dim

    @property
    def hidden(self) -> int:
        """Hidden units of a block's MLP."""
        return max(1, round(self.width * self.mlp_ratio))

    @property
    def places(self) -> int | None:
        """How many tokens the backbone is made for; None for any number."""
        if self.mixer == "conv":
            return None
        if self.impulse == "grid":
            return prod(self.grid or ())
        if self.impulse == "skeleton":
            return len(self.parents or ())
        return self.tokens if self.impulse == "line" or self.mixer == "tokens" else None

    @property
    def ordered(self) -> bool:
        """Whether the order of tokens matters; if not, they are a set."""
        return self.impulse != "none" or self.graying == "dct" or self.mixer != "attention"

    @property
    def gray(self) -> float:
        """The exponent on the tokens' spectrum."""
        if self.graying_power is not None:
            return self.graying_power
        return GRAYING_POWER.get(self.graying, 1.0)

    def _check_sizes(self) -> None:
        least = ("width", "depth", "heads", "head_dim", "conv_kernel")
        for name in (*least, *(["tokens"] if self.tokens is not None else [])):
            _expect(name, "1 or more", getattr(self, name), getattr(self, name) >= 1)
        _expect("mlp_ratio", "above 0, to 64", self.mlp_ratio, 0 < self.mlp_ratio <= 64)
        _expect("conditioning", "0 to 1", self.conditioning, 0 <= self.conditioning <= 1)
        _expect("graying_power", "above 0, to 1", self.gray, 0 < self.gray <= 1)
        _expect("conv_kernel", "an odd number", self.conv_kernel, self.conv_kernel % 2 == 1)
        scale = self.activation_scale
        _expect("activation_scale", "a number above 0", scale, isfinite(scale) and scale > 0)

    def _check_geometry(self) -> None:
        wanted = {"line": "tokens", "grid": "grid", "skeleton": "parents"}.get(self.impulse)
        if self.mixer == "conv":
            wanted = None
        for option, field in (
            (f"impulse={self.impulse}", wanted),
            ("mixer=tokens", "tokens" if self.mixer == "tokens" else None),
            ("lean=True", "tokens" if self.lean else None),
        ):
            if field and not getattr(self, field):
                raise ValueError(f"{option} needs `{field}`, found none; say what it is made for")
        if self.grid is not None:
            _expect("grid", "rows and columns, 1 or more", self.grid, min(self.grid) >= 1)
        joints = len(self.parents or ())
        for joint, parent in enumerate(self.parents or ()):
            _expect("parents", f"-1 to {joints - 1}, not itself", parent, -1 <= parent < joints)
            _expect("parents", "no joint that is its own parent", parent, parent != joint)
        if self.mirror is not None:
            whole = sorted(self.mirror) == list(range(joints))
            _expect("mirror", "each joint once, as in `parents`", self.mirror, whole)
        if self.tokens and self.places and self.tokens != self.places:
            raise ValueError(
                f"tokens: expected {self.places} for impulse={self.impulse}, found {self.tokens}"
            )


def _expect(name: str, expected: str, found: Any, holds: bool) -> None:
    if not holds:
        raise ValueError(f"{name}: expected {expected}, found {found}")
