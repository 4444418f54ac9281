"""Splats in a .glb: back as they went, from files of others, and one line for what is broken."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_kernel import EVERY

from data.errors import UserError
from splatting import kernels
from splatting.export_glb import save_glb
from splatting.half_turn import half_turn
from splatting.import_glb import load_glb
from splatting.splats import Splats

N = 12


@pytest.fixture
def splats() -> Splats:
    rng, f32 = np.random.default_rng(0), np.float32
    return Splats(
        means=rng.normal(size=(N, 3)).astype(f32),
        log_scales=rng.normal(size=(N, 3)).astype(f32),
        quats=rng.normal(size=(N, 4)).astype(f32),
        logit_opacities=rng.normal(size=N).astype(f32),
        sh0=rng.normal(size=(N, 3)).astype(f32),
        shN=rng.normal(size=(N, 15, 3)).astype(f32),
        kernel=kernels.get("gaussian"),
    )


def edited(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Change the JSON of a .glb in place."""
    whole = path.read_bytes()
    (size,) = struct.unpack_from("<I", whole, 12)
    document = json.loads(whole[20 : 20 + size])
    edit(document)
    text = json.dumps(document).encode()
    head = struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(whole) - 20 - size,
                       len(text), b"JSON")  # fmt: skip
    path.write_bytes(head + text + whole[20 + size :])


def assert_same(found: Splats, wanted: Splats) -> None:
    unit = wanted.quats / np.linalg.norm(wanted.quats, axis=1, keepdims=True)
    assert np.abs((found.quats * unit).sum(axis=1)).min() > 1 - 1e-6
    for name in ("means", "log_scales", "logit_opacities", "sh0", "shN"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(wanted, name), rtol=1e-4, atol=1e-5, err_msg=name
        )


@pytest.mark.parametrize("kernel", EVERY)
def test_they_come_back(splats: Splats, tmp_path: Path, kernel: str) -> None:
    there = replace(splats, kernel=kernels.get(kernel), antialiased=True, origin_world=(4e5, 5, 6))
    save_glb(tmp_path / "a.glb", there)
    found = load_glb(tmp_path / "a.glb")
    assert_same(found, there)
    assert found.kernel.name == kernel and found.kernel.program == there.kernel.program
    assert found.antialiased and found.origin_world == (4e5, 5, 6)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_of_lower_degree(splats: Splats, tmp_path: Path, degree: int) -> None:
    flat = replace(splats, shN=splats.shN[:, : (degree + 1) ** 2 - 1])
    save_glb(tmp_path / "a.glb", flat)
    assert_same(load_glb(tmp_path / "a.glb"), flat)


def test_a_file_without_a_turn_has_y_up(splats: Splats, tmp_path: Path) -> None:
    """What its author sees above is above: y of the file points up, ours down."""
    save_glb(tmp_path / "a.glb", splats)
    edited(tmp_path / "a.glb", lambda document: document["nodes"][0].pop("rotation"))
    assert_same(load_glb(tmp_path / "a.glb"), half_turn(splats))


def test_a_node_moves_and_scales(splats: Splats, tmp_path: Path) -> None:
    save_glb(tmp_path / "a.glb", splats)
    move = {"translation": [1.0, 2.0, 3.0], "scale": [2.0, 2.0, 2.0]}
    edited(tmp_path / "a.glb", lambda document: document["nodes"][0].update(move))
    found = load_glb(tmp_path / "a.glb")
    np.testing.assert_allclose(found.means, 2 * splats.means + [1, -2, -3], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.log_scales, splats.log_scales + np.log(2), atol=1e-5)


def set_node(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda document: document["nodes"][0].update(values)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (set_node(rotation=[0, 0, 0.7071, 0.7071]), "expected splats that are not turned"),
        (set_node(scale=[1, 2, 1]), "expected a node with one positive scale"),
        (lambda d: d["meshes"][0]["primitives"][0].pop("extensions"), "expected splats"),
        (lambda d: d["accessors"][0].update(count=10**12), "beyond the end of the file"),
        (lambda d: d["accessors"][0].update(count=N - 1), "broken"),
        (lambda d: d["bufferViews"][3].update(byteOffset=-4), "broken"),
        (lambda d: d.update(nodes=3), "broken"),
    ],
)
def test_one_line_for_the_rest(splats: Splats, tmp_path: Path, edit, says: str) -> None:
    save_glb(tmp_path / "a.glb", splats)
    edited(tmp_path / "a.glb", edit)
    with pytest.raises(UserError, match=says) as caught:
        load_glb(tmp_path / "a.glb")
    assert "a.glb" in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_glb(tmp_path: Path) -> None:
    (tmp_path / "a.glb").write_bytes(b"solid nothing of the kind at all")
    with pytest.raises(UserError, match="expected a binary glTF"):
        load_glb(tmp_path / "a.glb")
