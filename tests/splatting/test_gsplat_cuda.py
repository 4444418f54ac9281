"""`device="cuda"`: refused in one line where it cannot be, equal to ours where it can."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import data
from data.errors import UserError
from splatting.export import load_ply
from splatting.rasterization import render

SAMPLE = Path(data.__file__).parent / "samples" / "synth_splats"


def has_cuda() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def test_another_kernel_is_refused() -> None:
    from splatting import gsplat_cuda

    with pytest.raises(UserError, match="expected the kernel gaussian"):
        gsplat_cuda.require("raised-cosine")


@pytest.mark.skipif(has_cuda(), reason="a CUDA device is here: nothing to refuse")
def test_no_device_is_said_in_one_line() -> None:
    scene, splats = data.load_scene(SAMPLE), load_ply(SAMPLE / "gt_splats.ply")
    with pytest.raises(UserError, match="leave --device out"):
        render(splats, scene.views[0].camera, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not has_cuda(), reason="needs a CUDA device")
def test_gsplat_draws_what_we_draw() -> None:
    scene, splats = data.load_scene(SAMPLE), load_ply(SAMPLE / "gt_splats.ply")
    camera = scene.views[0].camera
    ours, theirs = render(splats, camera), render(splats, camera, device="cuda")
    # alpha may reach 0.999 there and 0.99 here
    assert np.mean(np.abs(ours.rgb - theirs.rgb)) < 2e-3
