"""The kernel in the browser's shader: its text, the client it is put into, the fallback."""

from __future__ import annotations

import re
import urllib.request
from dataclasses import replace

import numpy as np
import pytest

from app.viewer import client_build, client_page, splat_shader
from app.viewer.client_build import NotAsExpected, closed, from_base88, opened, to_base88
from app.viewer.falloff_glsl import falloff, number
from splatting import kernels
from splatting.cpu.compositing import MAX_ALPHA
from splatting.cpu.screen_planes import JACOBIAN_MARGIN, LOW_PASS_PX2

ALL = (*kernels.names(), "generalised-exponential:n=1,a=1", "student-t:nu=2")
VISER = "1.1.1"
"""The version whose texts are known; another one needs a look at `splat_shader`."""


def evaluate(glsl: str, q: np.ndarray) -> np.ndarray:
    """What GLSL statements make of `q`, in float32."""
    scope = {"q": q.astype(np.float32), "sqrt": np.sqrt, "where": np.where, "f32": np.float32}
    for name, text in re.findall(r"float (\w) = (.*);", glsl):
        text = re.sub(r"^(.*?) \? (.*) : (.*)$", r"where(\1, \2, \3)", text)
        text = re.sub(r"(?<![\w.])(\d[\d.]*(?:e[-+]\d+)?)", r"f32(\1)", text)
        scope[name] = eval(text, scope)
    return scope["f"]


@pytest.fixture(scope="module")
def quartic():
    kernels.register("quartic-of-tests", lambda q: (1 - q / 9) ** 4, 3.0)
    return "quartic-of-tests"


@pytest.mark.parametrize("name", ALL)
def test_glsl_says_what_the_fast_loops_compute(name):
    kernel = kernels.get(name)
    q = np.linspace(0, kernel.support**2, 2001)
    found = evaluate(falloff(kernel), q)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, kernel.fitted(q, np.float32), atol=2e-6)
    np.testing.assert_allclose(found, kernel(q), atol=2e-3)


def test_a_kernel_of_ones_own_has_its_glsl(quartic):
    kernel = kernels.get(quartic)
    q = np.linspace(0, 9, 101)
    np.testing.assert_allclose(evaluate(falloff(kernel), q), (1 - q / 9) ** 4, atol=1e-3)


def test_numbers_are_read_back_bit_for_bit():
    values = np.random.default_rng(0).normal(size=200).astype(np.float32)
    values = np.concatenate([values * 10.0 ** np.arange(-20, 20).repeat(5), [0, 1, -3, 2.5]])
    for value in values.astype(np.float32):
        text = number(value)
        assert np.float32(text) == value
        assert re.fullmatch(r"-?\d+(\.\d+)?(e[-+]\d+)?", text) and re.search("[.e]", text)


def test_base_88_there_and_back():
    rng = np.random.default_rng(0)
    for length in (0, 1, 2, 3, 4, 5, 1000, 1003):
        data = rng.integers(0, 256, length).astype(np.uint8).tobytes()
        assert from_base88(to_base88(data)) == data
    assert to_base88(b"\x00\x00\x00\x01") == "!!!!#"  # '"' is no letter of it
    assert to_base88(b"\xff\xff\xff\xff") == to_base88(b"\xff" * 5)[:5]
    for wrong in ("!", "!!!!!!", "~~~~~", "!!!!'"):
        with pytest.raises(ValueError, match=r"base 88|four bytes"):
            from_base88(wrong)


def test_the_client_is_opened_and_closed_without_a_change():
    html = client_build.path().read_text()
    build = opened(html)
    assert opened(closed(build)) == build
    assert build.before + build.after == client_build._FRAME.sub("", html)


def test_this_version_of_viser_has_every_text_once():
    import viser

    program = opened(client_build.path().read_text()).program
    for name, (old, _) in splat_shader.changes(kernels.get("gaussian")).items():
        found = program.count(old)
        assert found == 1, (
            f"viser {viser.__version__} (known: {VISER}) has the text for {name} {found} times in "
            "its shader of splats: compare client/src/Splatting/GaussianSplatsHelpers.ts with "
            "app/viewer/splat_shader.py, and change both ends of what differs"
        )
    assert "float B = exp(A) * vRgba.a;" in program  # what all of this is for
    assert viser.__version__ == VISER, "it still fits: write the new version here"


