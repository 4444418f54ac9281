"""Solid ellipsoids: against the quadratic solved in float64, and where the outline is known."""

from __future__ import annotations

import numpy as np
import pytest

from data.camera import Camera
from splatting import ellipsoids, kernels
from splatting.rasterization import render
from splatting.splats import Splats

CAMERA = Camera(np.array([[70.0, 0, 41.5], [0, 75.0, 30], [0, 0, 1]]), np.eye(4), 80, 60)


def cloud(n: int, seed: int, kernel: str = "raised-cosine") -> Splats:
    rng, f32 = np.random.default_rng(seed), np.float32
    z = rng.uniform(2, 6, n)
    return Splats(
        means=np.column_stack([rng.uniform(-0.6, 0.6, (n, 2)) * z[:, None], z]).astype(f32),
        log_scales=rng.uniform(-4, -1, (n, 3)).astype(f32),
        quats=rng.normal(size=(n, 4)).astype(f32),
        logit_opacities=rng.normal(1, 2, n).astype(f32),
        sh0=rng.normal(size=(n, 3)).astype(f32),
        shN=np.zeros((n, 0, 3), f32),
        kernel=kernels.get(kernel),
    )


def rotation(wxyz: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_quat(wxyz.astype(np.float64), scalar_first=True).as_matrix()


def obvious_depth(splats: Splats, half: np.ndarray, camera: Camera) -> np.ndarray:
    """Nearest entry of each pixel's ray, by |S^-1 R^T (z d - m)|^2 = 1; infinite where none."""
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    fx, fy, cx, cy = camera.K[[0, 1, 0, 1], [0, 1, 2, 2]]
    d = np.stack([(x - cx) / fx, (y - cy) / fy, np.ones_like(x)], -1)
    nearest = np.full(x.shape, np.inf)
    for mean, quat, radius in zip(splats.means, splats.quats, half, strict=True):
        if not radius.all():
            continue
        u = rotation(quat).T / radius[:, None].astype(np.float64)
        p, c = d @ u.T, u @ mean.astype(np.float64)
        a, b, rest = (p * p).sum(-1), p @ c, c @ c - 1.0
        e = b * b - a * rest
        z = np.where(e >= 0, (b - np.sqrt(np.maximum(e, 0))) / a, np.inf)
        extent = np.sqrt(np.sum((rotation(quat)[2] * radius) ** 2))
        if mean[2] - extent > 0.01:
            nearest = np.minimum(nearest, z)
    return nearest


@pytest.mark.parametrize("samples", [1, 2])
def test_depth_is_that_of_the_quadratic(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ellipsoids, "SAMPLES", samples)
    splats = cloud(300, 0)
    drawn = ellipsoids.draw(splats, CAMERA, 0.2)
    large = CAMERA.resized(samples * CAMERA.width, samples * CAMERA.height)
    truth = obvious_depth(splats, ellipsoids.radii(splats, 0.2), large)
    hit = np.isfinite(truth)
    size = (CAMERA.height, samples, CAMERA.width, samples)
    share = hit.reshape(size).mean((1, 3))
    depth = np.where(hit, truth, 0.0).reshape(size).mean((1, 3))
    off = np.abs(drawn.alpha - share) > 1e-6
    assert np.mean(off) < 2e-3, "a rim may round to the other side"
    assert 0.2 < share.mean() < 0.95
    np.testing.assert_allclose(drawn.depth[~off], depth[~off], rtol=1e-4)


@pytest.mark.parametrize("kernel", ["gaussian", "half-cosine", "student-t"])
@pytest.mark.parametrize("level", [0.05, 0.4])
def test_a_ball_ends_where_its_paint_falls_to_the_level(kernel: str, level: float) -> None:
    ball = cloud(1, 1, kernel)
    ball.means[:] = [0, 0, 10]
    ball.log_scales[:] = np.log(0.5)
    ball.logit_opacities[:] = np.log(0.8 / 0.2)
    camera = Camera(np.array([[600.0, 0, 100], [0, 600.0, 100], [0, 0, 1]]), np.eye(4), 200, 200)
    painted = render(ball, camera).alpha > level
    solid = ellipsoids.draw(ball, camera, level).alpha > 0.5
    assert solid.sum() == pytest.approx(painted.sum(), rel=0.03)


def test_the_light_comes_over_the_left_shoulder_and_colours_are_the_splats() -> None:
    ball = cloud(1, 2)
    ball.means[:] = [0, 0, 4]
    ball.log_scales[:] = np.log(0.3)
    ball.logit_opacities[:] = 3.0
    ball.sh0[:] = (np.array([1.0, 0.5, 0.0]) - 0.5) / 0.28209479177387814
    drawn = ellipsoids.draw(ball, CAMERA, 0.3)
    rows, columns = np.nonzero(drawn.alpha == 1)
    brightest = np.argmax(drawn.rgb[rows, columns, 0])
    assert rows[brightest] < 30 and columns[brightest] < 41
    peak = drawn.rgb[rows[brightest], columns[brightest]]
    np.testing.assert_allclose(peak, [1.0, 0.5, 0.0], atol=0.02)


def test_faint_splats_and_those_around_the_camera_are_left_out() -> None:
    splats = cloud(2, 3)
    splats.logit_opacities[0] = -4.0
    splats.means[1] = [0, 0, 0.2]
    splats.log_scales[1] = 0.0
    assert ellipsoids.draw(splats, CAMERA, 0.2).alpha.max() == 0
    with pytest.raises(ValueError, match="level"):
        ellipsoids.draw(splats, CAMERA, 1.0)
