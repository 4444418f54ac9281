"""A .glb through Khronos' own validator, which npm brings."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

import data
from splatting import kernels
from splatting.export import load_ply
from splatting.export_glb import save_glb

TRUTH = Path(data.__file__).parent / "samples" / "synth_splats" / "gt_splats.ply"
PREFIX = "KHR_gaussian_splatting:"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kernel", ["gaussian", "raised-cosine"])
def test_nothing_is_wrong_but_names_that_are_newer(glb_errors, tmp_path, kernel) -> None:
    """The newest validator on npm is older than KHR_gaussian_splatting and objects to names of
    attributes with a colon, which the ratified extension prescribes; to nothing else. With names as
    they were before, it finds no error at all."""
    path = tmp_path / "a.glb"
    save_glb(path, replace(load_ply(TRUTH), kernel=kernels.get(kernel)))
    for error in glb_errors(path):
        code, where = error.split()
        assert code == "MESH_PRIMITIVE_INVALID_ATTRIBUTE" and PREFIX in where
    whole = path.read_bytes()
    (size,) = struct.unpack_from("<I", whole, 12)
    text = whole[20 : 20 + size].decode()
    # as long as before: spaces after the JSON are part of the format
    older = text.replace(f'"{PREFIX}', '"_').ljust(size)
    (tmp_path / "older.glb").write_bytes(whole[:20] + older.encode() + whole[20 + size :])
    assert glb_errors(tmp_path / "older.glb") == []
