"""What code written for gsplat relies on: shapes, dtypes and keys, strategies, and clear
refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_door import COUNT, SIZE, inputs

from data.errors import UserError
from splatting import gsplat_api as door

ROOT = Path(__file__).parents[3]
pytest.importorskip("gsplat", reason="gsplat has no wheel here")

C, N = 2, COUNT
TILES = (4, 5)
CALL = {"width": SIZE[0], "height": SIZE[1]}

UNPACKED = {
    "batch_ids": None,
    "camera_ids": None,
    "gaussian_ids": None,
    "radii": ((C, N, 2), torch.int32),
    "means2d": ((C, N, 2), torch.float32),
    "depths": ((C, N), torch.float32),
    "conics": ((C, N, 3), torch.float32),
    "opacities": ((C, N), torch.float32),
    "tile_width": 5,
    "tile_height": 4,
    "tiles_per_gauss": ((C, N), torch.int32),
    "isect_ids": (("p",), torch.int64),
    "flatten_ids": (("p",), torch.int32),
    "isect_offsets": ((C, *TILES), torch.int32),
    "width": 75,
    "height": 52,
    "tile_size": 16,
    "n_batches": 1,
    "n_cameras": C,
}
PACKED = UNPACKED | {
    "batch_ids": (("nnz",), torch.int32),
    "camera_ids": (("nnz",), torch.int32),
    "gaussian_ids": (("nnz",), torch.int32),
    "radii": (("nnz", 2), torch.int32),
    "means2d": (("nnz", 2), torch.float32),
    "depths": (("nnz",), torch.float32),
    "conics": (("nnz", 3), torch.float32),
    "opacities": (("nnz",), torch.float32),
    "tiles_per_gauss": (("nnz",), torch.int32),
}


@pytest.mark.parametrize(("packed", "table"), [(True, PACKED), (False, UNPACKED)])
def test_every_key_of_info_has_gsplats_shape_and_dtype(packed: bool, table: dict) -> None:
    _, _, info = door.rasterization(**inputs(), **CALL, packed=packed)
    assert list(info) == list(table)
    for key, wanted in table.items():
        if not isinstance(wanted, tuple):
            assert info[key] == wanted, key
            continue
        shape, dtype = wanted
        sizes = {"nnz": len(info["depths"]), "p": len(info["isect_ids"])}
        assert tuple(info[key].shape) == tuple(sizes.get(s, s) for s in shape), key
        assert info[key].dtype == dtype, key


@pytest.mark.parametrize(
    ("mode", "channels", "width"),
    [("RGB", 3, 3), ("RGB", 7, 7), ("D", 3, 1), ("ED", 3, 1), ("RGB+D", 3, 4), ("RGB+ED", 3, 4)],
)
def test_shapes_of_the_pictures(mode: str, channels: int, width: int) -> None:
    drawn, alphas, _ = door.rasterization(**inputs(channels=channels), **CALL, render_mode=mode)
    assert drawn.shape == (C, SIZE[1], SIZE[0], width) and drawn.dtype == torch.float32
    assert alphas.shape == (C, SIZE[1], SIZE[0], 1) and alphas.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"means": torch.zeros(N, 2)}, r"means: expected the shape \(any, 3\), found \(400, 2\)"),
        (
            {"means": torch.zeros(N, 3).double()},
            r"means: expected torch.float32, found torch.float64",
        ),
        (
            {"means": torch.full((N, 3), torch.nan)},
            r"means: expected finite numbers, found 1200 NaN",
        ),
        ({"means": [[0.0, 0, 0]]}, r"means: expected a tensor \(any, 3\), found list"),
        ({"quats": torch.ones(N, 3)}, r"quats: expected the shape \(400, 4\)"),
        ({"scales": torch.ones(3)}, r"scales: expected the shape \(400, 3\)"),
        ({"opacities": torch.ones(N, 1)}, r"opacities: expected the shape \(400\)"),
        ({"colors": torch.ones(3, N, 3)}, r"colors: expected the shape \(2, 400, any\)"),
        ({"viewmats": torch.eye(4)}, r"viewmats: expected the shape \(any, 4, 4\)"),
        ({"Ks": torch.eye(3)}, r"Ks: expected the shape \(2, 3, 3\)"),
        ({"backgrounds": torch.ones(2, 4)}, r"backgrounds: expected the shape \(2, 3\)"),
        ({"width": 75.0}, r"width: expected a whole number from 1, found 75.0"),
        ({"height": 0}, r"height: expected a whole number from 1, found 0"),
        ({"sh_degree": 1}, r"colors: expected the shape \(2, 400, any, 3\)|colors: expected"),
        ({"render_mode": "XYZ"}, r"render_mode: expected one of 'RGB'.* found 'XYZ'"),
        ({"rasterize_mode": "fast"}, r"rasterize_mode: expected one of"),
        ({"camera_model": "fisheye"}, r"camera_model: expected one of 'pinhole', 'ortho'"),
        ({"tile_size": 7}, r"tile_size: expected one of 4, 8, 16, 32, found 7"),
        ({"sparse_grad": True}, r"sparse_grad: expected it left out"),
        ({"distributed": True}, r"distributed: expected it left out"),
        ({"segmented": True}, r"segmented: expected it left out"),
        ({"with_ut": True}, r"with_ut: expected it left out"),
        ({"radial_coeffs": torch.zeros(2, 6)}, r"radial_coeffs: expected it left out"),
        ({"channel_chunk": 0}, r"channel_chunk: expected a whole number"),
        ({"kernel": 3}, r"kernel: expected a name or a Kernel, found int"),
    ],
)
def test_a_wrong_argument_is_named(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        door.rasterization(**(inputs() | CALL | change))


def test_an_unknown_kernel_and_an_unknown_name() -> None:
    with pytest.raises(UserError, match="expected a kernel among"):
        door.rasterization(**inputs(), **CALL, kernel="gausian")
    with pytest.raises(AttributeError, match=r"it has .*rasterization"):
        _ = door.rasterization_2dgs
    with pytest.raises(ValueError, match="colors: expected 1 to 4 channels with absgrad, found 6"):
        door.rasterization(**inputs(channels=6), **CALL, absgrad=True)


def test_covariances_replace_quats_and_scales() -> None:
    given = inputs()
    plain, _, _ = door.rasterization(**given, **CALL)
    covars, _ = door.quat_scale_to_covar_preci(given["quats"], given["scales"])
    rest = given | {"quats": None, "scales": None}
    other, _, _ = door.rasterization(**rest, **CALL, covars=covars)
    assert float((plain - other).detach().abs().max()) < 2e-3


def test_planes_and_clips_leave_splats_out() -> None:
    given = inputs()
    counts = []
    for change in ({}, {"near_plane": 4.0}, {"far_plane": 4.0}, {"radius_clip": 4.0}):
        _, _, info = door.rasterization(**given, **CALL, packed=False, **change)
        counts.append(int((info["radii"] > 0).all(dim=-1).sum()))
    assert all(fewer < counts[0] for fewer in counts[1:])
    assert counts[1] + counts[2] == counts[0]


def trainable(n: int = 300) -> tuple[dict, dict]:
    generator = torch.Generator().manual_seed(2)
    values = {
        "means": torch.randn(n, 3, generator=generator) + torch.tensor([0, 0, 5.0]),
        "quats": torch.randn(n, 4, generator=generator),
        "scales": torch.full((n, 3), -2.0),
        "opacities": torch.randn(n, generator=generator),
        "colors": torch.rand(n, 3, generator=generator),
    }
    params = {k: torch.nn.Parameter(v) for k, v in values.items()}
    return params, {k: torch.optim.Adam([p], lr=1e-2) for k, p in params.items()}


def step(params: dict, optimizers: dict, strategy, state: dict, number: int, **more) -> None:
    K = torch.tensor([[60.0, 0, 32], [0, 60, 32], [0, 0, 1]])[None]
    drawn, _, info = door.rasterization(
        params["means"],
        params["quats"],
        params["scales"].exp(),
        params["opacities"].sigmoid(),
        params["colors"],
        torch.eye(4)[None],
        K,
        64,
        64,
        packed=False,
        absgrad=True,
    )
    strategy.step_pre_backward(params, optimizers, state, number, info)
    (drawn - 0.5).abs().mean().backward()
    for optimizer in optimizers.values():
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    strategy.step_post_backward(params, optimizers, state, number, info, **more)


@pytest.mark.parametrize("absgrad", [False, True])
def test_gsplats_default_strategy_runs(absgrad: bool) -> None:
    torch.manual_seed(0)
    params, optimizers = trainable()
    strategy = door.DefaultStrategy(
        refine_start_iter=1, refine_every=4, grow_grad2d=1e-7, reset_every=9, absgrad=absgrad
    )
    strategy.check_sanity(params, optimizers)
    state = strategy.initialize_state()
    for number in range(10):
        step(params, optimizers, strategy, state, number)
    assert len(params["means"]) > 300
    assert all(torch.isfinite(p).all() for p in params.values())


@pytest.mark.parametrize("kernel", ["gaussian", "raised-cosine"])
def test_gsplats_mcmc_strategy_runs(kernel: str) -> None:
    torch.manual_seed(0)
    params, optimizers = trainable()
    strategy = door.MCMCStrategy(cap_max=320, refine_start_iter=1, refine_every=3, kernel=kernel)
    strategy.check_sanity(params, optimizers)
    state = strategy.initialize_state()
    with torch.no_grad():
        params["opacities"][:20] = -9.0
    for number in range(8):
        step(params, optimizers, strategy, state, number, lr=1e-4)
    assert len(params["means"]) == 320
    assert float(params["opacities"].sigmoid().min()) > 0.004
    from gsplat.strategy import ops

    assert ops.compute_relocation.__module__.startswith("gsplat"), "what was replaced is put back"


def test_the_example_converges() -> None:
    """docs/gsplat.md prints it; it uses gsplat's names alone."""
    script = ROOT / "docs" / "gsplat_example.py"
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, *_, last = (float(line.split()[-2]) for line in done.stdout.splitlines())
    assert last > first + 8 and last > 24
    assert len(script.read_text().splitlines()) <= 60
    assert script.read_text().strip() in (ROOT / "docs" / "gsplat.md").read_text()
