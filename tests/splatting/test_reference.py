"""The oracle itself: against finite differences, and against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from own_kernel import EVERY

from data.camera import Camera
from splatting import kernels, reference
from splatting.splats import Splats


def small_camera(size: int = 8) -> Camera:
    intrinsics = np.array([[10.0, 0, size / 2], [0, 11.0, size / 2], [0, 0, 1]])
    return Camera(intrinsics, np.eye(4), size, size)


def few(kernel: str, n: int = 4) -> Splats:
    rng = np.random.default_rng(1)
    f32 = np.float32
    return Splats(
        means=(rng.uniform(-0.6, 0.6, (n, 3)) + np.array([0, 0, 3])).astype(f32),
        log_scales=rng.uniform(-1.5, -0.5, (n, 3)).astype(f32),
        quats=rng.normal(size=(n, 4)).astype(f32),
        logit_opacities=rng.uniform(-1, 1, n).astype(f32),
        sh0=rng.normal(size=(n, 3)).astype(f32),
        shN=rng.normal(0, 0.2, (n, 15, 3)).astype(f32),
        kernel=kernels.get(kernel),
    )


@pytest.mark.parametrize("kernel", EVERY)
def test_autograd_agrees_with_finite_differences(kernel: str) -> None:
    splats, camera = few(kernel), small_camera()
    values = reference.parameters(splats)
    weights = torch.tensor(np.random.default_rng(2).normal(size=(8, 8, 5)))

    def loss() -> torch.Tensor:
        picture = reference.render(values, splats.kernel, camera, (0.3, 0.6, 0.9))
        steady = (picture.margin > 1e-3)[..., None]
        outputs = torch.cat(
            [picture.rgb, picture.alpha[..., None], picture.depth[..., None]], dim=2
        )
        return (weights * steady * outputs).sum()

    loss().backward()
    step = 1e-6
    for name, value in values.items():
        exact = value.grad.reshape(-1)
        flat = value.data.view(-1)
        for i in range(0, len(flat), max(1, len(flat) // 12)):
            kept = flat[i].item()
            with torch.no_grad():
                flat[i] = kept + step
                above = loss().item()
                flat[i] = kept - step
                below = loss().item()
                flat[i] = kept
            slope = (above - below) / (2 * step)
            assert slope == pytest.approx(exact[i].item(), rel=1e-4, abs=1e-6), (name, i)


@pytest.mark.parametrize("kernel", EVERY)
def test_one_splat_on_a_pixel_centre_by_hand(kernel: str) -> None:
    """sigma 0.1 at z = 2 with f = 10: 0.5 px, so Sigma2 = psi 0.25 + 0.3 on the diagonal."""
    psi = kernels.get(kernel).psi
    splats = Splats(
        means=np.array([[0.1, 0.1, 2.0]], np.float32),
        log_scales=np.full((1, 3), np.log(0.1), np.float32),
        quats=np.array([[2.0, 0, 0, 0]], np.float32),
        logit_opacities=np.zeros(1, np.float32),
        sh0=np.zeros((1, 3), np.float32),
        shN=np.zeros((1, 0, 3), np.float32),
        kernel=kernels.get(kernel),
    )
    camera = Camera(np.array([[10.0, 0, 4], [0, 10.0, 4], [0, 0, 1]]), np.eye(4), 8, 8)
    picture = reference.render(reference.parameters(splats, False), splats.kernel, camera)
    # the ray is slanted by 0.05, which widens the covariance by 1 + 0.05^2 and shears it by 0.05^2
    c = psi * 0.25
    sigma2 = np.array([[c * 1.0025 + 0.3, c * 0.0025], [c * 0.0025, c * 1.0025 + 0.3]])
    assert picture.alpha[4, 4].item() == pytest.approx(0.5, abs=1e-6)
    q = np.linalg.inv(sigma2)[0, 0]
    f = float(splats.kernel(np.array([q]))[0])
    assert picture.alpha[4, 5].item() == pytest.approx(0.5 * f, abs=1e-5)
    np.testing.assert_allclose(picture.rgb[4, 4].numpy(), 0.25, atol=1e-6)
    assert picture.depth[4, 4].item() == pytest.approx(1.0, abs=1e-6)


def test_a_pixel_ends_before_the_splat_that_would_close_it() -> None:
    """Alphas of 0.95: T is 5e-2, 2.5e-3, 1.25e-4; the fourth would leave 6e-6 and is not drawn."""
    n = 6
    splats = Splats(
        means=np.column_stack([np.zeros(n), np.zeros(n), np.arange(2, 2 + n)]).astype(np.float32),
        log_scales=np.zeros((n, 3), np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)),
        logit_opacities=np.full(n, np.log(19.0), np.float32),
        sh0=np.zeros((n, 3), np.float32),
        shN=np.zeros((n, 0, 3), np.float32),
        kernel=kernels.get("gaussian"),
    )
    camera = Camera(np.array([[10.0, 0, 0.5], [0, 10.0, 0.5], [0, 0, 1]]), np.eye(4), 1, 1)
    picture = reference.render(reference.parameters(splats, False), splats.kernel, camera)
    assert 1 - picture.alpha.item() == pytest.approx(0.05**3, rel=1e-4)
    depth = 2 * 0.95 + 3 * 0.95 * 0.05 + 4 * 0.95 * 0.05**2
    assert picture.depth.item() == pytest.approx(depth, rel=1e-6)
