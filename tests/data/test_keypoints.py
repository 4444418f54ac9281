from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from data.errors import UserError
from data.keypoint_edges import edges_of
from data.keypoints import Keypoints2D, read_keypoints
from data.plain_pickle import plain_values
from data.points3d import read_points3d
from tests.data import keypoint_files as files

SHARED = Path(__file__).parents[3] / "shared/data/keypoints"
"""Beside a checkout in its folder; a worktree has one folder more."""
SAMPLES = (
    next((p for p in (SHARED, SHARED.parents[3] / "shared/data/keypoints") if p.is_dir()), SHARED)
    / "format_samples"
)
needs_h5py = {"h5", "slp"}


def written(tmp_path: Path, layout: str, animals: int) -> tuple[Path, list[Keypoints2D]]:
    writer, several = files.LAYOUTS[layout]
    if layout.rpartition(".")[2] in needs_h5py:
        pytest.importorskip("h5py")
    clip = files.clip(animals if several else 1)
    writer(tmp_path / layout, clip)
    return tmp_path / layout, clip


@pytest.mark.parametrize("animals", [1, 2])
@pytest.mark.parametrize("layout", files.LAYOUTS)
def test_every_layout_gives_back_what_was_written(layout, animals, tmp_path) -> None:
    path, clip = written(tmp_path, layout, animals)
    found = read_keypoints(path)
    assert len(found) == len(clip)
    for animal, truth in zip(found, clip, strict=True):
        if layout == "alphatracker.json":
            np.testing.assert_allclose(animal.xy, np.nan_to_num(truth.xy))
            continue
        assert animal.names == truth.names
        np.testing.assert_allclose(animal.xy, truth.xy, rtol=1e-6)
        np.testing.assert_array_equal(animal.frames, truth.frames)
        if layout != "coco.json":
            seen = truth.confidence > 0
            np.testing.assert_allclose(animal.confidence[seen], truth.confidence[seen], rtol=1e-6)
            assert (animal.confidence[~seen] == 0).all()
        if layout in ("sleap.slp", "sleap.analysis.h5", "coco.json", "plain.npz"):
            np.testing.assert_array_equal(animal.edges, truth.edges)
        if animals > 1 and layout not in ("plain.csv", "plain.npz"):
            assert truth.individual in animal.individual


@pytest.mark.parametrize("labels", ["one", "three"])
@pytest.mark.parametrize("animals", [1, 2])
def test_labels_of_deeplabcut_in_both_layouts(labels, animals, tmp_path) -> None:
    clip = files.clip(animals)
    files.dlc_csv(tmp_path / "CollectedData.csv", clip, labels)
    found = read_keypoints(tmp_path / "CollectedData.csv")
    for animal, truth in zip(found, clip, strict=True):
        np.testing.assert_allclose(animal.xy, truth.xy)
        np.testing.assert_array_equal(animal.frames, np.arange(len(truth)))
        assert set(np.unique(animal.confidence)) == {0.0, 1.0}


def test_labels_of_several_videos_are_several_clips(tmp_path) -> None:
    text = "scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\n"
    text += "labeled-data/a/img1.png,1,2\nlabeled-data/b/img1.png,3,4\n"
    (tmp_path / "a.csv").write_text(text)
    found = read_keypoints(tmp_path / "a.csv")
    assert [(k.clip, k.xy.tolist()) for k in found] == [("a", [[[1, 2]]]), ("b", [[[3, 4]]])]


