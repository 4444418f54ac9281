"""The panels for looking, worked in a real browser: photos, modes, points, up, two runs.

Needs Chromium; without it these tests are skipped, or fail when DARB3D_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from browsing import choose, opened, press, seen, sky, type_number, until

from app import modes
from app.contact_sheet import PAPER, heat
from app.viewer import Viewer
from app.viewer.cameras import camera_from_pose
from app.viewer.photo_split import letterbox
from app.viewer.scene_panel import upwards_of
from app.viewer.versus import Contestant, halves, parts
from data.camera import Camera
from data.clouds import PointCloud
from data.scene import Scene, View
from splatting import ellipsoids, kernels, metrics, render
from splatting.splats import Splats, from_points

K = np.array([[300.0, 0, 130], [0, 310, 170], [0, 0, 1]])
"""Off-centre and not square: what a page's own camera cannot be."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    """Photos of the sky with a square that no render has; every third is held out."""
    import PIL.Image

    folder = tmp_path_factory.mktemp("sky")
    views = []
    for index, angle in enumerate(np.linspace(-0.6, 0.6, 7)):
        c, s = np.cos(angle), np.sin(angle)
        cam_from_world = np.eye(4)
        cam_from_world[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
        cam_from_world[:3, 3] = [0, 0, 4]
        camera = Camera(K, cam_from_world, 320, 300)
        photo = np.rint(sky(None, camera).rgb * 255).astype(np.uint8)
        photo[180:250, 60:290] = (250, 30, 30)
        PIL.Image.fromarray(photo).save(folder / f"{index}.png")
        split = "test" if index % 3 == 0 else "train"
        views.append(View(f"{index}.png", camera, folder / f"{index}.png", split))
    rng = np.random.default_rng(0)
    points = PointCloud(rng.normal(size=(200, 3)), rng.integers(0, 256, (200, 3), np.uint8))
    return Scene("sky", folder, tuple(views), points)


@pytest.fixture(scope="module")
def splats(scene) -> Splats:
    """A few balls of colour where the scene's points are."""
    return from_points(scene.points, kernels.get("raised-cosine"), sh_degree=0, opacity=0.9)


@pytest.fixture(scope="module")
def viewer(scene):
    shown = Viewer("sky", "gaussian", port=0, render=sky, source="runs/sky")
    shown.show_scene(scene)
    shown.show_splats("any")
    yield shown
    shown.close()


@pytest.fixture(scope="module")
def real(scene, splats):
    """The page of splats that the rasteriser draws."""
    shown = Viewer("cloud", "raised-cosine", port=0, source="runs/cloud")
    shown.show_finished(splats, scene)
    yield shown
    shown.close()


@pytest.fixture(scope="module")
def real_page(browser, real):
    with open_page(browser, real) as page:
        yield page


@pytest.fixture(scope="module")
def page(browser, viewer):
    with open_page(browser, viewer) as page:
        yield page


@contextmanager
def open_page(browser, viewer):
    with opened(browser, viewer.address, 1000, 600) as page:
        until(viewer.clients)
        yield page


def view_of(viewer, index: int) -> View:
    """The photo with the number `index` on the page."""
    return viewer._page.views[index]


def nodes(viewer, start: str) -> list:
    """What stands in the scene under names that begin so."""
    known = viewer._server.scene._handle_from_node_name
    return [handle for name, handle in list(known.items()) if name.startswith(start)]


def stands_at(viewer, view: View) -> bool:
    (client,) = viewer.clients().values()
    return bool(np.allclose(client.camera.position, view.camera.position_world, atol=1e-3))


def test_the_slider_brings_one_to_a_photo(viewer, page):
    type_number(page, "photo", 4)
    fourth = view_of(viewer, 3)
    assert until(lambda: stands_at(viewer, fourth))
    page.get_by_text(fourth.name, exact=True).wait_for(timeout=10_000)


def test_photo_render_and_error_are_those_of_the_exact_camera(viewer, page):
    type_number(page, "photo", len(viewer._page.views))
    view = view_of(viewer, len(viewer._page.views) - 1)
    press(page, "compare")
    photo, drawn = view.image(), sky(None, view.camera).rgb.astype(np.float32)
    page.get_by_text(f"PSNR {metrics.psnr(drawn, photo):.2f} dB").wait_for(timeout=20_000)
    page.get_by_text("held out", exact=True).wait_for(timeout=10_000)
    error = heat(np.abs(drawn - photo).mean(axis=2)) / 255

    def distance() -> float:
        image = seen(page)
        left, top, w, h = letterbox(320, 300, image.shape[1], image.shape[0])
        assert left > 0 and top == 0
        rows = slice(h // 3, h)  # labels and notices stand above
        off = []
        for share, picture in ((0.25, photo), (0.5, drawn), (0.8, error)):
            columns = slice(round((share - 0.06) * w), round((share + 0.06) * w))
            fitted = resized(picture, w, h)[rows, columns]
            off.append(
                np.mean(np.abs(image[top : top + h, left : left + w][rows, columns] - fitted))
            )
        off.append(np.mean(np.abs(image[-50:, : left - 4] - np.array(PAPER) / 255)))
        return max(off)

    assert until(lambda: distance() < 0.02), distance()

    # a step aside, and the render is the page's own again
    (client,) = viewer.clients().values()
    client.camera.position = np.asarray(client.camera.position) + 0.3
    assert until(lambda: np.abs(seen(page)[-20:, :20] - np.array(PAPER) / 255).mean() > 0.05)
    press(page, "compare")


def resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    import PIL.Image

    whole = PIL.Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    return np.asarray(whole.resize((width, height), PIL.Image.Resampling.LANCZOS)) / 255


def test_a_click_on_a_camera_with_its_thumbnail_brings_one_there(viewer, page):
    press(page, "cameras")
    frustums = until(lambda: nodes(viewer, "/cameras/"))
    assert until(lambda: len(nodes(viewer, "/cameras/")) == 7)
    assert until(lambda: all(handle.image is not None for handle in nodes(viewer, "/cameras/")))
    assert frustums[0].image.shape == (150, 160, 3)
    # from behind the middle one, on the axis of it
    target, pose = view_of(viewer, 2), viewer._page.poses[2]
    ahead = (pose.look_at - pose.position) / np.linalg.norm(pose.look_at - pose.position)
    (client,) = viewer.clients().values()
    with client.atomic():
        client.camera.position = pose.position - 3.0 * ahead
        client.camera.look_at = pose.position + ahead
    box = page.locator("canvas").first.bounding_box()
    assert until(lambda: not stands_at(viewer, target))

    def click() -> bool:
        page.mouse.click(box["x"] + box["width"] / 2 + 4, box["y"] + box["height"] / 2 + 4)
        return bool(until(lambda: stands_at(viewer, target), 1.0))

    assert until(click)
    page.get_by_text(target.name, exact=True).wait_for(timeout=10_000)


def off(viewer, page, expected) -> float:
    """Mean absolute difference between the right half of the page and what its camera should
    see."""
    image = seen(page)
    (client,) = viewer.clients().values()
    view, size = client.camera, (image.shape[1], image.shape[0])
    camera = camera_from_pose(view.wxyz, view.position, view.fov, *size)
    half = slice(size[0] // 2, None)
    picture = expected(camera)
    if picture.dtype == np.uint8:
        picture = picture / 255
    return float(np.mean(np.abs(image[:, half] - np.clip(picture[:, half], 0, 1))))


def comes_to(viewer, page, expected) -> bool:
    """Wait until the page shows what its camera should see."""
    return bool(until(lambda: off(viewer, page, expected) < 0.02))


def test_each_mode_draws_what_it_says_and_shows_its_command(real, real_page, scene, splats):
    painted = modes.measure(splats, [view.camera for view in scene.train])
    coloured = modes.coloured(splats, painted, modes.contribution_range(painted))
    ways = {
        "depth": ("depth", lambda c: modes.depth(render(splats, c)).rgb),
        "alpha": ("alpha", lambda c: modes.alpha(render(splats, c)).rgb),
        "splats a pixel": ("count", lambda c: modes.count(splats, c).rgb),
        "contribution": ("contribution", lambda c: render(coloured, c).rgb),
        "ellipsoids": ("ellipsoids", lambda c: ellipsoids.draw(splats, c, 0.15).rgb),
    }
    for name, (what, expected) in ways.items():
        choose(real_page, "show", name)
        assert comes_to(real, real_page, expected), name
        command = real_page.get_by_text(f"darb3d render runs/cloud --out film.mp4 --what {what}")
        assert command.is_visible() and real._page.look.what == what
    real._page.edits.select(min_opacity=0.5)
    assert until(lambda: "--min-opacity 0.5" in command.inner_text())
    real._page.edits.select(min_opacity=0.0)
    type_number(real_page, "level", 0.6)
    assert comes_to(real, real_page, lambda c: ellipsoids.draw(splats, c, 0.6).rgb)
    assert real._page.look.level == 0.6
    choose(real_page, "show", "splats a pixel")
    real_page.get_by_text("on average").wait_for(timeout=10_000)
    choose(real_page, "show", "colours")
    assert comes_to(real, real_page, lambda c: render(splats, c).rgb)
    assert not command.is_visible()


def test_points_are_shown_among_the_splats_or_alone_in_the_size_one_chooses(real, real_page, scene):
    choose(real_page, "points", "alone")
    (cloud,) = until(lambda: nodes(real, "/points")) or [None]
    np.testing.assert_allclose(cloud.points, scene.points.xyz, rtol=1e-6)
    paper = np.array(PAPER) / 255

    def painted() -> float:
        """Share of the page, away from its notices, that is not the bare ground."""
        image = seen(real_page)
        half = image[:, image.shape[1] // 2 :]
        return float(np.mean(np.abs(half - paper).max(axis=2) > 0.1))

    assert until(lambda: 0.001 < painted() < 0.3), painted()
    before, size = painted(), cloud.point_size
    type_number(real_page, "size", 3)
    assert until(lambda: painted() > 1.5 * before)
    assert cloud.point_size == 3 * size
    choose(real_page, "points", "among the splats")
    assert until(lambda: painted() > 0.9) and cloud.visible
    choose(real_page, "points", "hidden")
    assert until(lambda: not cloud.visible)
    assert not real._stage.with_depth and not real._stage.takeovers


def test_the_camera_turns_around_the_axis_that_is_chosen_as_up(real, real_page):
    assert until(lambda: stands_at(real, view_of(real, 0)))  # the page has taken its first camera
    (client,) = real.clients().values()
    before = np.asarray(client.camera.position)
    real_page.get_by_text("up is (0.00, -1.00, 0.00)").wait_for(timeout=10_000)
    choose(real_page, "up", "+x")
    real_page.get_by_text("up is (1.00, 0.00, 0.00)").wait_for(timeout=10_000)

    def upright() -> np.ndarray:
        return upwards_of(client.camera.wxyz)

    assert until(lambda: upright()[0] > 0.7)
    np.testing.assert_allclose(client.camera.position, before, atol=1e-3)
    choose(real_page, "up", "as my camera is now")
    was = upright()
    x, y, z = was + 0.0
    real_page.get_by_text(f"up is ({x:.2f}, {y:.2f}, {z:.2f})").wait_for(timeout=10_000)
    np.testing.assert_allclose(upright(), was, atol=1e-2)
    choose(real_page, "up", "as the photos are held")
    assert until(lambda: upright()[1] < -0.7)


def test_two_runs_are_drawn_by_one_camera_side_by_side_and_with_a_wipe(browser, scene, splats):
    other = from_points(scene.points, kernels.get("raised-cosine"), sh_degree=0, opacity=0.2)
    shown = Viewer("a and b", "raised-cosine", port=0)
    a, b = Contestant("a", "runs/a", splats, 30.0), Contestant("b", "runs/b", other, 28.5)
    shown.compare(a, b, scene)

    def both(share=None):
        def expected(camera: Camera) -> np.ndarray:
            two = halves(camera) if share is None else parts(camera, share)
            pictures = [render(one, cut).rgb for one, cut in zip((splats, other), two, strict=True)]
            return np.concatenate(pictures, axis=1)

        return expected

    with closing(shown), open_page(browser, shown) as page:
        assert comes_to(shown, page, both())
        page.get_by_text("darb3d view runs/a runs/b").wait_for(timeout=10_000)
        page.get_by_text("28.50 dB").wait_for(timeout=10_000)
        choose(page, "both", "wipe")
        type_number(page, "wipe", 75)  # three quarters of the first, the rest of the second
        assert comes_to(shown, page, both(0.75))
        choose(page, "both", "b alone")
        assert comes_to(shown, page, lambda camera: render(other, camera).rgb)
        choose(page, "both", "side by side")
        choose(page, "show", "depth")
        page.get_by_text("--what depth").wait_for(timeout=10_000)


@pytest.mark.parametrize("size", [1.0, 2000.0, 0.01])
def test_a_wall_hides_the_points_behind_it_at_any_size_of_scene(browser, scene, size):
    """Red ones stand before the wall and blue ones behind; then the wall moves behind both."""
    views = []
    for view in scene.views:
        pose = view.camera.cam_from_world.copy()
        pose[:3, 3] *= size
        views.append(replace(view, camera=replace(view.camera, cam_from_world=pose)))
    spread = np.random.default_rng(0).uniform(-1, 1, (400, 3)) * [1.0, 1.0, 0.1]
    toward = views[1].camera.position_world / size / 4.0  # of the first photo: where one starts
    across = [spread + toward, spread - toward]
    colours = np.repeat(np.array([[255, 0, 0], [0, 0, 255]], np.uint8), 400, axis=0)
    points = PointCloud(size * np.concatenate(across), colours)
    wall = [4.0]

    def render(_splats, camera):
        shape = camera.height, camera.width
        return SimpleNamespace(
            rgb=np.full((*shape, 3), 0.5),
            alpha=np.ones(shape),
            depth=np.full(shape, size * wall[0]),
        )

    shown = Viewer("wall", "none", port=0, render=render)
    shown.show_scene(replace(scene, views=tuple(views), points=points))
    shown.show_splats("any")

    def seen_of(page, channel: int) -> float:
        image = seen(page)
        half = image[:, image.shape[1] // 2 :]
        return float(np.mean((half[..., channel] > 0.6) & (half[..., 2 - channel] < 0.3)))

    with closing(shown), open_page(browser, shown) as page:
        choose(page, "points", "among the splats")
        type_number(page, "size", 4)
        assert until(lambda: seen_of(page, 0) > 1e-3), "red stands before the wall"
        assert seen_of(page, 2) == 0, "blue stands behind it"
        wall[0] = 8.0
        shown.show_splats("any")
        assert until(lambda: seen_of(page, 2) > 1e-3)
