"""Lifting on the protocol of docs/lifting.md: baselines, and a lifter's weights.

    python -m benchmarks.lifting --shared FOLDER [--weights FILE] [--single FILE] [--cells NAME ...]
    python -m benchmarks.lifting --table

FOLDER holds data/keypoints/synthetic/ and real/, which cannot be bundled. One JSON a cell in
`benchmarks/results/lifting/`; a cell that stands is skipped, so the queue may be stopped anywhere.
Cells of baselines need no weights. --single names a lifter that learnt from single frames
(--fit.frames 1) and is shown one picture at a time, as that of --weights is, too, in the cell
unseen-one-by-one. Errors are % of the diagonal of each frame's box, means over rigs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from benchmarks.lifting_real import adapted_to_the_rat, mouse_clips, rat_clips
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from lifting.baselines import BASELINES, Retrieval, filled
from lifting.cameras import ViewConfig, random_view
from lifting.clips import RigClips, load_rigs
from lifting.evaluation import Lift, Lifted, evaluate, lifter_as_lift, summary
from lifting.lifter_files import load_lifter
from lifting.prediction import FRAME_BY_FRAME, WindowConfig
from lifting.protocol import (
    TestClip,
    bootstrap_over_rigs,
    held_out_clips,
    split,
    still_camera_clips,
    without_edges,
    without_names,
)

SEED = 2412
GOALS = {"unseen-lifter": 4.5, "seen-lifter": 2.0, "rat-lifter": 9.0, "mouse-lifter": 9.0}
STEEP = {"level": (0.0, 0.0), "30": (0.0, 0.52), "60": (0.52, 1.05), "top": (1.05, 1.57)}
SUBSETS = {"17-15": (17, 15), "15-17": (15, 17), "25-40": (25, 40)}


@dataclass(frozen=True)
class Given:
    """What the cells are measured on and with."""

    shared: Path
    weights: Path | None
    single: Path | None
    step: int
    """Every so many clips."""

    def rigs(self) -> list[RigClips]:
        return load_rigs(self.shared / "data/keypoints/synthetic")

    @property
    def real(self) -> Path:
        return self.shared / "data/keypoints/real"

    def rat(self, inferred: bool = False) -> list[TestClip]:
        return rat_clips(self.real, SEED, inferred=inferred)[:: self.step]

    def mouse(self, inferred: bool = False) -> list[TestClip]:
        return mouse_clips(self.real, SEED, inferred)[:: self.step]

    def required(self) -> Path:
        assert self.weights is not None
        return self.weights

    def lifter(self, windows: WindowConfig = WindowConfig()) -> Lift:  # noqa: B008
        return lifter_as_lift(load_lifter(self.required()).model, windows)

    def unseen(self, elevation: tuple[float, float] = (0.0, 0.0)) -> list[TestClip]:
        clips = still_camera_clips(split(self.rigs(), "unseen"), SEED, 2, elevation)
        return clips[:: self.step]


def by_baseline(name: str) -> Lift:
    return lambda clip, xy: Lifted(BASELINES[name](filled(xy)))


def scored(lift: Lift, clips: list[TestClip], hidden: float = 0.0) -> dict[str, Any]:
    """Means, the interval of the first by bootstrap over rigs, and the mean of each rig."""
    rows = evaluate(lift, clips, hidden, SEED)
    values, names = [100 * row["fa_mpjpe"] for row in rows], [row["rig"] for row in rows]
    found: dict[str, Any] = {n: round(v, 4) for n, v in summary(rows).items() if "uns" not in n}
    low, high = bootstrap_over_rigs(values, names, np.random.default_rng(SEED))
    found |= {"clips": len(rows), "fa_95": [round(low, 3), round(high, 3)]}
    by_rig: dict[str, list[float]] = {}
    for value, name in zip(values, names, strict=True):
        by_rig.setdefault(name, []).append(value)
    return found | {"by_rig": {name: round(float(np.mean(v)), 3) for name, v in by_rig.items()}}


def seen(given: Given, lift: Lift | None) -> dict[str, Any]:
    """Held-out clips of rigs that were trained on; without a lifter the nearest pose of the rig's
    other clips, four views of each."""
    rigs = split(given.rigs(), "train")
    clips_of = held_out_clips(rigs)
    held = {name: clips for name, (_, clips) in clips_of.items()}
    clips = still_camera_clips(rigs, SEED, 1, clips=held)[:: given.step]
    if lift is not None:
        return scored(lift, clips)
    remembered: dict[str, Retrieval] = {}
    rng = np.random.default_rng(SEED)
    for rig in rigs:
        if any(clip.rig == rig.name for clip in clips):
            level = ViewConfig(elevation_rad=(0.0, 0.0), roll_rad=0.0, any_roll=0, follows=0)
            views = [
                random_view(rig.clips[k].xyz, np.array(rig.clips[k].up), rng, level)
                for k in clips_of[rig.name][0]
                for _ in range(4)
            ]
            remembered[rig.name] = Retrieval(views)
    return scored(lambda clip, xy: Lifted(remembered[clip.rig](xy)), clips)


def subset(given: Given, lift: Lift, before: int, after: int) -> dict[str, Any]:
    """The error on the joints that two sets of one animal share, when it is lifted with either."""
    rng = np.random.default_rng(SEED)
    first, second = [], []
    for clip in given.unseen():
        joints = clip.truth.shape[1]
        if joints < max(before, after):
            continue
        order = rng.permutation(joints)
        for count, rows in ((before, first), (after, second)):
            rows.append(_only(clip, np.sort(order[:count]), rng))
    one, two = scored(lift, first), scored(lift, second)
    return {"before": one["fa_mpjpe"], "after": two["fa_mpjpe"], "clips": len(first)}


def _only(clip: TestClip, kept: np.ndarray, rng: np.random.Generator) -> TestClip:
    from lifting.augment import contracted

    edges = contracted(clip.edges, clip.truth.shape[1], kept, rng)
    view = replace(clip.view, xy=clip.view.xy[:, kept], xyz_cam=clip.view.xyz_cam[:, kept])
    truth, symmetry = clip.truth[:, kept], clip.symmetry.of(kept)
    return replace(clip, view=view, truth=truth, edges=edges, symmetry=symmetry)


def speed(given: Given) -> dict[str, Any]:
    """Wall seconds of the whole command, 1,000 frames of 30 joints."""
    from data.keypoints import Keypoints2D
    from data.keypoints_npz import save

    rng = np.random.default_rng(SEED)
    xy = 100 * np.cumsum(rng.normal(0, 0.02, (1000, 30, 2)), axis=0)
    xy += 100 * rng.standard_normal((1, 30, 2))
    names = tuple(f"j{k}" for k in range(30))
    edges = np.array([(k, k + 1) for k in range(29)])
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "t.npz"
        save(source, Keypoints2D(xy, np.ones(xy.shape[:2]), names, edges))
        words = ["lift", str(source), "-o", str(Path(folder) / "m.glb"), "--weights"]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "app", *words, str(given.weights)], check=True)
        return {"seconds": round(time.perf_counter() - began, 2)}


def cells(given: Given) -> dict[str, Callable[[], dict[str, Any]]]:
    """Every cell that can be measured with what is given, by name."""
    found: dict[str, Callable[[], dict[str, Any]]] = {}
    for name in BASELINES:
        lift = by_baseline(name)
        found[f"unseen-{name}"] = lambda lift=lift: scored(lift, given.unseen())
        if name in ("flat", "bmm"):
            found[f"rat-{name}"] = lambda lift=lift: scored(lift, given.rat())
            found[f"mouse-{name}"] = lambda lift=lift: scored(lift, given.mouse())
    found["seen-retrieval"] = lambda: seen(given, None)
    if given.weights is not None:
        found["unseen-lifter"] = lambda: scored(given.lifter(), given.unseen())
        found["hidden-lifter"] = lambda: scored(given.lifter(), given.unseen(), 0.3)
        found["seen-lifter"] = lambda: seen(given, given.lifter())
        found["rat-lifter"] = lambda: scored(given.lifter(), given.rat())
        found["mouse-lifter"] = lambda: scored(given.lifter(), given.mouse())
        found["unseen-inferred"] = lambda: scored(
            given.lifter(), without_edges(given.unseen(), given.rigs())
        )
        found["unseen-nameless"] = lambda: scored(given.lifter(), without_names(given.unseen()))
        found["rat-nameless"] = lambda: scored(given.lifter(), without_names(given.rat()))
        found["mouse-nameless"] = lambda: scored(given.lifter(), without_names(given.mouse()))
        found["unseen-one-by-one"] = lambda: scored(given.lifter(FRAME_BY_FRAME), given.unseen())
        found["rat-inferred"] = lambda: scored(given.lifter(), given.rat(inferred=True))
        found["mouse-inferred"] = lambda: scored(given.lifter(), given.mouse(inferred=True))
        found["rat-adapted"] = lambda: adapted_to_the_rat(
            given.real, given.required(), SEED, scored
        )
        for name, elevation in STEEP.items():
            found[f"elevation-{name}-lifter"] = lambda e=elevation: scored(
                given.lifter(), given.unseen(e)
            )
        for name, counts in SUBSETS.items():
            found[f"joints-{name}"] = lambda c=counts: subset(given, given.lifter(), *c)
        found["speed"] = lambda: speed(given)
    if given.single is not None:
        alone = replace(given, weights=given.single)
        found["unseen-single"] = lambda: scored(alone.lifter(FRAME_BY_FRAME), alone.unseen())
    return found


def table(folder: Path) -> list[tuple[Any, ...]]:
    """What stands, one row a cell."""
    rows = []
    for path in sorted(folder.glob("*.json")):
        found = json.loads(path.read_text())
        numbers = [found.get(name) for name in ("fa_mpjpe", "sa_mpjpe", "sa_mpve", "inside")]
        shown = ["" if n is None else f"{n:.2f}" for n in numbers]
        other = {k: found[k] for k in ("before", "after", "seconds") if k in found}
        rows.append((path.stem, *shown, GOALS.get(path.stem, ""), other or ""))
    return rows


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--shared", type=Path, help="folder of the data that are not bundled")
    options.add_argument("--weights", type=Path, help="a lifter of darb3d fit lifter --protocol")
    options.add_argument("--single", type=Path, help="one that sees single frames")
    options.add_argument("--cells", nargs="+", help="only cells whose names begin so")
    options.add_argument("--folder", type=Path, default=RESULTS / "lifting")
    options.add_argument("--minutes", type=float, help="begin no cell after this time")
    options.add_argument("--table", action="store_true", help="print what stands, measure nothing")
    asked = options.parse_args()
    if asked.shared and not asked.table:
        given = Given(asked.shared, asked.weights, asked.single, 40 if asked.quick else 1)
        began, machine = time.monotonic(), facts()
        for name, measure in cells(given).items():
            place = asked.folder / f"{name}.json"
            if place.exists() or (asked.cells and not name.startswith(tuple(asked.cells))):
                continue
            if asked.minutes and time.monotonic() - began > 60 * asked.minutes:
                break
            started = time.process_time()
            result = measure()
            head = {"benchmark": "lifting", "cell": name, "machine": machine, "seed": SEED}
            head |= {"cpu_seconds": round(time.process_time() - started, 1)}
            write_json(place, head | {"every_clip": given.step == 1} | result)
            print(f"{name}: {head['cpu_seconds']} s", flush=True)
    elif not asked.table:
        print("no --shared FOLDER: nothing to measure on; what stands follows")
    header = ("cell", "FA", "SA", "velocity", "inside", "goal", "")
    rows = table(asked.folder)
    print_table(header, rows)
    if asked.json:
        write_json(asked.json, {"rows": [dict(zip(header, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()