def test_two_levels_of_headers_and_single(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("bodyparts,nose,nose\ncoords,x,y\n135,1,2\n136,3,4\n")
    (found,) = read_keypoints(tmp_path / "a.csv")
    assert np.asarray(found.frames).tolist() == [135, 136]
    text = "scorer,s,s,s,s\nindividuals,m1,m1,single,single\nbodyparts,nose,nose,box,box\n"
    (tmp_path / "b.csv").write_text(text + "coords,x,y,x,y\n0,1,2,3,4\n")
    assert [k.names for k in read_keypoints(tmp_path / "b.csv")] == [("nose",), ("box",)]


def test_a_skeleton_of_coco_counts_from_one_or_from_zero(tmp_path) -> None:
    for first in (0, 1):
        files.coco(tmp_path / "a.json", files.clip(), first)
        (found,) = read_keypoints(tmp_path / "a.json")
        assert np.asarray(found.edges).tolist() == [[0, 1], [1, 2], [2, 3]]


@pytest.mark.parametrize(("sizes", "tracked"), [(1, False), (2, True), (2, False)])
def test_photos_of_several_sizes_without_tracks_are_no_film(tmp_path, sizes, tracked) -> None:
    path = tmp_path / "a.json"
    files.coco(path, files.clip())
    content = json.loads(path.read_text())
    for k, image in enumerate(content["images"]):
        image["width"] += k % sizes
    for annotation in content["annotations"]:
        if not tracked:
            del annotation["track_id"]
    path.write_text(json.dumps(content))
    (found,) = read_keypoints(path)
    assert found.stills == (sizes == 2 and not tracked)


def test_an_old_project_counts_from_the_corner_and_hands_win(tmp_path) -> None:
    h5py = pytest.importorskip("h5py")
    clip = files.clip(1, frames=6)
    files.sleap_slp(tmp_path / "a.slp", clip, version="1.0")
    with h5py.File(tmp_path / "a.slp", "r+") as file:
        rows = file["instances"][()]
        byhand = np.array([(7.5, 8.5, True, True)] * 4, file["points"].dtype)
        del file["points"], file["instances"], file["frames"]
        file["points"] = byhand
        extra = np.array([(6, 0, 0, 0, 0, 0, 1.0, 0, 4)], rows.dtype)
        file["instances"] = np.concatenate([rows[:1], extra])
        file["frames"] = np.array(
            [(0, 0, 30, 0, 2)],
            [(n, "u8") for n in ("frame_id", "video", "frame_idx")]
            + [("instance_id_start", "u8"), ("instance_id_end", "u8")],
        )
    (found,) = read_keypoints(tmp_path / "a.slp")
    assert found.xy.tolist() == [[[7.0, 8.0]] * 4]
    assert np.asarray(found.frames).tolist() == [30]


def test_pandas_reads_what_we_write_and_we_what_it_writes(tmp_path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    clip = files.clip(2)
    files.dlc_h5(tmp_path / "a.h5", clip)
    table = pandas.read_hdf(tmp_path / "a.h5")
    assert table.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    table.to_hdf(tmp_path / "b.h5", key="df_with_missing", format="table")
    for name in ("a.h5", "b.h5"):
        for found, truth in zip(read_keypoints(tmp_path / name), clip, strict=True):
            np.testing.assert_allclose(found.xy, truth.xy)


BAD = {
    "scorer,s,s\ncoords,x,y\n0,1,2\n": "no bodyparts",
    "scorer,s,s\nbodyparts,nose,nose\n0,1,2\n": "no coords",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x\n0,1,2\n": "found 2 for coords",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x,z\n0,1,2\n": "need no lifting",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x,x\n0,1,2\n": "one column x of nose",
    "scorer,s,s\nbodyparts,nose,tail\ncoords,x,x\n0,1,2\n": "columns x and y of nose",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\n": "found none in any frame",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\n0,,\n": "found none in any frame",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\n0,1,b\n": "a number in row 1",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\n0,1,2,3\n": "3 cells in each row",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\n5,1,2\n4,1,2\n": "found 4 after 5",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\n5,1,2\n5,1,2\n": "individuals",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\nabc,1,2\n": "a number of the frame",
    "scorer,s,s\nbodyparts,nose,nose\ncoords,x,y\n0,1,inf\n": "pixels below",
    "scorer,s,s,s,s,s\nbodyparts,a,a,a,b,b\ncoords,x,y,likelihood,x,y\n0,1,2,3,4,5\n": "none of b",
    "frame,nose_x\n0,1\n": "columns x and y of nose",
    "frame,nose_x,nose_y,nose_z\n0,1,2,3\n": "need no lifting",
    "frame,nose_x,nose_y\n0,1,2\n0,3,4\n": "individuals",
    "name,x,y\nnose,1,2\n": "a column frame",
    "frame,name,x,y\n0,nose,1,2\n0,nose,1,2\n": "found nose of frame 0 twice",
    "height,weight\n1,2\n": "DeepLabCut",
    "": "DeepLabCut",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_tables_are_one_line(text, tmp_path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=BAD[text]) as caught:
        read_keypoints(tmp_path / "a.csv")
    assert "a.csv" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.slp", b"nothing", "HDF5"),
        ("a.h5", b"nothing", "HDF5"),
        ("a.json", b"{", "JSON"),
        ("a.json", b"{}", "DeepLabCut"),
        ("a.json", b'{"annotations": [{}], "images": [], "categories": []}', "COCO"),
        ("a.npz", b"PK", "npz"),
        ("a.mp4", b"", "found .mp4"),
        ("a.csv", b"\xff\xfe\x00", "table of text"),
    ],
)
def test_bad_files_are_one_line(name, content, message, tmp_path) -> None:
    if name.endswith(("slp", "h5")):
        pytest.importorskip("h5py")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_keypoints(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path) -> None:
    with pytest.raises(UserError, match="found none"):
        read_keypoints(tmp_path / "a.csv")
    with pytest.raises(UserError, match="found a folder"):
        read_keypoints(tmp_path)


def test_edges_by_name_by_number_and_from_files(tmp_path) -> None:
    names = ["nose", "mid-back", "tail"]
    assert edges_of("nose-mid-back; mid-back-tail", names).tolist() == [[0, 1], [1, 2]]
    config = "bodyparts: [a]\nskeleton:\n- - nose\n  - tail\n- - 'mid-back'\n  - tail\nother: 1\n"
    (tmp_path / "config.yaml").write_text(config)
    assert edges_of(str(tmp_path / "config.yaml"), names).tolist() == [[0, 2], [1, 2]]
    (tmp_path / "e.json").write_text(json.dumps({"edges": [[0, 1]]}))
    assert edges_of(str(tmp_path / "e.json"), names).tolist() == [[0, 1]]
    (tmp_path / "e.csv").write_text("nose,tail\n")
    assert edges_of(str(tmp_path / "e.csv"), names).tolist() == [[0, 2]]
    for given, message in (
        ("1-2,2-3", "counted from 1"),
        ("nose-ear", "found 'ear'"),
        ("nose", "pairs like"),
        ("nose-nose", "to itself"),
        (str(tmp_path / "no.yaml"), "found none"),
    ):
        with pytest.raises(UserError, match=message):
            edges_of(given, names)


def test_pickles_are_read_without_running_them() -> None:
    columns = [("scorer", "nose", "x"), ("scorer", "nose", "y")]
    for protocol in range(6):
        assert plain_values(pickle.dumps([(1, columns)], protocol)) == [(1, columns)]
    for evil in (Path("/"), print, {"a": 1}, np.float64(1)):
        with pytest.raises(ValueError):
            plain_values(pickle.dumps(evil))
    for broken in (b"", b".", b"a.", b"(lp0\n", b"t.", b"g9\n."):
        with pytest.raises(ValueError):
            plain_values(broken)


def test_points_in_3d_of_anipose_and_of_animated_rigs(tmp_path) -> None:
    parts = ("x", "y", "z", "error", "ncams", "score")
    header = [f"{name}_{part}" for name in ("nose", "tail") for part in parts]
    (tmp_path / "a.csv").write_text(
        ",".join([*header, "M_00", "fnum"]) + "\n1,2,3,0.1,2,0.5,4,5,6,0.1,2,0.7,1,8\n"
    )
    (motion,) = read_points3d(tmp_path / "a.csv")
    assert motion.xyz.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert motion.skeleton.names == ("nose", "tail")
    assert np.asarray(motion.confidence).tolist() == [[0.5, 0.7]]
    assert np.asarray(motion.frames).tolist() == [8]
    np.savez(
        tmp_path / "rig.npz",
        positions=np.arange(45.0).reshape(5, 3, 3),
        parents=np.array([-1, 0, 1]),
        joint_names=np.array(["hip", "knee", "foot"]),
        clip_lengths=np.array([2, 3]),
        clip_names=np.array(["walk", "run"]),
        fps=np.array([30.0, 25.0]),
        up="z",
    )
    walk, run = read_points3d(tmp_path / "rig.npz")
    assert (len(walk), len(run), run.fps, run.up) == (2, 3, 25.0, (0.0, 0.0, 1.0))
    assert run.skeleton.edges.tolist() == [[0, 1], [1, 2]]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real files stand beside the checkout only")
def test_every_real_file_reads() -> None:
    pytest.importorskip("h5py")
    kinds: dict[str, int] = {}
    for path in sorted(SAMPLES.glob("*/*")):
        kinds[path.parent.name] = kinds.get(path.parent.name, 0) + 1
        if path.suffix == ".yaml":
            assert edges_of(str(path), ["A", "B", "C"]).tolist() == [[0, 1], [1, 2], [0, 2]]
        elif path.suffix == ".toml":
            from data.calibration import read_calibration

            assert all(camera.width > 0 for camera in read_calibration(path).values())
        elif path.name == "points3d.h5":
            assert read_points3d(path)[0].xyz.shape == (120, 15, 3)
        else:
            for animal in read_keypoints(path):
                assert np.isfinite(animal.xy).any() and len(animal.names) == animal.xy.shape[1]
    assert kinds == {"alphatracker": 1, "coco": 7, "dlc": 14, "lightning_pose": 5, "sleap": 16}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real files stand beside the checkout only")
def test_two_files_of_one_real_clip_agree() -> None:
    pytest.importorskip("h5py")
    for csv_file in sorted(SAMPLES.glob("dlc/*.csv")):
        other = csv_file.with_suffix(".h5")
        if other.exists():
            for a, b in zip(read_keypoints(csv_file), read_keypoints(other), strict=True):
                np.testing.assert_allclose(a.xy, b.xy)
                assert a.names == b.names and (np.asarray(a.frames) == b.frames).all()
    for project in sorted(SAMPLES.glob("sleap/*_proofread.slp")):
        (a,), (b,) = (
            read_keypoints(p) for p in (project, project.with_name(f"{project.stem}.analysis.h5"))
        )
        np.testing.assert_allclose(a.xy, b.xy)
        assert a.names == b.names and np.array_equal(np.asarray(a.edges), np.asarray(b.edges))


def test_the_bundled_clip_reads_in_every_layout() -> None:
    folder = Path(__file__).parents[2] / "data" / "samples" / "keypoints"
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".h5", ".slp"):
            pytest.importorskip("h5py")
        (found[path.name],) = read_keypoints(path)
    assert {*files.LAYOUTS, "dlc_labels.csv"} == set(found)
    truth = found["plain.npz"]
    assert truth.xy.shape[0] == 48
    for name, animal in found.items():
        if name != "alphatracker.json":  # it has no missing points, and no names
            np.testing.assert_allclose(animal.xy, truth.xy, rtol=1e-5)
            assert animal.names == truth.names
