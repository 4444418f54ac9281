"""The door against gsplat's formulas in float64: values and gradients of everything, two
cameras."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from own_kernel import QUARTIC
from torch import Tensor
from transcription import composite, covariances, project

from splatting import gsplat_api as door
from splatting import kernels

pytest.importorskip("gsplat", reason="gsplat has no wheel here")

SIZE = (75, 52)
COUNT = 400


def inputs(harmonics: bool = False, channels: int = 3, ortho: bool = False) -> dict[str, Tensor]:
    """COUNT splats in front of two turned cameras, some beside the image."""
    rng = np.random.default_rng(11)
    shape = (COUNT, 16, 3) if harmonics else (COUNT, channels)
    poses = np.tile(np.eye(4), (2, 1, 1))
    for pose in poses:
        turn, _ = np.linalg.qr(np.eye(3) + rng.uniform(-0.25, 0.25, (3, 3)))
        pose[:3, :3] = turn * np.sign(np.diag(turn))
        pose[:3, 3] = rng.uniform(-0.3, 0.3, 3) + np.array([0, 0, 4])
    focal = 14.0 if ortho else 60.0
    values = {
        "means": rng.normal(0, 1.2, (COUNT, 3)),
        "quats": rng.normal(size=(COUNT, 4)),
        "scales": np.exp(rng.uniform(-4.5, -1.2, (COUNT, 3))),
        "opacities": 1 / (1 + np.exp(-rng.normal(-1, 2, COUNT))),
        "colors": rng.normal(0.3, 0.5, shape),
        "viewmats": poses,
        "backgrounds": rng.uniform(size=(2, 3 if harmonics else channels)),
    }
    tensors = {k: torch.tensor(v, dtype=torch.float32).requires_grad_() for k, v in values.items()}
    Ks = torch.tensor([[focal, 0, 36.0], [0, 1.1 * focal, 27.5], [0, 0, 1]])
    return tensors | {"Ks": Ks.repeat(2, 1, 1)}


def exact(
    given: dict[str, Tensor], name: str, mode: str, harmonics: bool, antialiased: bool, ortho: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Images (2, h, w, X), alphas (2, h, w, 1) and margins, by the transcription."""
    from gsplat.cuda import _torch_impl as gsplat

    kernel = kernels.get(name)
    sigma = covariances(given["quats"], given["scales"])
    images = []
    for camera in range(2):
        pose = given["viewmats"][camera]
        view = project(given["means"], sigma, pose, given["Ks"][camera], SIZE, kernel, ortho=ortho)
        colors = given["colors"]
        if harmonics:
            away = given["means"] - torch.inverse(pose)[:3, 3]
            colors = (gsplat._spherical_harmonics(3, away, colors) + 0.5).clamp(min=0)
        seen = (view.depths > 0.01).double()
        opacities = given["opacities"] * seen * (view.compensations if antialiased else 1.0)
        if mode != "RGB":
            depth = view.depths[:, None]
            colors = depth if mode in ("D", "ED") else torch.cat([colors, depth], dim=1)
        image, alpha, margin = composite(view, colors, opacities, SIZE, kernel)
        beside = (1 - alpha[..., None]) * given["backgrounds"][camera]
        if mode == "RGB":
            image = image + beside
        elif mode in ("RGB+D", "RGB+ED"):
            image = torch.cat([image[..., :-1] + beside, image[..., -1:]], dim=-1)
        if mode in ("ED", "RGB+ED"):
            shown = alpha[..., None].clamp(min=1e-10)
            image = torch.cat([image[..., :-1], image[..., -1:] / shown], dim=-1)
        images.append((image, alpha[..., None], margin))
    stacked = tuple(torch.stack(parts) for parts in zip(*images, strict=True))
    return stacked[0], stacked[1], stacked[2]


