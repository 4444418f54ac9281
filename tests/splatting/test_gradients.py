"""Every gradient of the CPU back end against the float64 reference, at sizes that cross all
boundaries.

1,000 splats over 6 x 5 tiles with partial tiles at both edges; means exactly on pixel centres,
splats below 1/255, more than 256 splats in one tile, clamped Jacobians and colours, one and two
threads.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from own_kernel import EVERY

from data.camera import Camera
from simd.threads import set_threads
from splatting import kernels, reference
from splatting.cpu import adam, pipeline
from splatting.cpu import spherical_harmonics as sh
from splatting.cpu.screen_planes import CHUNK
from splatting.splats import PARAMETERS, SH_C0, Splats

WIDTH, HEIGHT = 90, 70
FOCAL = 80.0
BACKGROUND = (0.2, 0.5, 0.8)
MASKED_AT_MOST = 0.08
DECISION_MARGIN = 2e-4
"""Pixels closer than this to a threshold may fall on either side in float32."""


def camera() -> Camera:
    rng = np.random.default_rng(9)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    pose[:3, 3] = [0.3, -0.2, 0.5]
    intrinsics = np.array([[FOCAL, 0, 43.0], [0, FOCAL * 1.1, 36.5], [0, 0, 1]])
    return Camera(intrinsics, pose, WIDTH, HEIGHT)


def splats_of(kernel: str, seed: int, n: int = 1000, degree: int = 3) -> Splats:
    rng = np.random.default_rng(seed)
    f32 = np.float32
    view = camera()
    z = rng.uniform(2, 6, n)
    pixel = rng.uniform(-0.2, 1.2, (n, 2)) * [WIDTH, HEIGHT]
    pixel[:300] = rng.uniform([34, 34], [46, 46], (300, 2))  # one crowded tile
    pixel[300:340] = np.floor(pixel[300:340]) + 0.5  # d = 0 at a pixel
    focal, centre = view.K[[0, 1], [0, 1]], view.K[:2, 2]
    cam = np.column_stack([(pixel - centre) / focal * z[:, None], z])
    pose = view.world_from_cam
    sigma_px = np.exp(rng.uniform(np.log(0.4), np.log(7), (n, 3)))
    logits = rng.normal(-1.5, 2, n)
    logits[:300] = rng.normal(-4, 1, 300)  # faint, so that the crowd is not cut short
    logits[340:360] = -7.0  # below 1/255 everywhere
    logits[360:370] = 8.0  # held at 0.99
    return Splats(
        means=(cam @ pose[:3, :3].T + pose[:3, 3]).astype(f32),
        log_scales=np.log(sigma_px * (z / FOCAL)[:, None]).astype(f32),
        quats=(rng.normal(size=(n, 4)) * rng.uniform(0.3, 3, (n, 1))).astype(f32),
        logit_opacities=logits.astype(f32),
        sh0=rng.normal(0, 1.5, (n, 3)).astype(f32),
        shN=rng.normal(0, 0.3, (n, (degree + 1) ** 2 - 1, 3)).astype(f32),
        kernel=kernels.get(kernel),
    )


def compare(splats: Splats, seed: int) -> None:
    view = camera()
    rng = np.random.default_rng(100 + seed)
    values = reference.parameters(splats)
    picture = reference.render(values, splats.kernel, view, BACKGROUND, splats.antialiased)
    steady = (picture.margin > DECISION_MARGIN).numpy()
    assert steady.mean() > 1 - MASKED_AT_MOST
    d_rgb = (rng.normal(size=(HEIGHT, WIDTH, 3)) * steady[..., None]).astype(np.float32)
    d_alpha = (rng.normal(size=(HEIGHT, WIDTH)) * steady).astype(np.float32)
    d_depth = (rng.normal(size=(HEIGHT, WIDTH)) * steady).astype(np.float32)
    loss = sum(
        (torch.from_numpy(g.astype(np.float64)) * out).sum()
        for g, out in ((d_rgb, picture.rgb), (d_alpha, picture.alpha), (d_depth, picture.depth))
    )
    loss.backward()

    work = pipeline.Workspace()
    frame = pipeline.forward(work, splats, view, splats.sh_degree, np.array(BACKGROUND))
    tile_loads = np.diff(frame.tile_start)
    assert tile_loads.max() > 256
    for ours, exact in (
        (frame.rgb, picture.rgb),
        (1 - frame.transmittance, picture.alpha),
        (frame.depth / 6, picture.depth / 6),
    ):
        assert np.abs(ours - exact.detach().numpy())[steady].max() < 2e-4
    gradients = pipeline.backward(work, frame, d_rgb, d_alpha, d_depth)
    for name in PARAMETERS:
        if values[name].numel() == 0:
            continue
        exact = values[name].grad.numpy()
        ours = np.zeros_like(exact)
        ours[gradients.visible] = getattr(gradients, name)
        np.testing.assert_allclose(
            ours, exact, rtol=2e-3, atol=5e-4 * np.abs(exact).max(), err_msg=name
        )
    by_pixel = picture.offsets.grad.numpy()
    exact = np.zeros((len(splats), 4))
    exact[picture.screen.ids] = np.hstack([by_pixel.sum(axis=0), np.abs(by_pixel).sum(axis=0)])
    ours = np.zeros_like(exact)
    ours[gradients.visible] = gradients.screen
    np.testing.assert_allclose(ours, exact, rtol=2e-3, atol=5e-4 * np.abs(exact).max())


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kernel", EVERY)
def test_all_gradients_match_the_reference(kernel: str, seed: int) -> None:
    compare(splats_of(kernel, seed), seed)


@pytest.mark.parametrize("kernel", ["gaussian", "raised-cosine"])
def test_antialiased(kernel: str) -> None:
    compare(replace(splats_of(kernel, 8), antialiased=True), 8)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_lower_degrees_of_colour(degree: int) -> None:
    compare(splats_of("raised-cosine", 7, n=600, degree=degree), 7)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_harmonics_step_by_the_second_moment_of_the_constant(degree: int) -> None:
    """By rate g / sqrt(v), v of the constant colour, at most five rates; of a degree below the
    stored one, too."""
    d_rgb = np.random.default_rng(1).normal(size=(HEIGHT, WIDTH, 3)).astype(np.float32)
    rng = np.random.default_rng(2)
    splats, work, rate, step = splats_of("raised-cosine", 6), pipeline.Workspace(), 0.01, 3000
    second = (1e-6 * rng.uniform(size=splats.sh0.shape)).astype(np.float32)
    before = splats.shN.copy()
    frame = pipeline.forward(work, splats, camera(), degree, np.array(BACKGROUND))
    whole = pipeline.backward(work, frame, d_rgb)
    slopes, constant, visible = whole.shN.copy(), whole.sh0.copy(), whole.visible.copy()
    move = pipeline.HarmonicsStep(second, rate, step)
    assert not pipeline.backward(work, frame, d_rgb, harmonics=move).shN.size
    new = adam.BETA2 * second[visible] + (1 - adam.BETA2) * constant.astype(np.float64) ** 2
    scale = np.sqrt(new / adam.bias(step)[1]) + adam.EPSILON
    # a harmonic's slope is the constant's times what it is worth in constants
    most = np.minimum(1.0, 5.0 / np.maximum(np.abs(constant) / scale, 1e-9))
    expected = before.astype(np.float64)
    expected[visible, : slopes.shape[1]] -= rate * slopes / SH_C0 * (SH_C0 * most / scale)[:, None]
    np.testing.assert_allclose(splats.shN, expected, rtol=1e-5, atol=1e-6)
    assert np.any(splats.shN != before) == (degree > 0) and np.any(most < 1)
    rest = np.setdiff1d(np.arange(len(before)), visible)
    np.testing.assert_array_equal(splats.shN[rest], before[rest])


def test_slopes_of_harmonics_are_on_average_as_large_as_the_constants() -> None:
    """Their squares add up to (2 l + 1) times the constant's in every direction (addition
    theorem): what the step above rests on."""
    planes = np.zeros(sh.SIZE, np.float32)
    directions = np.random.default_rng(0).normal(size=(3, CHUNK))
    directions /= np.linalg.norm(directions, axis=0)
    planes[: 3 * CHUNK] = directions.ravel()
    sh.basis(3, planes, CHUNK)
    squares = planes[sh.BASIS : sh.BASIS + 15 * CHUNK].reshape(15, CHUNK) ** 2
    for first, end in ((0, 3), (3, 8), (8, 15)):
        np.testing.assert_allclose(squares[first:end].mean(axis=0), SH_C0**2, rtol=1e-5)


def test_harmonics_of_a_slope_that_is_no_number_stay() -> None:
    splats, work = splats_of("raised-cosine", 6, n=1000), pipeline.Workspace()
    before, second = splats.shN.copy(), np.ones_like(splats.sh0)
    frame = pipeline.forward(work, splats, camera(), 3, np.array(BACKGROUND))
    d_rgb = np.full((HEIGHT, WIDTH, 3), np.nan, np.float32)
    pipeline.backward(work, frame, d_rgb, harmonics=pipeline.HarmonicsStep(second, 0.1, 1))
    np.testing.assert_array_equal(splats.shN, before)


def test_harmonics_of_any_layout_are_drawn_and_those_of_one_piece_move() -> None:
    splats, work = splats_of("raised-cosine", 6), pipeline.Workspace()
    strided = replace(splats, shN=splats.shN.transpose(0, 2, 1).copy().transpose(0, 2, 1))
    black, d_rgb = np.zeros(3), np.ones((HEIGHT, WIDTH, 3), np.float32)
    plain = pipeline.forward(pipeline.Workspace(), splats, camera(), 3, black)
    frame = pipeline.forward(work, strided, camera(), 3, black)
    np.testing.assert_array_equal(frame.rgb, plain.rgb)
    move = pipeline.HarmonicsStep(np.ones_like(splats.sh0), 0.1, 1)
    with pytest.raises(ValueError, match="one piece"):
        pipeline.backward(work, frame, d_rgb, harmonics=move)


def test_without_the_harmonics_all_other_gradients_are_the_same() -> None:
    splats, view = splats_of("raised-cosine", 6), camera()
    d_rgb = np.random.default_rng(1).normal(size=(HEIGHT, WIDTH, 3)).astype(np.float32)
    found = []
    for harmonics in (True, False):
        work = pipeline.Workspace()
        frame = pipeline.forward(work, splats, view, 3, np.array(BACKGROUND))
        found.append(pipeline.backward(work, frame, d_rgb, harmonics=harmonics))
    whole, bare = found
    assert bare.shN.shape == (len(whole.visible), 0, 3) and whole.shN.any()
    for name in (*PARAMETERS, "screen"):
        if name != "shN":
            np.testing.assert_array_equal(getattr(bare, name), getattr(whole, name), name)


@pytest.mark.parametrize("kernel", EVERY)
def test_one_and_two_threads_agree_bit_for_bit(kernel: str) -> None:
    splats, view = splats_of(kernel, 5), camera()
    d_rgb = np.random.default_rng(0).normal(size=(HEIGHT, WIDTH, 3)).astype(np.float32)
    results = []
    for threads in (1, 2):
        set_threads(threads)
        work = pipeline.Workspace()
        frame = pipeline.forward(work, splats, view, 3, np.array(BACKGROUND))
        gradients = pipeline.backward(work, frame, d_rgb)
        results.append([getattr(gradients, name) for name in (*PARAMETERS, "screen")])
    set_threads(None)
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)
