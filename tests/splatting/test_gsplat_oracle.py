"""Our projection of Gaussians against gsplat's: a second pair of eyes on conventions and signs.

gsplat draws on CUDA alone, but carries its projection and harmonics in plain torch as well. What
`splatting/reference.py` and the fast loops could get wrong together, because the same hands wrote
them, this would show.
"""

from __future__ import annotations

import numpy as np
import pytest

from data.camera import Camera
from splatting import kernels
from splatting.cpu import pipeline
from splatting.cpu import screen as s
from splatting.splats import SH_C0, Splats

torch = pytest.importorskip("torch", reason="gsplat computes with torch")
gsplat = pytest.importorskip("gsplat.cuda._torch_impl", reason="gsplat has no wheel here")


def wide_camera() -> Camera:
    """Off-centre and turned, so that no sign or axis can hide."""
    rng = np.random.default_rng(5)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    pose[:3, 3] = [0.2, -0.3, 4.0]
    return Camera(np.array([[90.0, 0, 70], [0, 110.0, 40], [0, 0, 1]]), pose, 130, 90)


def cloud(n: int = 1000) -> Splats:
    """Some in the image, some far outside it where the Jacobian is clamped, some behind."""
    rng = np.random.default_rng(6)
    f32 = np.float32
    return Splats(
        means=rng.normal(0, 3, (n, 3)).astype(f32),
        log_scales=rng.uniform(-4, 0.5, (n, 3)).astype(f32),
        quats=rng.normal(size=(n, 4)).astype(f32),
        logit_opacities=rng.uniform(-3, 3, n).astype(f32),
        sh0=rng.normal(size=(n, 3)).astype(f32),
        shN=rng.normal(0, 0.3, (n, 15, 3)).astype(f32),
        kernel=kernels.get("gaussian"),
    )


def tensor(array: np.ndarray):
    return torch.from_numpy(array.astype(np.float64))


def ours(splats: Splats, degree: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Ids of the drawn splats and their records."""
    background = np.zeros(3, np.float32)
    work = pipeline.Workspace()
    frame = pipeline.forward(work, splats, wide_camera(), degree, background)
    return frame.visible.copy(), frame.records[frame.visible].astype(np.float64)


def theirs(splats: Splats) -> tuple[np.ndarray, ...]:
    """Radii (n, 2), positions (n, 2), depths (n,) and conics (n, 3) from gsplat in float64."""
    camera = wide_camera()
    covariances, _ = gsplat._quat_scale_to_covar_preci(
        tensor(splats.quats), tensor(np.exp(splats.log_scales.astype(np.float64)))
    )
    radii, positions, depths, conics, _ = gsplat._fully_fused_projection(
        tensor(splats.means),
        covariances,
        tensor(camera.cam_from_world)[None],
        tensor(camera.K)[None],
        camera.width,
        camera.height,
    )
    return tuple(found[0].numpy() for found in (radii, positions, depths, conics))


def test_positions_depths_and_conics_agree() -> None:
    splats = cloud()
    visible, records = ours(splats)
    _, positions, depths, conics = (found[visible] for found in theirs(splats))
    assert len(visible) > 100
    found = records[:, [s.X_WHOLE, s.Y_WHOLE]] + records[:, [s.X_PART, s.Y_PART]]
    np.testing.assert_allclose(found, positions, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(records[:, s.DEPTH], depths, rtol=1e-6)
    # B may be a difference of large terms: compared on the scale of its conic
    conics_found = records[:, [s.CONIC_A, s.CONIC_B, s.CONIC_C]]
    scale = np.sqrt(conics[:, [0]] * conics[:, [2]])
    np.testing.assert_allclose(conics_found / scale, conics / scale, rtol=1e-4, atol=1e-6)


def test_some_of_them_are_clamped_and_some_behind() -> None:
    # else the test above would say less than it seems to
    splats, camera = cloud(), wide_camera()
    pose = camera.cam_from_world
    x, _, z = (splats.means @ pose[:3, :3].T + pose[:3, 3]).T
    visible, _ = ours(splats)
    limit = (camera.width - camera.K[0, 2]) / camera.K[0, 0] + 0.15 * camera.width / camera.K[0, 0]
    assert np.count_nonzero(x[visible] / z[visible] > limit) > 5
    assert np.count_nonzero(z < 0) > 50


def test_what_we_draw_gsplat_draws_too() -> None:
    # the reverse need not hold: our extents shrink with the opacity, this version's do not
    splats = cloud()
    visible, _ = ours(splats)
    radii = theirs(splats)[0]
    assert (radii[visible] > 0).all()


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_harmonics_agree(degree: int) -> None:
    splats = cloud()
    visible, records = ours(splats, degree)
    coefficients = np.concatenate([splats.sh0[:, None], splats.shN], axis=1)[visible]
    directions = splats.means[visible] - wide_camera().position_world
    colours = gsplat._spherical_harmonics(degree, tensor(directions), tensor(coefficients)).numpy()
    expected = np.maximum(colours + 0.5, 0)
    np.testing.assert_allclose(records[:, [s.RED, s.GREEN, s.BLUE]], expected, atol=2e-5)


def test_the_constant_is_the_same_number() -> None:
    assert pytest.approx(float(gsplat._eval_sh_bases_fast(1, torch.zeros(1, 3)))) == SH_C0
