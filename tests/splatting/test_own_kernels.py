"""A kernel of the user's own: registered, refused with a reason, from a file, and through files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from own_kernel import QUARTIC

import data
from data.errors import UserError
from splatting import kernels, training
from splatting.config import TrainConfig
from splatting.export import load_ply, save_ply
from splatting.rasterization import render
from splatting.training_state import initial_state, pack, unpack

ROOM = Path(data.__file__).parent / "samples" / "synth_room"
FILE = """
from splatting import kernels

def biweight(q):
    return (1 - q / 4) ** 2

kernels.register("biweight", biweight, 2.0)
"""


def test_a_registered_kernel_has_everything_a_built_in_one_has() -> None:
    assert kernels.get("quartic") is QUARTIC
    assert "quartic" in kernels.names()
    # Int r (1 - r^2 / 9)^4 dr = 9 / 10, and psi of (1 - r^2 / R^2)^b is R^2 / (2 b + 5)
    assert QUARTIC.screen_mass == pytest.approx(0.9, rel=1e-6)
    assert QUARTIC.psi == pytest.approx(9 / 13, rel=1e-6)
    assert QUARTIC.fitted.variable == "q" and QUARTIC.fitted.degree == 4


@pytest.mark.parametrize(
    ("f", "support", "message"),
    [
        (lambda q: np.cos(q), 3.0, "f: expected no negative value, found -1"),
        (lambda q: 1 + q * 0.1, 3.0, "f: expected no value above 1, found 1.9"),
        (lambda q: np.where(q > 1, np.nan, 1.0), 3.0, "f: expected finite values, found nan"),
        (lambda q: 1 / (1 + q), 3.0, r"end below 1/255 at the support \(3 sigmas\), found 0.1"),
        (lambda q: np.exp(-q / 2), np.inf, "support: expected 0.05 to 100 sigmas, found inf"),
        (lambda q: 0.5 * (1 - q / 9), 3.0, "f: expected 1 at the centre, found 0.5"),
        (lambda q: np.ones(3), 3.0, "f: expected .* values"),
        (
            lambda q: np.where(q < 4, 1 - q / 8, 0.0),
            3.0,
            "expected a continuous falloff, found a jump",
        ),
        (
            lambda q: np.exp(-q / 2) * np.cos(9 * np.sqrt(q)) ** 2,
            3.4,
            "polynomials follow to 0.001",
        ),
        (lambda q: 1 - q**0.1 / 9**0.1, 3.0, "polynomials follow"),
    ],
)
def test_what_is_no_falloff_is_refused_by_name(f, support: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kernels.register("bad", f, support)
    assert "bad" not in kernels.names()


def test_names_are_checked() -> None:
    with pytest.raises(ValueError, match="'gaussian', which is built in"):
        kernels.register("gaussian", lambda q: 1 - q, 1.0)
    with pytest.raises(ValueError, match="name: expected letters"):
        kernels.register("../x", lambda q: 1 - q, 1.0)


def test_a_kernel_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    kernel = kernels.get(f"{file}:biweight")
    assert kernel.name == "biweight" and kernel.screen_mass == pytest.approx(4 / 6)
    assert kernels.get(f"{file}:biweight") is kernel, "read once"
    with pytest.raises(UserError, match=r"mine.py: expected it to register a kernel 'other'"):
        kernels.get(f"{file}:other")
    with pytest.raises(UserError, match="found no file"):
        kernels.get(f"{tmp_path}/none.py:other")
    file.write_text("import nothing_of_that_name")
    with pytest.raises(UserError, match="ModuleNotFoundError"):
        kernels.get(f"{file}:other")


def test_it_trains_travels_in_a_ply_and_shows_without_its_code(tmp_path: Path, monkeypatch) -> None:
    room = data.load_scene(ROOM, data_factor=2)
    result = training.train(room, TrainConfig(kernel="quartic", steps=20))
    assert result.splats.kernel is QUARTIC
    save_ply(tmp_path / "a.ply", result.splats)
    state = initial_state(room, TrainConfig(kernel="quartic"))
    packed = pack(state)

    monkeypatch.setattr("splatting.kernels.registry._own", {})
    with pytest.raises(UserError, match="expected a kernel among"):
        kernels.get("quartic")
    back = load_ply(tmp_path / "a.ply")
    assert back.kernel.name == "quartic" and back.kernel.program == QUARTIC.program
    camera = room.train[0].camera
    np.testing.assert_allclose(
        render(back, camera).rgb, render(result.splats, camera).rgb, atol=2e-4
    )
    assert unpack(*packed).splats.kernel.psi == QUARTIC.psi


@pytest.mark.parametrize(
    "change",
    [
        {"support": 1e9},
        {"psi": -1},
        {"pieces": [[1.0] * 40]},
        {"pieces": [[1.0, float("nan")]]},
        {"pieces": [[1.0, 2.0]]},
        {"pieces": "x"},
        {"variable": "exec"},
        {"variable": "two-q"},
    ],
)
def test_a_broken_description_is_refused(change: dict) -> None:
    content = json.loads(kernels.describe(QUARTIC)) | change
    with pytest.raises(UserError, match="kernel 'x': expected the description of a falloff"):
        kernels.restore("x", json.dumps(content))
    with pytest.raises(UserError, match="description"):
        kernels.restore("x", "[" * 100)
