"""What people trip over with other trainers, number by number (docs/input.md): each is right here.

`pytest -m pain` runs these alone. Rows about CUDA, Windows or video memory test what happens
without them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import data
from data import colmap_binary, load_scene
from data.clouds import PointCloud
from data.lens_models import MODELS
from splatting import densification
from splatting.config import TrainConfig
from splatting.evaluation import evaluate
from splatting.export import load_ply, save_ply
from splatting.photos import Photos
from splatting.rasterization import render
from splatting.training import train
from splatting.training_state import initial_state, pack, unpack
from tests.data.model_files import binary_model, photos, small_scene

pytestmark = pytest.mark.pain
ROOT = Path(__file__).parents[1]
SAMPLES = Path(data.__file__).parent / "samples"
NAMES = ["000.png", "001.png", "002.png"]


@pytest.fixture(scope="module")
def room() -> data.Scene:
    """The bundled room, small."""
    return load_scene(SAMPLES / "synth_room", 4)


def with_lens(folder: Path, name: str, params: tuple[float, ...]) -> data.Scene:
    """Three photos of 40 x 30 through a lens."""
    camera = (1, MODELS[name].colmap_id, 40, 30, params)
    binary_model(folder / "sparse/0", NAMES, [camera])
    photos(folder / "images", NAMES)
    return load_scene(folder)


def darb3d(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("name", ["SIMPLE_RADIAL", "OPENCV", "FULL_OPENCV", "FOV"])
def test_pain_01_lenses_that_are_no_pinhole(tmp_path, name):
    focals = (50.0,) * MODELS[name].focals
    bent = (0.05,) + (0.0,) * (MODELS[name].coefficients - 1)
    view = with_lens(tmp_path, name, (*focals, 20.0, 15.0, *bent)).views[0]
    assert view.lens is not None
    assert view.image().shape == (view.camera.height, view.camera.width, 3)


def test_pain_02_radial_lenses_left_by_the_undistorter(tmp_path):
    scene = with_lens(tmp_path, "RADIAL", (50.0, 20.0, 15.0, 0.0, 0.0))
    assert scene.views[0].lens is None and scene.notes[:1] != ("undistorted",)


@pytest.mark.parametrize("name", ["OPENCV_FISHEYE", "RADIAL_FISHEYE", "THIN_PRISM_FISHEYE"])
def test_pain_03_fisheyes(tmp_path, name):
    focals = (30.0,) * MODELS[name].focals
    bent = (0.01,) + (0.0,) * (MODELS[name].coefficients - 1)
    view = with_lens(tmp_path, name, (*focals, 20.0, 15.0, *bent)).views[0]
    assert np.isfinite(view.camera.K).all() and (view.image()[..., 1] > 0).all()


def test_pain_04_photos_undistorted_already(tmp_path):
    with_lens(tmp_path, "SIMPLE_RADIAL", (50.0, 20.0, 15.0, -0.3))
    view = load_scene(tmp_path, undistorted=True).views[0]
    assert view.lens is None and (view.camera.width, view.camera.height) == (40, 30)


def test_pain_05_no_folder_images_4_is_asked_for(tmp_path):
    camera = load_scene(small_scene(tmp_path), data_factor=2).views[0].camera
    assert (camera.width, camera.height) == (20, 15)


def test_pain_06_the_size_of_the_file_counts_not_that_of_the_model(tmp_path):
    small_scene(tmp_path)
    photos(tmp_path / "images", NAMES, size=(27, 20))
    camera = load_scene(tmp_path).views[0].camera
    np.testing.assert_allclose(camera.K[:2, :2].diagonal(), [50 * 27 / 40, 50 * 20 / 30])


def test_pain_07_every_size_and_both_orientations(tmp_path):
    sizes = [(40, 30), (30, 40), (52, 20)]
    cameras = [(i + 1, 1, w, h, (50.0, 50.0, w / 2, h / 2)) for i, (w, h) in enumerate(sizes)]
    binary_model(tmp_path / "sparse/0", NAMES, cameras)
    content = bytearray((tmp_path / "sparse/0/images.bin").read_bytes())
    for number, name in enumerate(NAMES):  # binary_model gives every image the first camera
        place = content.index(name.encode()) - 4
        content[place : place + 4] = (number + 1).to_bytes(4, "little")
    (tmp_path / "sparse/0/images.bin").write_bytes(content)
    for name, size in zip(NAMES, sizes, strict=True):
        photos(tmp_path / "images", [name], size)
    scene = load_scene(tmp_path, train_on_all=True)
    assert [view.image().shape[1::-1] for view in scene.views] == sizes
    assert len(train(scene, TrainConfig(steps=6, sh_degree=0)).splats)


def test_pain_08_names_in_folders_of_other_case_and_ending(tmp_path):
    names = ["Images/A 1.JPG", "Images/sub/b.jpg", "Images/c.jpeg"]
    binary_model(tmp_path / "sparse/0", names)
    photos(tmp_path / "images", ["images/a 1.png", "images/sub/b.png", "images/c.png"])
    assert len(load_scene(tmp_path).views) == 3


def test_pain_09_missing_photos_and_several_models(tmp_path):
    binary_model(tmp_path / "sparse/0", NAMES[:2])
    names = [f"{i:03d}.png" for i in range(9)]
    binary_model(tmp_path / "sparse/1", names)
    photos(tmp_path / "images", names[1:])
    scene = load_scene(tmp_path)
    assert len(scene.views) == 8
    assert any("using sparse/1 with the most images (9)" in note for note in scene.notes)
    assert any("1 of 9 registered photos are not on disk" in note for note in scene.notes)


@pytest.mark.parametrize("place", ["sparse/0", "sparse", "colmap/sparse/0", "dense/0/sparse", "."])
def test_pain_10_every_place_and_a_mark_before_the_text(tmp_path, place):
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    lines = {
        "cameras": ["# Camera list", "1 PINHOLE 40 30 50 50 20 15"],
        "images": [f"{i + 1} 1 0 0 0 -{i} 0 0 1 {name}\r\n" for i, name in enumerate(NAMES)],
        "points3D": ["", "1 0 0 4 1 2 3 0.5", "", "2 1 0 4 1 2 3 0.5"],
    }
    for stem, content in lines.items():
        text = "\r\n".join(content) + "\r\n"
        (folder / f"{stem}.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    photos(tmp_path / ("." if place == "." else "images"), NAMES)
    assert len(load_scene(tmp_path).views) == 3


def test_pain_11_sizes_of_numbers_do_not_follow_the_system():
    """On Windows a C long has four bytes; our layouts name their sizes and order."""
    for layout in (colmap_binary._COUNT, colmap_binary._CAMERA, colmap_binary._IMAGE):
        assert layout.format.startswith("<") and "L" not in layout.format
    assert (colmap_binary._COUNT.size, colmap_binary._IMAGE.size) == (8, 64)


def test_pain_12_rigs_and_frames_of_newer_versions(tmp_path):
    small_scene(tmp_path)
    for name in ("rigs.bin", "frames.bin"):
        (tmp_path / "sparse/0" / name).write_bytes(b"anything")
    assert len(load_scene(tmp_path).views) == 3
    assert MODELS["EUCM"].colmap_id == 16


def test_pain_13_no_points(tmp_path):
    binary_model(tmp_path / "sparse/0", NAMES, points=0)
    photos(tmp_path / "images", NAMES)
    scene = load_scene(tmp_path, train_on_all=True)
    assert len(scene.points) == 20_000 and "no points" in scene.notes[-1]
    assert len(train(scene, TrainConfig(steps=3, sh_degree=0)).splats)


def test_pain_14_points_at_a_lens(room):
    from data.repairs import with_points

    centre = room.train[0].camera.position_world
    dirty = PointCloud(np.concatenate([room.points.xyz, centre[None], centre[None] + 1e-9]))
    clean = with_points(replace(room, points=dirty))
    assert len(clean.points) == len(room.points)


def test_pain_15_coordinates_of_maps(room):
    """Splats of a scene 5,000 km from zero fit as well as those of the same scene at zero."""
    from data.repairs import recentred

    offset = np.array([448_000.0, 5_411_000.0, 120.0])
    views = []
    for view in room.views:
        pose = view.camera.cam_from_world.copy()
        pose[:3, 3] -= pose[:3, :3] @ offset
        views.append(replace(view, camera=replace(view.camera, cam_from_world=pose)))
    points = PointCloud(room.points.xyz + offset, room.points.rgb)
    far = recentred(replace(room, views=tuple(views), points=points))
    config = TrainConfig(steps=120, sh_degree=0)
    scores = [
        evaluate(train(scene, config).splats, scene.test, perceptual=False)["psnr"]
        for scene in (room, far)
    ]
    assert scores[1] == pytest.approx(scores[0], abs=0.5) and any(far.origin_world)


def test_pain_16_one_stray_pose_does_not_set_the_scale(room):
    camera = room.train[0].camera
    pose = camera.cam_from_world.copy()
    pose[:3, 3] += [0, 0, 1e4]
    stray = replace(room.train[0], camera=replace(camera, cam_from_world=pose))
    views = (stray, *room.views)
    many = replace(room, views=tuple(room.views) * 3 + (stray,))
    assert many.radius < 0.5 * 1e4 / len(views)


def test_pain_17_the_ply_lies_where_the_model_lies(room, tmp_path):
    splats = train(room, TrainConfig(steps=30, sh_degree=0)).splats
    save_ply(tmp_path / "a.ply", splats)
    means = load_ply(tmp_path / "a.ply").means
    low, high = np.quantile(room.points.xyz, [0.1, 0.9], axis=0)
    assert ((np.median(means, 0) > low) & (np.median(means, 0) < high)).all()


def test_pain_18_up_is_up_on_the_page(room):
    from app.viewer.cameras import up_direction

    up = up_direction([view.camera for view in room.views])
    assert all(-view.camera.cam_from_world[1, :3] @ up > 0.5 for view in room.views)


def test_pain_19_more_photos_than_memory(room):
    size = room.train[0].camera.width * room.train[0].camera.height * 4
    with Photos(room.train, cache_bytes=2.5 * size) as photos_:
        for index in range(len(photos_)):
            photos_.take(index, 0)
        assert photos_.stay == 2 and len({i for i, _ in photos_._kept}) == 2


def test_pain_20_dense_clouds_and_growth_stay_within_a_cap(room):
    config = TrainConfig(steps=120, max_splats=700, refine_every=10, sh_degree=0)
    counts: list[int] = []
    train(room, config, lambda step, values: counts.append(values["splats"]))
    assert len(room.points) > 700 and max(counts) <= 700


def test_pain_21_faint_endless_and_broken_splats(room):
    """log(255 o) below 1/255, infinite scales, NaN: drawn without harm, then dropped."""
    splats = initial_state(room, TrainConfig(sh_degree=0)).splats
    splats.logit_opacities[:50] = -20
    splats.log_scales[50:60] = np.inf
    splats.means[60:70] = np.nan
    drawn = render(splats, room.train[0].camera)
    assert np.isfinite(drawn.rgb).all() and np.isfinite(drawn.alpha).all()
    assert densification.too_faint(splats, 0.005)[:70].all()


def test_pain_22_a_training_goes_on_where_it_was(room):
    config = TrainConfig(steps=40, sh_degree=0)
    straight = train(room, config).splats
    state = initial_state(room, config)
    train(room, config, lambda step, values: step < 20, state)
    again = train(room, config, state=unpack(*pack(state))).splats
    np.testing.assert_array_equal(again.means, straight.means)


@pytest.mark.parametrize("name", ["000.png", "000.png.png", "000.mask.png"])
def test_pain_23_masks_by_every_name_and_either_colour(tmp_path, name):
    small_scene(tmp_path)
    folder = tmp_path / ("images" if "mask" in name else "masks")
    folder.mkdir(exist_ok=True)
    half = np.zeros((30, 40), np.uint8)
    half[:, 20:] = 255
    Image.fromarray(half).save(folder / name)
    for inverted, expected in ((False, 1), (True, 0)):
        kept = load_scene(tmp_path, invert_masks=inverted).views[0].kept()
        assert kept is not None and kept[0, -1] == expected and kept[0, 0] == 1 - expected


def test_pain_24_alpha_is_a_mask_or_transparency(tmp_path):
    small_scene(tmp_path)
    rgba = np.full((30, 40, 4), 255, np.uint8)
    rgba[:15, :, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "images/001.png")
    clear, mask = (load_scene(tmp_path, alpha=alpha).views[1] for alpha in ("transparent", "mask"))
    assert clear.kept() is None and clear.opacity().mean() == 0.5
    assert mask.kept().mean() == 0.5 and mask.opacity() is None


def test_pain_25_nothing_starts_where_masks_hide(room):
    from data.masks import with_masks

    class Half:
        """A view of the room whose left half is hidden."""

        def __init__(self, view) -> None:
            self.__dict__ |= vars(view) | {"mask_path": Path("mask")}

        def kept(self) -> np.ndarray:
            kept = np.ones((self.camera.height, self.camera.width), np.float32)
            kept[:, : self.camera.width // 2] = 0
            return kept

    def without_points(gone):
        return SimpleNamespace(points=room.points.xyz[~gone], notes=())

    scene = SimpleNamespace(
        train=[Half(view) for view in room.train], points=room.points, notes=(),
        without_points=without_points,
    )  # fmt: skip
    found: list[int] = []
    import data.masks as masks

    original = masks.replace
    masks.replace = lambda scene, **changes: found.append(len(scene.points)) or scene
    try:
        with_masks(scene)  # type: ignore[arg-type]
    finally:
        masks.replace = original
    assert 0 < found[0] < len(room.points)


def test_pain_26_depth_of_the_sparse_points(banana):
    from splatting.sparse_depth import SparseDepth

    scene = load_scene(banana, 8)
    points = SparseDepth.of(scene)
    assert points is not None and all(len(depths) for depths in points.depths)


def test_pain_27_photos_of_changing_exposure(room):
    config = TrainConfig(steps=20, exposure=True, sh_degree=0)
    state = initial_state(room, config)
    train(room, config, state=state)
    assert state.exposure is not None and state.exposure.uses.sum() == 20


def test_pain_28_what_was_scored_is_named(room):
    splats = initial_state(room, TrainConfig(sh_degree=0)).splats
    scores = evaluate(splats, room.test, perceptual=False)
    names = sorted(view.name for view in room.views)[::8]
    assert [image["name"] for image in scores["images"]] == names
    assert not {view.name for view in room.train} & set(names)


def test_pain_29_a_film_without_a_system_ffmpeg(room):
    from splatting.camera_paths import around, through

    cameras = [view.camera for view in room.views]
    assert len(around(cameras, 30)) == len(through(cameras, 30)) == 30
    pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")


def test_pain_30_the_mode_of_drawing_stands_in_the_file(room, tmp_path):
    splats = replace(initial_state(room, TrainConfig(sh_degree=0)).splats, antialiased=True)
    save_ply(tmp_path / "a.ply", splats)
    assert b"comment SplatRenderMode: mip" in (tmp_path / "a.ply").read_bytes()[:400]
    assert load_ply(tmp_path / "a.ply").antialiased


def test_pain_31_small_files_for_the_web():
    from app.commands.export import WRITERS

    assert {".ply", ".compressed.ply", ".splat", ".spz", ".glb"} <= set(WRITERS)


def test_pain_32_no_compiler_and_no_cuda_is_asked_for():
    """Importing the trainer loads neither torch nor gsplat, and pyproject builds nothing."""
    code = (
        "import sys, splatting.training; "
        "print([name for name in ('torch', 'gsplat') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
    assert "ext_modules" not in (ROOT / "pyproject.toml").read_text()


def test_pain_33_it_trains_on_a_cpu(room):
    before = evaluate(initial_state(room, TrainConfig(sh_degree=0)).splats, room.train)["psnr"]
    splats = train(room, TrainConfig(steps=60, sh_degree=0)).splats
    assert evaluate(splats, room.train, perceptual=False)["psnr"] > before + 2


def test_pain_34_memory_is_planned_before_it_runs_out(room):
    """There is no video memory to spill from; what main memory holds is said before training."""
    from app.memory import plan

    found = plan(room, 5_000_000, None, free_bytes=2e9)
    assert found.max_splats < 5_000_000 and "at most" in found.note


def test_pain_35_the_page_needs_a_browser_alone():
    from app.viewer.server import Viewer

    viewer = Viewer("scene", "kernel")
    try:
        assert viewer.address.startswith("http://127.0.0.1:")
    finally:
        viewer.close()


def test_pain_36_crop_and_floaters(tmp_path):
    truth = SAMPLES / "synth_splats" / "gt_splats.ply"
    words = ("--crop-min", -0.5, -0.5, -9, "--crop-max", 0.5, 0.5, 9, "--min-opacity", 0.2)
    done = darb3d("export", truth, "-o", "a.ply", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    kept = load_ply(tmp_path / "a.ply")
    assert 0 < len(kept) < len(load_ply(truth)) and np.abs(kept.means[:, :2]).max() <= 0.5


def test_pain_37_which_device_is_asked_and_said(tmp_path):
    done = darb3d("train", SAMPLES / "banana", "--device", "cuda", cwd=tmp_path)
    assert done.returncode == 2 and "--device: expected cpu, found cuda" in done.stderr
    assert "GPU" in darb3d("doctor", cwd=tmp_path).stdout


def test_pain_38_options_before_and_after_the_scene(tmp_path):
    for words in (("--steps", 0, "nowhere"), ("nowhere", "--steps", 0)):
        done = darb3d("train", *words, cwd=tmp_path)
        assert done.returncode == 2 and "--steps: expected 1 or more" in done.stderr


def test_pain_39_one_camera_a_photo_in_a_flat_folder(tmp_path):
    """As Metashape and RealityScan write it: text, CRLF, no tracks, everything side by side."""
    cameras = "".join(f"{i + 1} PINHOLE 40 30 50 50 20 15\r\n" for i in range(3))
    images = "".join(f"{i + 1} 1 0 0 0 -{i} 0 0 {i + 1} {n}\r\n\r\n" for i, n in enumerate(NAMES))
    points = "".join(f"{i} {i} 0 4 10 20 30 0.1\r\n" for i in range(120))
    for stem, text in (("cameras", cameras), ("images", images), ("points3D", points)):
        (tmp_path / f"{stem}.txt").write_bytes(text.encode())
    photos(tmp_path, NAMES)
    scene = load_scene(tmp_path)
    assert len(scene.views) == 3
    np.testing.assert_array_equal(scene.points.xyz[:120, 0], np.arange(120))


def test_every_pain_has_its_number():
    numbers = [name[10:12] for name in globals() if name.startswith("test_pain_")]
    assert sorted(numbers) == [f"{n:02d}" for n in range(1, 40)]
