"""Readers of scenes, splats and motions on spoilt files; spoilt.py says what they must stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import data
from data import load_scene
from data.clouds import read_cloud
from data.motion_files import read_motions
from data.scene import Scene
from splatting.export import load_ply
from splatting.foreign import load_foreign
from splatting.import_glb import load_glb
from splatting.splats import Splats
from tests.data.model_files import binary_model, photos
from tests.data.spoilt import LIMITED, spoil

SAMPLES = Path(data.__file__).parent / "samples"


def whole_scene(scene: Scene) -> None:
    assert scene.views and np.isfinite(scene.points.xyz).all()
    for view in scene.views:
        camera = view.camera
        assert np.isfinite(camera.K).all() and np.isfinite(camera.cam_from_world).all()
        assert camera.width > 0 and camera.height > 0
        assert view.seen is None or view.seen.max(initial=-1) < len(scene.points)
    assert np.isfinite(scene.radius)


def whole_splats(splats: Splats) -> None:
    for array in splats.arrays().values():
        assert len(array) == len(splats) and np.isfinite(array).all()


def scene_of(tmp: Path, text: bool) -> Path:
    names = ["a.png", "b.png", "c d.png"]
    lenses = [(1, 4, 40, 30, (50.0, 50.0, 20.0, 15.0, -0.1, 0.01, 0.0, 0.0))]
    model = binary_model(tmp / "sparse/0", names, lenses, points=120)
    photos(tmp / "images", names)
    if text:
        from data.colmap import read_model

        read = read_model(model)
        (model / "cameras.txt").write_text("1 OPENCV 40 30 50 50 20 15 -0.1 0.01 0 0\n")
        lines = []
        for image in read.images:
            x = image.cam_from_world[0, 3]
            lines += [f"{image.image_id} 1 0 0 0 {x} 0 0 1 {image.name}", "3.0 4.0 -1"]
        (model / "images.txt").write_text("\n".join(lines) + "\n")
        rows = [f"{i} {x} {y} {z} 1 2 3 0.5 1 0 2 0" for i, (x, y, z) in enumerate(read.points.xyz)]
        (model / "points3D.txt").write_text("\n".join(rows) + "\n")
        for file in model.glob("*.bin"):
            file.unlink()
    return tmp


def nerf_scene(tmp: Path) -> Path:
    names = ["images/a.png", "images/b.png", "images/c.png"]
    photos(tmp, names)
    pose = np.eye(4).tolist()
    frames = [{"file_path": name, "transform_matrix": pose} for name in names]
    content = {"fl_x": 50.0, "w": 40, "h": 30, "k1": 0.01, "frames": frames}
    (tmp / "transforms.json").write_text(json.dumps(content))
    return tmp


def splat_file(tmp: Path) -> Path:
    splats = load_ply(SAMPLES / "synth_splats" / "gt_splats.ply").take(np.arange(40))
    from splatting.export import save_ply

    save_ply(tmp / "a.ply", splats)
    return tmp


def other_file(tmp: Path, name: str) -> Path:
    from splatting.export_glb import save_glb
    from splatting.foreign import save_foreign

    splats = load_ply(splat_file(tmp) / "a.ply")
    if name.endswith(".glb"):
        save_glb(tmp / name, splats)
    else:
        pytest.importorskip("gaussforge", reason="the extra 'formats' is not installed")
        save_foreign(tmp / name, splats)
    return tmp


def motion_file(tmp: Path, name: str) -> Path:
    from data.motion_files import write_motions
    from tests.data.walkers import walker

    write_motions(tmp / name, [walker(8)])
    return tmp


def whole_motions(path: Path) -> None:
    for motion in read_motions(path):
        assert not np.isinf(motion.xyz).any() and motion.fps > 0
        assert sorted(motion.skeleton.order) == list(range(len(motion.skeleton)))


CASES: dict[str, tuple[Callable[[Path], Path], str, bool, Callable[[Path], None]]] = {
    **{
        f"{stem}.{ending}": (
            lambda tmp, text=ending == "txt": scene_of(tmp, text),
            f"sparse/0/{stem}.{ending}",
            ending == "txt",
            lambda folder: whole_scene(load_scene(folder)),
        )
        for stem in ("cameras", "images", "points3D")
        for ending in ("bin", "txt")
    },
    "transforms.json": (
        nerf_scene,
        "transforms.json",
        True,
        lambda folder: whole_scene(load_scene(folder)),
    ),
    "splats.ply": (
        splat_file,
        "a.ply",
        False,
        lambda folder: whole_splats(load_ply(folder / "a.ply")),
    ),
    "splats.glb": (
        lambda tmp: other_file(tmp, "a.glb"),
        "a.glb",
        False,
        lambda folder: whole_splats(load_glb(folder / "a.glb")),
    ),
    "splats.splat": (
        lambda tmp: other_file(tmp, "a.splat"),
        "a.splat",
        False,
        lambda folder: whole_splats(load_foreign(folder / "a.splat")),
    ),
    **{
        f"motion.{ending}": (
            lambda tmp, ending=ending: motion_file(tmp, f"a.{ending}"),
            f"a.{ending}",
            ending == "bvh",
            lambda folder, ending=ending: whole_motions(folder / f"a.{ending}"),
        )
        for ending in ("npz", "bvh", "glb")
    },
    "cloud.ply": (
        splat_file,
        "a.ply",
        False,
        lambda folder: np.testing.assert_(np.isfinite(read_cloud(folder / "a.ply").xyz).all()),
    ),
}


@LIMITED
@pytest.mark.parametrize("name", CASES)
def test_spoilt_files(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DARB3D_CACHE", str(tmp_path / "cache"))
    build, place, text, load = CASES[name]
    folder = build(
        tmp_path if name.startswith(("splats", "cloud", "motion")) else tmp_path / "scene"
    )
    spoil(folder / place, lambda: load(folder), name, text)
