"""One clip in each tool's layout; also what makes the samples in `data/samples/keypoints`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from data.keypoints import Keypoints2D

SCORER = "darb3d"


def clip(animals: int = 1, frames: int = 6, joints: int = 4, seed: int = 0) -> list[Keypoints2D]:
    """Points with two decimals, some of them missing, of `animals` in the same frames."""
    rng = np.random.default_rng(seed)
    names = tuple(["nose", "neck", "tail", "paw_L", "paw_R"][:joints])
    edges = np.array([(k, k + 1) for k in range(joints - 1)])
    found = []
    for k in range(animals):
        xy = rng.uniform(0, 640, (frames, joints, 2)).round(2)
        xy[1, 2] = xy[4, 0] = np.nan
        trust = rng.uniform(0.2, 1.0, (frames, joints)).round(3)
        found.append(Keypoints2D(xy, trust, names, edges, individual=f"animal{k + 1}"))
    return found


def _cell(value: float) -> str:
    return "" if np.isnan(value) else repr(float(value))


def dlc_csv(path: Path, animals: Sequence[Keypoints2D], labels: str = "") -> None:
    """Predictions; or labels, `one` or `three` columns of a picture's name. Several animals get a
    row of individuals."""
    several = len(animals) > 1
    coords = ["x", "y"] + ([] if labels else ["likelihood"])
    columns = [
        (a, j, c) for a in range(len(animals)) for j in range(len(a_names(animals))) for c in coords
    ]
    pad = [""] * (2 if labels == "three" else 0)
    names = a_names(animals)
    rows = [["scorer", *pad, *[SCORER] * len(columns)]]
    if several:
        rows.append(["individuals", *pad, *[animals[a].individual for a, _, _ in columns]])
    rows.append(["bodyparts", *pad, *[names[j] for _, j, _ in columns]])
    rows.append(["coords", *pad, *[c for _, _, c in columns]])
    for t, frame in enumerate(frames_of(animals)):
        picture = ["labeled-data", "video", f"img{frame:04d}.png"]
        lead = {"": [str(frame)], "one": ["/".join(picture)], "three": picture}[labels]
        cells = [_dlc_cell(animals[a], t, j, c) for a, j, c in columns]
        rows.append([*lead, *cells])
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def a_names(animals: Sequence[Keypoints2D]) -> tuple[str, ...]:
    return animals[0].names


def frames_of(animals: Sequence[Keypoints2D]) -> list[int]:
    return np.asarray(animals[0].frames).tolist()


def _dlc_cell(animal: Keypoints2D, t: int, j: int, coord: str) -> str:
    if coord == "likelihood":
        return _cell(animal.confidence[t, j] if animal.confidence[t, j] else 0.01)
    return _cell(animal.xy[t, j, "xy".index(coord)])


def dlc_h5(path: Path, animals: Sequence[Keypoints2D], labels: str = "") -> None:
    """The same as pandas' fixed layout."""
    from data.pandas_hdf import Frame, write_frame

    coords = ["x", "y", "likelihood"]
    columns = [
        (SCORER, *([a.individual] if len(animals) > 1 else []), name, coord)
        for a in animals
        for name in a.names
        for coord in coords
    ]
    blocks = [np.concatenate([a.xy, a.confidence[..., None]], axis=2) for a in animals]
    values = np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1)
    levels = ("scorer", *(["individuals"] if len(animals) > 1 else []), "bodyparts", "coords")
    index = [("", str(frame)) for frame in frames_of(animals)]
    write_frame(path, Frame(index, columns, values), levels, "df_with_missing")


def sleap_analysis(path: Path, animals: Sequence[Keypoints2D]) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["tracks"] = np.stack([a.xy.transpose(2, 1, 0) for a in animals])
        file["node_names"] = np.array([name.encode() for name in a_names(animals)])
        file["track_names"] = np.array([a.individual.encode() for a in animals])
        file["edge_inds"] = np.asarray(animals[0].edges, np.int32)
        file["point_scores"] = np.stack([a.confidence.T for a in animals])
        file["track_occupancy"] = np.ones((len(animals[0]), len(animals)), np.uint8)