CASES = {
    "colours": {},
    "harmonics": {"harmonics": True},
    "unpacked": {"packed": False, "harmonics": True},
    "depth": {"mode": "D"},
    "expected depth": {"mode": "ED"},
    "colours and depth": {"mode": "RGB+D"},
    "colours and expected depth": {"mode": "RGB+ED", "packed": False},
    "antialiased": {"antialiased": True},
    "ortho": {"ortho": True},
    "nine channels": {"channels": 9},
    "one channel": {"channels": 1},
    "raised cosine": {"kernel": "raised-cosine"},
    "triangle": {"kernel": "triangle"},
    "one's own": {"kernel": "quartic", "harmonics": True},
    "tiles of 4": {"tile_size": 4},
    "tiles of 8": {"tile_size": 8, "packed": False},
    "tiles of 32": {"tile_size": 32, "channels": 9},
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_all_gradients(case: str) -> None:
    options = CASES[case]
    harmonics, ortho = options.get("harmonics", False), options.get("ortho", False)
    antialiased, mode = options.get("antialiased", False), options.get("mode", "RGB")
    kernel = options.get("kernel", "gaussian")
    given = inputs(harmonics, options.get("channels", 3), ortho)
    image, alpha, _ = door.rasterization(
        **given,
        width=SIZE[0],
        height=SIZE[1],
        sh_degree=3 if harmonics else None,
        render_mode=mode,
        packed=options.get("packed", True),
        rasterize_mode="antialiased" if antialiased else "classic",
        camera_model="ortho" if ortho else "pinhole",
        tile_size=options.get("tile_size", 16),
        kernel=kernel,
    )
    doubles = {k: v.detach().double().requires_grad_() for k, v in given.items()}
    exact_image, exact_alpha, margin = exact(doubles, kernel, mode, harmonics, antialiased, ortho)
    steady = margin > 1e-4
    assert steady.double().mean() > 0.94
    assert image.shape == exact_image.shape and image.dtype == torch.float32
    # depths reach 8
    scale = max(1.0, float(exact_image.detach().abs().max()) / 2)
    assert float((image - exact_image)[steady].abs().max()) < 1e-4 * scale
    assert float((alpha - exact_alpha)[steady].abs().max()) < 1e-4

    rng = np.random.default_rng(5)
    pull = torch.tensor(rng.normal(size=image.shape)) * steady[..., None]
    if mode in ("ED", "RGB+ED"):  # where nothing is drawn, an expected depth is 0 / 0
        pull = pull * (exact_alpha.detach() > 0.05)
    alpha_pull = torch.tensor(rng.normal(size=alpha.shape)) * steady[..., None]
    ((image * pull.float()).sum() + (alpha * alpha_pull.float()).sum()).backward()
    ((exact_image * pull).sum() + (exact_alpha * alpha_pull).sum()).backward()
    for name in ("means", "quats", "scales", "opacities", "colors", "viewmats", "backgrounds"):
        found, wanted = given[name].grad, doubles[name].grad
        if wanted is None or not wanted.any():
            assert found is None or not found.any()
            continue
        if name == "viewmats":  # the last row is not a parameter of a rigid motion
            found, wanted = found[:, :3], wanted[:, :3]
        gap = float((found.double() - wanted).abs().max() / wanted.abs().max())
        assert gap <= 1e-4, f"{name}: {gap:.1e}"


def test_gsplats_own_torch_projection_agrees() -> None:
    """Its float64 torch functions, which stand in for the CUDA ones in its tests."""
    from gsplat.cuda import _torch_impl as gsplat

    given = {name: value.detach() for name, value in inputs().items()}
    covariance, precision = door.quat_scale_to_covar_preci(given["quats"], given["scales"])
    theirs = gsplat._quat_scale_to_covar_preci(given["quats"].double(), given["scales"].double())
    np.testing.assert_allclose(covariance, theirs[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(precision, theirs[1], rtol=1e-5, atol=1e-2)
    upper, none = door.quat_scale_to_covar_preci(
        given["quats"], given["scales"], compute_preci=False, triu=True
    )
    assert none is None
    half = gsplat._quat_scale_to_covar_preci(
        given["quats"].double(), given["scales"].double(), triu=True
    )
    np.testing.assert_allclose(upper, half[0], rtol=1e-5, atol=1e-7)
    for model in ("pinhole", "ortho"):
        ours = door.fully_fused_projection(
            given["means"],
            upper,
            None,
            None,
            given["viewmats"],
            given["Ks"],
            *SIZE,
            calc_compensations=True,
            camera_model=model,
        )
        exactly = gsplat._fully_fused_projection(
            given["means"].double(),
            theirs[0],
            given["viewmats"].double(),
            given["Ks"].double(),
            *SIZE,
            calc_compensations=True,
            camera_model=model,
        )
        drawn = (ours[0] > 0).all(dim=-1)
        assert int(drawn.sum()) > 200
        # a radius is rounded up: one in thousands may land on the other side
        assert int((ours[0] != exactly[0]).sum()) <= 2
        for found, wanted in zip(ours[1:], exactly[1:], strict=True):
            np.testing.assert_allclose(found[drawn], wanted[drawn], rtol=2e-4, atol=2e-5)


def test_tile_lists_agree_with_gsplats() -> None:
    from gsplat.cuda import _torch_impl as gsplat

    given = {name: value.detach() for name, value in inputs().items()}
    for name in ("means", "quats", "scales"):
        given[name] = given[name][:60]
    radii, means2d, depths, _, _ = door.fully_fused_projection(
        given["means"], None, given["quats"], given["scales"], given["viewmats"], given["Ks"], *SIZE
    )
    ours = door.isect_tiles(means2d, radii, depths, 16, 5, 4)
    theirs = gsplat._isect_tiles(means2d, radii, depths, 16, 5, 4)
    for found, wanted in zip(ours, theirs, strict=True):
        assert found.dtype == wanted.dtype and found.shape == wanted.shape
        assert torch.equal(found, wanted)
    offsets = door.isect_offset_encode(ours[1], 2, 5, 4)
    assert torch.equal(offsets, gsplat._isect_offset_encode(theirs[1], 2, 5, 4))
    assert offsets.dtype == torch.int32


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_harmonics_agree_with_gsplats(degree: int) -> None:
    from gsplat.cuda import _torch_impl as gsplat

    rng = torch.Generator().manual_seed(1)
    dirs = torch.randn(50, 3, generator=rng) * 4
    coeffs = torch.randn(50, 16, 3, generator=rng)
    masks = torch.arange(50) % 3 > 0
    ours = door.spherical_harmonics(degree, dirs, coeffs, masks)
    theirs = gsplat._spherical_harmonics(degree, dirs.double(), coeffs.double())
    np.testing.assert_allclose(ours[masks], theirs[masks], rtol=1e-4, atol=1e-5)
    assert not ours[~masks].any()


def test_absgrad_sums_absolute_values_over_pixels() -> None:
    given = inputs()
    plain, _, info = door.rasterization(
        **given, width=SIZE[0], height=SIZE[1], absgrad=True, packed=False
    )
    info["means2d"].retain_grad()
    pull = torch.ones_like(plain)
    (plain * pull).sum().backward()
    absolute, net = info["means2d"].absgrad, info["means2d"].grad
    assert absolute.shape == net.shape == (2, COUNT, 2)
    assert bool((absolute + 1e-5 >= net.abs()).all()) and float(absolute.sum()) > 0
    # one pixel alone: nothing cancels
    given = inputs()
    plain, _, info = door.rasterization(
        **given, width=SIZE[0], height=SIZE[1], absgrad=True, packed=False
    )
    info["means2d"].retain_grad()
    plain[0, 20, 30].sum().backward()
    np.testing.assert_allclose(
        info["means2d"].absgrad, info["means2d"].grad.abs(), rtol=1e-4, atol=1e-6
    )


def test_packed_and_unpacked_are_one_picture() -> None:
    given = inputs(harmonics=True)
    both = [
        door.rasterization(**given, width=SIZE[0], height=SIZE[1], sh_degree=2, packed=packed)
        for packed in (True, False)
    ]
    assert torch.equal(both[0][0], both[1][0]) and torch.equal(both[0][1], both[1][1])


def test_the_same_scene_looks_the_same_through_render() -> None:
    """Constants differ (0.99 and 0.999), nothing else does."""
    from data.camera import Camera
    from splatting.rasterization import render
    from splatting.splats import Splats

    given = {k: v.detach() for k, v in inputs(harmonics=True).items()}
    opacities = given["opacities"].clamp(max=0.95)
    drawn, _, _ = door.rasterization(
        **(given | {"opacities": opacities}),
        width=SIZE[0],
        height=SIZE[1],
        sh_degree=3,
        kernel=QUARTIC,
    )
    splats = Splats(
        means=given["means"].numpy(),
        log_scales=given["scales"].log().numpy(),
        quats=given["quats"].numpy(),
        logit_opacities=torch.logit(opacities).numpy(),
        sh0=given["colors"][:, 0].numpy(),
        shN=given["colors"][:, 1:].numpy(),
        kernel=QUARTIC,
    )
    pose = given["viewmats"][0].double().numpy()
    camera = Camera(given["Ks"][0].double().numpy(), pose, *SIZE)
    expected = render(splats, camera, given["backgrounds"][0].tolist()).rgb
    assert np.quantile(np.abs(drawn[0].numpy() - expected), 0.99) < 1e-4


def test_tile_masks_leave_tiles_to_the_background() -> None:
    given = {k: v.detach() for k, v in inputs().items()}
    _, _, info = door.rasterization(**given, width=SIZE[0], height=SIZE[1], packed=False)
    masks = torch.ones(2, 4, 5, dtype=torch.bool)
    masks[1, 2, 3] = False
    colors = given["colors"][None].expand(2, -1, -1)
    drawn, alphas = door.rasterize_to_pixels(
        info["means2d"],
        info["conics"],
        colors,
        info["opacities"],
        *SIZE,
        16,
        info["isect_offsets"],
        info["flatten_ids"],
        backgrounds=given["backgrounds"],
        masks=masks,
    )
    hidden = (1, slice(32, 48), slice(48, 64))
    assert not alphas[hidden].any()
    assert torch.equal(drawn[hidden], given["backgrounds"][1].expand(16, 16, 3))
    assert bool(alphas[0].any()) and bool(alphas[1, :32].any())
