"""What a run is worth after export: the .ply through our own reader, and through another program's
reader and another renderer's formulas, has the run's PSNR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import data
from splatting import metrics
from splatting.config import TrainConfig
from splatting.export import load_ply, save_ply
from splatting.rasterization import render
from splatting.splats import Splats
from splatting.training import train

SCENE = Path(data.__file__).parent / "samples" / "synth_splats"


@pytest.fixture(scope="module")
def scene() -> data.Scene:
    return data.load_scene(SCENE, 4)


def psnr_of_run(splats: Splats, scene: data.Scene) -> float:
    drawn = [np.clip(render(splats, view.camera).rgb, 0, 1) for view in scene.test]
    pairs = zip(drawn, scene.test, strict=True)
    return float(np.mean([metrics.psnr(picture, view.image()) for picture, view in pairs]))


@pytest.mark.parametrize("kernel", ["gaussian", "raised-cosine"])
def test_the_ply_comes_back_as_the_run(scene: data.Scene, tmp_path: Path, kernel: str) -> None:
    splats = train(scene, TrainConfig(kernel=kernel, steps=200)).splats
    save_ply(tmp_path / "a.ply", splats)
    again = psnr_of_run(load_ply(tmp_path / "a.ply"), scene)
    assert again == pytest.approx(psnr_of_run(splats, scene), abs=0.01)


def test_another_renderer_gives_the_same_psnr(scene: data.Scene, tmp_path: Path) -> None:
    """Read by gsply, projected and coloured by gsplat's own torch code in float64, composited
    pixel by pixel over every splat in depth order."""
    torch = pytest.importorskip("torch", reason="gsplat computes with torch")
    gsplat = pytest.importorskip("gsplat.cuda._torch_impl", reason="gsplat has no wheel here")
    gsply = pytest.importorskip("gsply", reason="the extra 'formats' is not installed")
    run = train(scene, TrainConfig(kernel="gaussian", steps=400)).splats
    save_ply(tmp_path / "run.ply", run)
    file = gsply.plyread(str(tmp_path / "run.ply"))

    def double(array: np.ndarray):
        return torch.from_numpy(np.asarray(array, np.float64))

    sigma, _ = gsplat._quat_scale_to_covar_preci(double(file.quats), double(file.scales).exp())
    opacities = double(file.opacities).reshape(-1).sigmoid()
    count = len(opacities)
    harmonics = [double(file.sh0).reshape(count, 1, 3), double(file.shN).reshape(count, -1, 3)]
    found = []
    for view in scene.test:
        camera = view.camera
        radii, means, depths, conics, _ = gsplat._fully_fused_projection(
            double(file.means),
            sigma,
            double(camera.cam_from_world)[None],
            double(camera.K)[None],
            camera.width,
            camera.height,
        )
        kept = torch.nonzero((radii[0] > 0).all(dim=-1))[:, 0]
        kept = kept[torch.argsort(depths[0, kept])]
        towards = double(file.means)[kept] - double(camera.position_world)
        colours = gsplat._spherical_harmonics(3, towards, torch.cat(harmonics, dim=1)[kept])
        rows, columns = np.mgrid[: camera.height, : camera.width] + 0.5
        pixels = double(np.stack([columns.ravel(), rows.ravel()], axis=1))
        dx, dy = (pixels[:, None] - means[0, kept]).unbind(-1)
        a, b, c = conics[0, kept].unbind(-1)
        falloff = torch.exp(-0.5 * (a * dx**2 + c * dy**2) - b * dx * dy)
        alpha = (opacities[kept] * falloff).clamp(max=0.999)
        alpha = torch.where(alpha < 1 / 255, 0.0, alpha)
        after = torch.cumprod(1 - alpha, dim=1)
        weights = alpha * torch.cat([torch.ones(len(after), 1), after[:, :-1]], dim=1)
        picture = (weights @ (colours + 0.5).clamp(min=0)).clamp(0, 1)
        picture = picture.reshape(camera.height, camera.width, 3).numpy().astype(np.float32)
        found.append(metrics.psnr(picture, view.image()))
    assert float(np.mean(found)) == pytest.approx(psnr_of_run(run, scene), abs=0.05)
