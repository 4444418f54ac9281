"""The command that a panel shows is one that the command line reads back as it was meant."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tyro
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

import data
from app import training_run
from app.commands import export, render
from app.runs import RunConfig, RunFolder
from app.viewer import twin
from app.viewer.edits import Edits
from app.viewer.page import Page
from app.viewer.stage import Stage
from data.clouds import PointCloud
from splatting import kernels
from splatting.selection import Selection, kept
from splatting.splats import Splats, from_points

finite = st.floats(allow_nan=False, allow_infinity=False)
corners = st.none() | st.tuples(finite, finite, finite)
names = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="/\\\x7f"), min_size=1
).filter(lambda name: name.strip(".") != "")


def some_splats(n: int = 200, seed: int = 0) -> Splats:
    rng = np.random.default_rng(seed)
    cloud = PointCloud(rng.normal(size=(n, 3)), rng.integers(0, 256, (n, 3)).astype(np.uint8))
    return from_points(cloud, kernels.get("gaussian"), opacity=0.6)


def read_back(line: str):
    """What the command line makes of a line typed in a shell."""
    program, name, *words = shlex.split(line)
    assert program == "darb3d"
    command = {"export": export.Command, "render": render.Command}[name]
    return tyro.cli(command, args=words, config=(tyro.conf.FlagCreatePairsOff,))


@settings(max_examples=30, deadline=None)
@given(names, corners, corners, st.floats(0, 0.99), st.none() | finite, st.floats(0, 1), finite)
def test_any_export_is_read_back_as_it_was(name, low, high, faint, large, floaters, scale):
    selection = Selection(low, high, faint, large, floaters)
    command = export.Command(
        Path(name), Path(f"{name}.ply"), bake_gaussian=True, selection=selection, scale=scale
    )
    again = read_back(twin.line(command))
    assert again.selection == selection and again.scale == scale and again.bake_gaussian
    assert Path(again.run_or_ply) == Path(name) or str(again.run_or_ply) == f"./{name}"


def test_a_render_is_read_back_too():
    command = render.Command(
        Path("my run"), Path("film.mp4"), path="camera path.json", fps=24.0, background=(1, 0, 0.5)
    )
    assert read_back(twin.line(command)) == command
    assert twin.line(render.Command(Path("a"), Path("b"))) == "darb3d render a --out b"


def test_the_twin_of_the_page_keeps_the_splats_that_the_page_shows():
    splats = some_splats()
    stage = Stage(lambda *_: None)
    page = Page(SimpleNamespace(), stage, lambda: None, source="runs/a b", scene_option="s c")
    stage.put(splats)
    page.edits.set_floater_scores(splats, np.linspace(0, 1, len(splats)))
    page.edits.select(crop_min=(-1.5, -1e-05, -0.7), crop_max=(1.0, 2.0, 3.0), min_opacity=0.1)
    page.edits.select(max_size=0.31, drop_floaters=0.35)
    page.edits.set_scale(2.54)
    again = read_back(twin.line(twin.export_command(page)))
    assert (again.run_or_ply, again.scene, again.scale) == (Path("runs/a b"), Path("s c"), 2.54)
    keep = kept(splats, again.selection, page.edits.floater_scores(splats))
    assert 0 < keep.sum() < len(splats)
    np.testing.assert_array_equal(stage.splats.means, splats.means[keep])


def test_what_is_shown_is_text():
    command = export.Command(Path("<img src=x>"), Path("a.ply"))
    shown = twin.panel_html(command)
    assert "<img" not in shown and "&lt;img src=x&gt;" in shown


def test_edits_of_other_splats_leave_their_floaters_alone():
    one, other = some_splats(50), some_splats(50, seed=1)
    stage = Stage(lambda *_: None)
    edits, woken, told = Edits(stage, lambda: woken.append(1)), [], []
    edits.on_change(lambda: told.append(1))
    stage.put(one)
    edits.set_floater_scores(one, np.ones(50))
    edits.select(drop_floaters=0.5)
    assert len(stage.splats) == 0 and woken and told
    stage.put(other)
    assert len(stage.splats) == 50
    edits.select(drop_floaters=0.0)
    assert stage.splats is other


@pytest.mark.parametrize("value", [0.1 + 0.2, -1e-300, 1e22, np.float64(0.3)])
def test_numbers_are_written_whole(value):
    command = export.Command(Path("a"), Path("b"), scale=value)
    assert read_back(twin.line(command)).scale == value


def test_the_page_of_a_training_names_its_run(banana, tmp_path):
    run = RunFolder(tmp_path / "runs" / "banana-gaussian-1")
    config = RunConfig(str(banana), "gaussian", 8, None, 1, 0, False, 1000, None)
    console = Console(quiet=True)
    scene = data.load_scene(banana, 8)
    viewer = training_run.open_viewer(scene, config, run, "127.0.0.1", 0, console)
    try:
        words = shlex.split(twin.line(twin.export_command(viewer._page)))
        assert words[2:] == [str(run.path), "--out", "banana-gaussian-1.ply"]
    finally:
        viewer.close()
