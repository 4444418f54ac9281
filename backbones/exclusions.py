"""Which options exclude each other, and why; what is not listed here composes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backbones.config import BackboneConfig

POLYNOMIALS = ("poly2", "poly3")
NEIGHBOURS = ("line", "grid", "skeleton")


@dataclass(frozen=True)
class Exclusion:
    """Two fields with values that cannot be had together."""

    first: str
    first_values: tuple[object, ...]
    second: str
    second_values: tuple[object, ...]
    why: str

    def met_by(self, config: BackboneConfig) -> bool:
        """Whether `config` asks for both."""
        return (
            getattr(config, self.first) in self.first_values
            and getattr(config, self.second) in self.second_values
        )


EXCLUSIONS = (
    Exclusion(
        "mixer", ("conv", "tokens"), "attention", POLYNOMIALS, "there are no scores to raise"
    ),
    Exclusion("mixer", ("conv", "tokens"), "lean", (True,), "there are no heads to add"),
    Exclusion(
        "mixer", ("conv", "tokens"), "skips", ("none",), "its weights are those of attention"
    ),
    Exclusion(
        "mixer",
        ("attention",),
        "frozen",
        ("spatial", "smoothed", "channels", "all"),
        "attention has no weights over tokens; take mixer=conv or tokens",
    ),
    Exclusion(
        "mixer", ("conv",), "impulse", ("grid", "skeleton"), "a convolution runs along a line"
    ),
    Exclusion(
        "impulse", NEIGHBOURS, "attention", POLYNOMIALS, "its weights are solved for softmax"
    ),
    Exclusion(
        "impulse", NEIGHBOURS, "skips", ("none",), "both choose the weights of queries and keys"
    ),
)


@dataclass(frozen=True)
class Refinement:
    """A field that says something only together with another."""

    field: str
    switch: str
    values: tuple[object, ...]


REFINEMENTS = (
    Refinement("attention_scale", "attention", POLYNOMIALS),
    Refinement("graying_power", "graying", ("svd", "dct")),
    Refinement("skip_free_init", "skips", ("none",)),
    Refinement("conv_kernel", "mixer", ("conv",)),
)


def check_refinements(config: BackboneConfig) -> None:
    """ValueError for a refinement of what is not switched on: it would be without effect."""
    for one in REFINEMENTS:
        value = getattr(config, one.field)
        idle = getattr(config, one.switch) not in one.values
        if idle and value != type(config).__dataclass_fields__[one.field].default:
            switches = " or ".join(f"{one.switch}={choice}" for choice in one.values)
            raise ValueError(f"{one.field}={value} has no effect without {switches}")


def check_exclusions(config: BackboneConfig) -> None:
    """ValueError that names both options and says why."""
    for pair in EXCLUSIONS:
        if pair.met_by(config):
            raise ValueError(
                f"{pair.first}={getattr(config, pair.first)} and "
                f"{pair.second}={getattr(config, pair.second)} exclude each other: {pair.why}"
            )
    if config.skips == "none" and not config.lean and config.inner < config.width:
        raise ValueError(
            f"skips=none and heads x head_dim={config.inner} below width={config.width} exclude "
            "each other: what the heads drop has no way around them"
        )
