from __future__ import annotations

import pytest

from backbones import exclusions
from backbones.config import BackboneConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"impulse": "line"}, "impulse=line needs `tokens`"),
        ({"impulse": "grid"}, "impulse=grid needs `grid`"),
        ({"impulse": "skeleton"}, "impulse=skeleton needs `parents`"),
        ({"mixer": "tokens"}, "mixer=tokens needs `tokens`"),
        ({"lean": True}, "lean=True needs `tokens`"),
        ({"impulse": "grid", "grid": (2, 3), "tokens": 7}, "expected 6 for impulse=grid"),
        ({"impulse": "skeleton", "parents": (-1, 5)}, "parents: expected -1 to 1"),
        ({"impulse": "skeleton", "parents": (-1, 1)}, "its own parent"),
        ({"impulse": "skeleton", "parents": (-1, 0), "mirror": (0, 0)}, "mirror"),
        ({"conditioning": 1.5}, "conditioning: expected 0 to 1, found 1.5"),
        ({"conditioning": float("nan")}, "conditioning"),
        ({"graying": "svd", "graying_power": 0.0}, "graying_power"),
        ({"mixer": "conv", "conv_kernel": 4}, "odd"),
        ({"activation_scale": float("inf")}, "activation_scale"),
        ({"attention_scale": "none"}, "no effect without attention=poly2 or attention=poly3"),
        ({"graying_power": 0.5}, "graying_power=0.5 has no effect without graying=svd"),
        ({"skip_free_init": False}, "skip_free_init=False has no effect without skips=none"),
        ({"conv_kernel": 5}, "conv_kernel=5 has no effect without mixer=conv"),
        ({"skips": "none", "heads": 1}, "skips=none and heads x head_dim=16 below width=64"),
    ],
)
def test_what_cannot_be_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BackboneConfig(**options)


@pytest.mark.parametrize("pair", exclusions.EXCLUSIONS)
def test_exclusions_name_both_options(pair: exclusions.Exclusion) -> None:
    needed = {"tokens": 4, "grid": (2, 2), "parents": (-1, 0, 1, 2)}
    for one in pair.first_values:
        for other in pair.second_values:
            options = {pair.first: one, pair.second: other}
            message = f"{pair.first}={one} and {pair.second}={other} exclude each other: "
            with pytest.raises(ValueError, match=message):
                BackboneConfig(**{**needed, **options})


def test_lists_from_json_become_tuples() -> None:
    config = BackboneConfig(impulse="grid", grid=[2, 3])
    assert config.grid == (2, 3) and config.places == 6 and hash(config)


def test_graying_has_its_own_default_power() -> None:
    assert BackboneConfig(graying="svd").gray == 0.7
    assert BackboneConfig(graying="dct").gray == 0.95
    assert BackboneConfig(graying="dct", graying_power=0.5).gray == 0.5
