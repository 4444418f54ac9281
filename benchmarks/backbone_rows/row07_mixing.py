"""Fixed random spatial mixing (2503.16760): a ConvMixer along sorted points with parts of it
frozen, its accuracy, and what small moves of the points do to it."""

from __future__ import annotations

from benchmarks.backbone_cells import (
    IN_PART,
    NOT_SHOWN,
    OPEN,
    Cell,
    Claim,
    Found,
    judge,
    over_seeds,
    told,
)

ARXIV = "2503.16760"
DATA = "ModelNet40, 32 tokens in Morton order, 7 taps"
ALL = {"mixer": "conv", "attack": True}
VARIANTS = {kind: {**ALL, "frozen": kind} for kind in ("spatial", "smoothed", "channels", "all")}


def cells() -> list[Cell]:
    return over_seeds("points", ALL, *VARIANTS.values())


def claims(found: Found) -> list[Claim]:
    every, channels = found.pair("accuracy", "points", ALL, VARIANTS["spatial"])
    learned, spatial = found.pair("accuracy", "points", ALL, VARIANTS["channels"])
    _, neither = found.pair("accuracy", "points", ALL, VARIANTS["all"])
    robust, smooth = found.pair("pgd", "points", ALL, VARIANTS["smoothed"])
    _, random = found.pair("pgd", "points", ALL, VARIANTS["spatial"])
    gain, more = random - robust[: len(random)], smooth - robust
    robustness = judge(more)
    if robustness not in (OPEN, NOT_SHOWN) and judge(gain) == NOT_SHOWN:
        robustness = IN_PART
    return [
        Claim(
            ARXIV,
            "with random spatial mixing, channels alone come within 1 point",
            "about 98 % of ImageNet accuracy kept",
            f"{told(channels - every, '+.1f', ' points')} of {told(every, '.1f', ' %')}; {DATA}",
            judge(channels - every, -1.0),
        ),
        Claim(
            ARXIV,
            "learning spatial mixing alone is clearly worse",
            "clearly worse",
            f"{told(learned - spatial, '+.1f', ' points')} worse; nothing learned but norms and "
            f"head: {told(neither, '.1f', ' %')}; {DATA}",
            judge(learned - spatial),
        ),
        Claim(
            ARXIV,
            "smoothed random mixing withstands small moves (PGD, 0.02) better than learned",
            "natural robustness, more when smoothed",
            f"smoothed {told(more, '+.1f', ' points')}, as drawn {told(gain, '+.1f', ' points')}; "
            f"{DATA}",
            robustness,
        ),
    ]
