"""Motions to .bvh, .glb and .csv and back: every joint in its place, every bone as long."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from data.errors import UserError
from data.motion import Motion
from data.motion_files import read_motions, write_motions
from data.rig import fit_rig, upright
from data.skeleton import Skeleton
from tests.data.walkers import NAMES, in_order_of, lengths, turn, walker


def distance(read: Motion, written: Motion, truth: np.ndarray | None = None) -> float:
    """Largest distance of a joint in parts of the diagonal."""
    truth = written.xyz if truth is None else truth
    off = np.linalg.norm(in_order_of(read, written) - truth, axis=2)
    return float(off.max() / written.diagonal)


@pytest.mark.parametrize("ending", ["bvh", "glb"])
@pytest.mark.parametrize("rigid", [True, False])
def test_joints_and_lengths_come_back(tmp_path, ending, rigid):
    written = walker(rigid=rigid)
    write_motions(tmp_path / f"a.{ending}", [written])
    (read,) = read_motions(tmp_path / f"a.{ending}")
    assert set(read.skeleton.names) == set(NAMES) and read.fps == 24.0
    assert distance(read, written) < 1e-5
    assert np.ptp(lengths(read), axis=0).max() < 1e-5 * written.diagonal
    bones = {
        frozenset(read.skeleton.names[joint] for joint in edge) for edge in read.skeleton.edges
    }
    assert bones == {frozenset(NAMES[joint] for joint in edge) for edge in written.skeleton.edges}


def test_bones_that_stretch_are_written_at_their_median(tmp_path):
    written = walker()
    rng = np.random.default_rng(0)
    noisy = replace(written, xyz=written.xyz + rng.normal(0, 0.02, written.xyz.shape))
    for ending in ("bvh", "glb"):
        write_motions(tmp_path / f"a.{ending}", [noisy])
        (read,) = read_motions(tmp_path / f"a.{ending}")
        assert np.ptp(lengths(read), axis=0).max() < 1e-4
        assert distance(read, noisy) < 0.02


def independent(path) -> dict[str, np.ndarray]:
    """Another reading of a .bvh: nested lists and products of 4 x 4 matrices, nothing clever."""
    words = path.read_text().split()
    at = [0]

    def take() -> str:
        at[0] += 1
        return words[at[0] - 1]

    def node(kind: str):
        name = take()
        assert take() == "{"
        found = {"kind": kind, "name": name, "children": [], "channels": []}
        while (word := take()) != "}":
            if word == "OFFSET":
                found["offset"] = [float(take()) for _ in range(3)]
            elif word == "CHANNELS":
                found["channels"] = [take() for _ in range(int(take()))]
            else:
                found["children"].append(node(word))
        return found

    assert take() == "HIERARCHY"
    roots = []
    while (word := take()) != "MOTION":
        roots.append(node(word))
    assert take() == "Frames:"
    count = int(take())
    assert (take(), take()) == ("Frame", "Time:")
    take()
    places: dict[str, list] = {}

    def pose(found, above) -> None:
        local = np.eye(4)
        local[:3, 3] = found["offset"]
        for channel in found["channels"]:
            value, step = float(take()), np.eye(4)
            if channel.endswith("position"):
                step["XYZ".index(channel[0]), 3] = value
            else:
                step[:3, :3] = turn("XYZ".index(channel[0]), np.deg2rad([value]))[0]
            local = local @ step
        world = above @ local
        places.setdefault(found["name"], []).append(world[:3, 3])
        for child in found["children"]:
            pose(child, world)

    for _ in range(count):
        for root in roots:
            pose(root, np.eye(4))
    assert at[0] == len(words)
    return {name: np.array(place) for name, place in places.items()}


@pytest.mark.parametrize("rigid", [True, False])
def test_an_independent_reader_finds_the_same_joints_in_a_bvh(tmp_path, rigid):
    written = walker(rigid=rigid)
    write_motions(tmp_path / "a.bvh", [written])
    places = independent(tmp_path / "a.bvh")
    for joint, name in enumerate(NAMES):
        np.testing.assert_allclose(places[name], written.xyz[:, joint], atol=1e-5)


def test_any_order_of_rotations_several_roots_and_end_sites_are_read(tmp_path):
    (tmp_path / "a.bvh").write_text(
        "HIERARCHY\nROOT a b\n{ OFFSET 9 9 9\nCHANNELS 6 Xposition Yposition Zposition "
        "Yrotation Zrotation Xrotation\nJOINT c {\nOFFSET 1 0 0\nCHANNELS 1 zrotation\n"
        "End Site\n{\nOFFSET 0 2 0\n}\n}\n}\nROOT d\n{\nOFFSET 0 0 5\nCHANNELS 0\nEnd Site\n"
        "{\nOFFSET 0 0 0\n}\n}\nMOTION\nFrames: 2\nFrame Time: .0333333\n"
        "0 0 0 0 0 0 0\n1 2 3 90 90 0 90\n"
    )
    (read,) = read_motions(tmp_path / "a.bvh")
    assert read.skeleton.names == ("a b", "c", "c_end", "d") and read.fps == 30.0
    assert read.skeleton.parents.tolist() == [-1, 0, 1, -1]
    np.testing.assert_allclose(read.xyz[0], [(0, 0, 0), (1, 0, 0), (1, 2, 0), (0, 0, 5)])
    # Ry(90) Rz(90) takes x to y; a further Rz(90) takes y to -y, which Ry leaves
    np.testing.assert_allclose(
        read.xyz[1], [(1, 2, 3), (1, 3, 3), (1, 1, 3), (0, 0, 5)], atol=1e-12
    )


def test_up_becomes_y_and_units_become_metres(tmp_path):
    for up in ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (0.6, 0.8, 0.0)):
        written = walker(up=up, units="cm")
        truth = upright(written)
        np.testing.assert_allclose(
            upright(replace(written, xyz=np.tile(up, (2, 8, 1))))[0, 0, 1], 1
        )
        write_motions(tmp_path / "a.glb", [written])
        (read,) = read_motions(tmp_path / "a.glb")
        assert (read.units, read.up) == ("m", (0.0, 1.0, 0.0))
        assert distance(read, written, truth * 0.01) < 1e-5
        write_motions(tmp_path / "a.bvh", [written])
        assert distance(read_motions(tmp_path / "a.bvh")[0], written, truth) < 1e-5


def test_gaps_are_filled_and_joints_that_never_show_are_left_out(tmp_path):
    written = walker()
    xyz = written.xyz.copy()
    xyz[10:12, 5] = np.nan
    xyz[:3, 2] = np.nan
    xyz[:, 4] = np.nan
    gone = replace(written, xyz=xyz)
    for ending in ("bvh", "glb"):
        write_motions(tmp_path / f"a.{ending}", [gone])
        (read,) = read_motions(tmp_path / f"a.{ending}")
        assert "left_hip" not in read.skeleton.names
        parent = read.skeleton.parents[read.skeleton.names.index("left_foot")]
        assert read.skeleton.names[parent] == "hips"
        assert np.isfinite(read.xyz).all()
        there = [read.skeleton.names.index(name) for name in ("hips", "spine", "tail")]
        here = [NAMES.index(name) for name in ("hips", "spine", "tail")]
        np.testing.assert_allclose(read.xyz[:, there], xyz[:, here], atol=1e-4)
    nothing = replace(written, xyz=np.full_like(xyz, np.nan))
    with pytest.raises(UserError, match="joints, found none"):
        write_motions(tmp_path / "a.glb", [nothing])


def test_circles_lone_joints_and_coinciding_joints_can_be_written(tmp_path):
    rng = np.random.default_rng(0)
    xyz = np.repeat(rng.normal(size=(1, 6, 3)), 4, axis=0) + np.arange(4)[:, None, None]
    xyz[:, 3] = xyz[:, 2]
    edges = np.array([(0, 1), (1, 2), (2, 0), (2, 3)])
    written = Motion(xyz, Skeleton(tuple("abcdef"), edges))
    for ending in ("bvh", "glb"):
        write_motions(tmp_path / f"a.{ending}", [written])
        assert distance(read_motions(tmp_path / f"a.{ending}")[0], written) < 1e-5


def test_several_clips_of_one_skeleton_share_a_glb(tmp_path):
    clips = [walker(10, "walk"), walker(25, "trot"), walker(1, "stand")]
    write_motions(tmp_path / "a.glb", clips)
    read = read_motions(tmp_path / "a.glb")
    assert [motion.name for motion in read] == ["walk", "trot", "stand"]
    for motion, written in zip(read, clips, strict=True):
        assert len(motion) == len(written)
        assert distance(motion, written) < 1e-5
    other = Motion(np.zeros((2, 2, 3)), Skeleton(("a", "b"), np.array([(0, 1)])))
    with pytest.raises(UserError, match="one skeleton"):
        write_motions(tmp_path / "a.glb", [clips[0], other])
    with pytest.raises(UserError, match=r"only \.glb holds several"):
        write_motions(tmp_path / "a.bvh", clips)


def test_a_folder_gives_its_clips_by_name_and_other_files_are_named(tmp_path):
    write_motions(tmp_path / "b.bvh", [walker(3)])
    write_motions(tmp_path / "a.npz", [walker(4, "first")])
    (tmp_path / "notes.txt").write_text("")
    assert [motion.name for motion in read_motions(tmp_path)] == ["first", "b"]
    with pytest.raises(UserError, match="another kind of file"):
        read_motions(tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="found none"):
        read_motions(tmp_path / "empty")
    with pytest.raises(UserError, match=r"found \.fbx"):
        write_motions(tmp_path / "a.fbx", [walker(3)])


def test_csv_has_a_row_a_frame_and_empty_cells_for_what_is_unknown(tmp_path):
    motion = replace(
        walker(3),
        confidence=np.full((3, 8), 0.5),
        observed=np.eye(8, dtype=bool)[:3],
        frames=np.array([7, 8, 10]),
    )
    motion.xyz[1, 2] = np.nan
    write_motions(tmp_path / "a.csv", [motion])
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [row["frame"] for row in rows] == ["7", "8", "10"]
    assert [row["hips_observed"] for row in rows] == ["1", "0", "0"]
    assert rows[1]["head_x"] == "" and rows[1]["head_confidence"] == "0.5"
    assert float(rows[2]["tail_z"]) == pytest.approx(motion.xyz[2, 3, 2], abs=1e-5)
    assert float(rows[2]["time_s"]) == pytest.approx(2 / 24)


def test_splines_and_steps_of_other_programs_are_sampled(tmp_path):
    from data.glb import Body, pack

    body = Body()
    keys = body.add(np.array([0.0, 0.5, 2.0]), bounds=True)
    line = np.array([(0, 0, 0), (1, 0, 0), (4, 0, 0)], float)
    # a straight line has its slope as tangents; in and out beside each value
    spline = np.stack([np.full((3, 3), (2.0, 0, 0)), line, np.full((3, 3), (2.0, 0, 0))], 1)
    quarter = np.array([(0, 0, 0, 1), (0, 0, 2**-0.5, 2**-0.5), (0, 0, -(2**-0.5), -(2**-0.5))])
    samplers = [
        {"input": keys, "output": body.add(spline.reshape(9, 3)), "interpolation": "CUBICSPLINE"},
        {"input": keys, "output": body.add(line), "interpolation": "STEP"},
        {"input": keys, "output": body.add(quarter)},
    ]
    targets = [(0, "translation"), (1, "translation"), (0, "rotation")]
    channels = [
        {"sampler": n, "target": {"node": node, "path": path}}
        for n, (node, path) in enumerate(targets)
    ]
    document = {
        "asset": {"version": "2.0"},
        "nodes": [{"children": [1], "name": "a"}, {"name": "b"}],
        "animations": [{"channels": channels, "samplers": samplers}],
        **body.described(),
    }
    (tmp_path / "a.glb").write_bytes(pack(document, b"".join(body.parts)))
    (read,) = read_motions(tmp_path / "a.glb")
    assert read.fps == 30.0 and len(read) == 61 and read.skeleton.names == ("a", "b")
    seconds = np.arange(61) / 30
    last = np.interp(seconds, [0, 0.5, 2], [0, 1, 4])
    smooth = seconds < 0.5
    np.testing.assert_allclose(read.xyz[smooth, 0, 0], last[smooth], atol=1e-6)
    held = np.where(seconds < 0.5, 0.0, np.where(seconds < 2, 1.0, 4.0))
    reach = np.linalg.norm(read.xyz[:, 1] - read.xyz[:, 0], axis=1)
    np.testing.assert_allclose(reach, held, atol=1e-6)
    turned = read.xyz[15:60, 1] - read.xyz[15:60, 0]
    np.testing.assert_allclose(turned, np.tile([(0.0, 1.0, 0.0)], (45, 1)), atol=1e-6)


@pytest.mark.timeout(240)
def test_khronos_validator_finds_no_fault_and_three_js_the_same_joints(
    glb_errors, in_node, tmp_path
):
    clips = [walker(24, "walk"), walker(24, "other", rigid=False)]
    write_motions(tmp_path / "a.glb", clips)
    assert glb_errors(tmp_path / "a.glb") == []
    frames = [0, 5, 11, 17, 23]
    found = json.loads(
        in_node("joints_of_glb.mjs", tmp_path / "a.glb", *(frame / 24 for frame in frames))
    )
    assert found["meshes"] == 1
    for clip, places in zip(clips, found["clips"], strict=True):
        for frame, joints in zip(frames, places, strict=True):
            here = np.array([joints[name] for name in NAMES])
            assert np.abs(here - clip.xyz[frame]).max() < 1e-4 * clip.diagonal


def test_a_rig_adds_nodes_only_where_children_do_not_move_as_one():
    assert set(fit_rig([walker()]).names) == set(NAMES)
    loose = fit_rig([walker(rigid=False)]).names
    assert [name for name in loose if "__" in name] == [
        f"hips__{name}" for name in ("spine", "tail", "left_hip", "right_hip")
    ]