def test_the_shader_has_the_numbers_of_the_rasteriser():
    changes = splat_shader.changes(kernels.get("parabolic"))
    assert changes["projection"][1].count(f"+ {LOW_PASS_PX2};") == 2
    assert f"* vRgba.a, {MAX_ALPHA:.2f})" in changes["falloff"][1]
    assert "B < 1.0 / 255.0" in changes["falloff"][1]
    assert f"-{1 + JACOBIAN_MARGIN:.1f} / projectionMatrixCustom" in changes["Jacobian"][1]
    assert "q > 9.0" in changes["falloff"][1] and "min(1.5 * sqrt" in changes["axes"][1]


def test_a_text_that_is_not_there_once_is_said():
    changes = splat_shader.changes(kernels.get("gaussian"))
    program = "".join(old for old, _ in changes.values())
    assert splat_shader.changed(program, changes) == "".join(new for _, new in changes.values())
    for spoilt, times in ((program.replace("exp(A)", "exp2(A)"), 0), (program * 2, 2)):
        with pytest.raises(NotAsExpected, match=rf"once .* found it {times} times"):
            splat_shader.changed(spoilt, changes)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DARB3D_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pages"


def spoil(monkeypatch, tmp_path, old: str, new: str) -> None:
    """Another client in viser's place."""
    build = opened(client_build.path().read_text())
    assert old in build.program
    path = tmp_path / "viser" / "index.html"
    path.parent.mkdir()
    path.write_text(closed(replace(build, program=build.program.replace(old, new))))
    monkeypatch.setattr(client_build, "path", lambda: path)


def test_a_page_is_made_once_for_each_kernel(cache, monkeypatch):
    gaussian, cone = (kernels.get(name) for name in ("gaussian", "triangle"))
    page = client_page.client_page(gaussian)
    program = opened(page.path.read_text()).program
    assert falloff(gaussian).splitlines()[-1] in program and "exp(A)" not in program
    assert page.note == ""
    monkeypatch.setattr(client_build, "closed", lambda _: pytest.fail("made again"))
    assert client_page.client_page(gaussian) == page
    monkeypatch.undo()
    monkeypatch.setenv("DARB3D_CACHE", str(cache.parent))
    others = {client_page.client_page(cone).path, client_page.client_page(gaussian, True).path}
    assert len(others | {page.path}) == 3
    assert sorted(path.name for path in cache.rglob("*") if path.is_file()) == ["index.html"] * 3


def test_a_client_of_another_kind_is_left_alone_and_gets_gaussians(cache, monkeypatch, tmp_path):
    spoil(monkeypatch, tmp_path, "float B = exp(A)", "float B = exp2(A)")
    page = client_page.client_page(kernels.get("triangle"))
    assert page.path == client_build.path() and not cache.exists()
    assert "Gaussians that come closest" in page.note and "falloff once" in page.note
    splats = some_splats("triangle")
    assert page.can_draw(splats)
    assert page.draws(splats).kernel.name == "gaussian"


def test_a_cache_that_cannot_be_written_is_said(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DARB3D_CACHE", str(tmp_path / "file"))
    page = client_page.client_page(kernels.get("triangle"))
    assert page.changes is None and "could not be kept" in page.note


def test_a_page_draws_its_own_kernel_only(cache):
    page = client_page.client_page(kernels.get("triangle"))
    assert page.can_draw(some_splats("triangle"))
    assert not page.can_draw(some_splats("gaussian"))
    assert not page.can_draw(replace(some_splats("triangle"), antialiased=True))
    assert not page.can_draw(None)


def some_splats(kernel: str):
    from data.clouds import PointCloud
    from splatting.splats import from_points

    return from_points(PointCloud(np.eye(3)), kernels.get(kernel))


def test_viser_serves_the_page_from_its_own_port(cache, monkeypatch):
    import viser
    from viser import infra

    plain = infra.WebsockServer
    page = client_page.client_page(kernels.get("triangle"))
    server, served = client_page.open_with(
        page, lambda: viser.ViserServer("127.0.0.1", 0, verbose=False)
    )
    try:
        assert served == page and infra.WebsockServer is plain
        with urllib.request.urlopen(f"http://127.0.0.1:{server.get_port()}/") as answer:
            assert answer.read() == page.path.read_bytes()
    finally:
        server.stop()
    _, served = client_page.open_with(page, lambda: None)  # a viser that asks nobody
    assert served.changes is None and "no page but its own" in served.note