def sleap_slp(path: Path, animals: Sequence[Keypoints2D], version: str = "1.2") -> None:
    """A project whose global list of nodes is in another order than its skeleton's."""
    import h5py

    names = a_names(animals)
    order = list(range(len(names)))[::-1]
    known = [{"name": names[joint], "weight": 1.0} for joint in order]
    reduced = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [1]}]}
    links = [
        {
            "source": order.index(int(a)),
            "target": order.index(int(b)),
            "edge_insert_idx": k,
            "key": 0,
        }
        | {"type": reduced if k == 0 else {"py/id": 1}}
        for k, (a, b) in enumerate(np.asarray(animals[0].edges))
    ]
    symmetry = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [2]}]}
    links.append({"source": 0, "target": 1, "key": 0, "type": symmetry})
    nodes = [{"id": order.index(joint)} for joint in range(len(names))]
    skeleton = {"directed": True, "graph": {"name": "animal"}, "links": links, "nodes": nodes}
    frames, instances, points = [], [], []
    for t, number in enumerate(frames_of(animals)):
        frames.append((t, 0, number, len(instances), len(instances) + len(animals)))
        for k, animal in enumerate(animals):
            start = len(points)
            for joint in range(len(names)):
                x, y = animal.xy[t, joint]
                points.append((x, y, not np.isnan(x), False, animal.confidence[t, joint]))
            instances.append((len(instances), 1, t, 0, k, -1, 0.9, start, len(points)))
    point = "x:f8 y:f8 visible:? complete:?"
    kinds = {
        "frames": "frame_id:u8 video:u4 frame_idx:u8 instance_id_start:u8 instance_id_end:u8",
        "instances": "instance_id:i8 instance_type:u1 frame_id:u8 skeleton:u4 track:i4"
        " from_predicted:i8 score:f4 point_id_start:u8 point_id_end:u8",
        "pred_points": f"{point} score:f8",
        "points": point,
    }
    rows = {"frames": frames, "instances": instances, "pred_points": points, "points": []}
    with h5py.File(path, "w") as file:
        for name, kind in kinds.items():
            fields = [tuple(field.split(":")) for field in kind.split()]
            file[name] = np.array(rows[name], fields)
        group = file.create_group("metadata")
        group.attrs["format_id"] = float(version)
        content = {"version": "2.0.0", "skeletons": [skeleton], "nodes": known}
        group.attrs["json"] = np.bytes_(json.dumps(content))
        tracks = [json.dumps([0, a.individual]).encode() for a in animals]
        file["tracks_json"] = np.array(tracks)
        file["videos_json"] = np.array([json.dumps({"backend": {"filename": "a.mp4"}}).encode()])


def sleap_csv(path: Path, animals: Sequence[Keypoints2D]) -> None:
    header = ["track", "frame_idx", "instance.score"]
    header += [f"{name}.{part}" for name in a_names(animals) for part in ("x", "y", "score")]
    rows = [header]
    for animal in animals:
        for t, number in enumerate(np.asarray(animal.frames).tolist()):
            block = np.concatenate([animal.xy[t], animal.confidence[t][:, None]], axis=1)
            rows.append([animal.individual, str(number), "0.9", *map(_cell, block.ravel())])
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def plain_csv(path: Path, animals: Sequence[Keypoints2D]) -> None:
    animal = animals[0]
    header = ["frame"] + [f"{n}_{part}" for n in animal.names for part in ("x", "y", "confidence")]
    block = np.concatenate([animal.xy, animal.confidence[..., None]], axis=2).reshape(
        len(animal), -1
    )
    rows = [
        [str(number), *map(_cell, row)]
        for number, row in zip(frames_of(animals), block, strict=True)
    ]
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def long_csv(path: Path, animals: Sequence[Keypoints2D]) -> None:
    rows = [["frame", "individual", "name", "x", "y", "score"]]
    for animal in animals:
        for t, number in enumerate(np.asarray(animal.frames).tolist()):
            for joint, name in enumerate(animal.names):
                x, y = animal.xy[t, joint]
                score = _cell(animal.confidence[t, joint])
                rows.append([str(number), animal.individual, name, _cell(x), _cell(y), score])
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def plain_npz(path: Path, animals: Sequence[Keypoints2D]) -> None:
    from data.keypoints_npz import save

    save(path, animals[0])


def coco(path: Path, animals: Sequence[Keypoints2D], first: int = 1) -> None:
    """Joints of the skeleton counted from `first`; visible or absent, nothing between."""
    images, annotations = [], []
    for t, number in enumerate(frames_of(animals)):
        images.append({"id": t + 1, "file_name": f"{number:06d}.jpg", "width": 640, "height": 640})
        for animal in animals:
            seen = ~np.isnan(animal.xy[t]).any(axis=1)
            block = np.concatenate([np.nan_to_num(animal.xy[t]), 2.0 * seen[:, None]], axis=1)
            annotation = {"id": len(annotations) + 1, "image_id": t + 1, "category_id": 1}
            annotation |= {"keypoints": block.ravel().tolist(), "num_keypoints": int(seen.sum())}
            annotations.append(annotation | {"track_id": animal.individual})
    names = list(a_names(animals))
    edges = (np.asarray(animals[0].edges) + first).tolist()
    category = {"id": 1, "name": "animal", "keypoints": names, "skeleton": edges}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    path.write_text(json.dumps(content))


def alphatracker(path: Path, animals: Sequence[Keypoints2D]) -> None:
    """Names, missing points and scores have no place in it."""
    pictures = []
    for t, number in enumerate(frames_of(animals)):
        parts: list[dict] = []
        for animal in animals:
            parts.append({"class": "Face", "x": 0.0, "y": 0.0, "width": 9.0, "height": 9.0})
            xy = np.nan_to_num(animal.xy[t])
            parts += [{"class": "point", "x": float(x), "y": float(y)} for x, y in xy]
        picture = {"class": "image", "filename": f"img{number:03d}.png", "annotations": parts}
        pictures.append(picture)
    path.write_text(json.dumps(pictures))


LAYOUTS: dict[str, tuple[Callable[..., None], bool]] = {
    "dlc.csv": (dlc_csv, True),
    "dlc.h5": (dlc_h5, True),
    "sleap.analysis.h5": (sleap_analysis, True),
    "sleap.slp": (sleap_slp, True),
    "sleap.csv": (sleap_csv, True),
    "long.csv": (long_csv, True),
    "plain.csv": (plain_csv, False),
    "plain.npz": (plain_npz, False),
    "coco.json": (coco, True),
    "alphatracker.json": (alphatracker, True),
}
"""File name, its writer, and whether it can hold several animals."""
