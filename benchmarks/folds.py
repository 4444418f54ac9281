"""Options of training against each other on folds of the training photos: a resumable queue.

    python -m benchmarks.folds [--scenes FOLDER] [--only SCENE ...] [--options NAME ...]
                               [--photos N ...] [--folds N] [--table]

What defaults may be chosen by: the photos that `darb3d train` holds out stay closed. Of the others
a quarter is scored, in turn (four folds), and the rest, or N of it, evenly spaced, is trained on
for one minute of CPU time; few photos end after 250 rounds, as they do for a user. One JSON a cell
in `benchmarks/results/folds/`; a cell that stands is skipped.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

import data
from benchmarks.ablation import FACTOR, SCENES, find
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from benchmarks.quality import measure
from splatting.config import TrainConfig

PLAIN = "no-depth"
"""What options are held against: all was the default when they were measured."""
OPTIONS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "no-price": {"sparsity_weight": 0.0},
    "price-0.003": {"sparsity_weight": 0.003},
    "sparse-depth": {"depth_weight": 1.0},
    "sparse-depth-0.2": {"depth_weight": 0.2},
    "antialiased": {"antialiased": True},
    "all-harmonics": {"depth_weight": 1.0},
    "rare-harmonics": {"depth_weight": 1.0, "shN_every": 4, "shN_rate": 2 * TrainConfig.shN_rate},
}
"""Fields of the configuration that each option changes. The last two stand against each other:
`all-harmonics` is `sparse-depth` again, on the machine that measured the other."""

FOLDS = 4
MINUTES = 1.0


@dataclass(frozen=True)
class Cell:
    """One training; of all photos where `photos` is 0."""

    scene: str
    photos: int
    option: str
    fold: int

    @property
    def name(self) -> str:
        """Stem of its file."""
        return f"{self.scene}-{self.photos or 'all'}-{self.option}-fold{self.fold}"


def evenly(views: tuple[data.View, ...], count: int) -> tuple[data.View, ...]:
    """`count` of the views, evenly spaced, the first among them."""
    return tuple(views[i * len(views) // count] for i in range(count))


def fold_of(scene: data.Scene, photos: int, fold: int) -> data.Scene | None:
    """`photos` training views (all for 0) and every fourth one from `fold` on held out; None if
    there are fewer."""
    scored = scene.train[fold::FOLDS]
    rest = tuple(view for view in scene.train if view not in scored)
    if len(rest) < photos:
        return None
    views = evenly(rest, photos or len(rest))
    views += tuple(replace(view, split="test") for view in scored)
    return replace(scene, views=tuple(sorted(views, key=lambda view: view.name)))


def rows_of(folder: Path) -> list[list[str]]:
    """A row for each scene, number of photos and option: means over folds, and differences to
    `PLAIN` over the folds that both have."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    places = sorted({(cell["scene"], cell["photos"]) for cell in found})
    rows = []
    for scene, photos in places:
        scores: dict[str, dict[int, float]] = {}
        for cell in found:
            if (cell["scene"], cell["photos"]) == (scene, photos):
                scores.setdefault(cell["option"], {})[cell["fold"]] = cell["psnr"]
        for option, of_folds in sorted(scores.items()):
            plain = scores.get(PLAIN, {})
            gains = [of_folds[fold] - plain[fold] for fold in sorted(of_folds.keys() & plain)]
            rows.append(
                [
                    scene,
                    str(photos or "all"),
                    option,
                    f"{np.mean(list(of_folds.values())):.2f}",
                    f"{np.mean(gains):+.2f}" if gains else "-",
                    " ".join(f"{gain:+.2f}" for gain in gains),
                ]
            )
    return rows


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--scenes", type=Path, help="folder of the scenes that are not bundled")
    options.add_argument("--only", nargs="+", choices=SCENES, default=SCENES, metavar="SCENE")
    options.add_argument("--options", nargs="+", choices=OPTIONS, default=OPTIONS, metavar="NAME")
    options.add_argument("--photos", nargs="+", type=int, default=(0,), metavar="N", help="0: all")
    options.add_argument("--folds", type=int, default=FOLDS, help="how many of the four")
    options.add_argument("--folder", type=Path, default=RESULTS / "folds")
    options.add_argument("--table", action="store_true", help="print what stands, measure nothing")
    given = options.parse_args()
    if not given.table:
        machine = facts()
        print(machine)
        length: dict[str, Any] = {"steps": 30} if given.quick else {"minutes": MINUTES}
        cells = [
            Cell(scene, photos, option, fold)
            for fold in range(given.folds)
            for photos in given.photos
            for scene in given.only
            for option in given.options
        ]
        for number, cell in enumerate(cells[:1] if given.quick else cells):
            place, path = given.folder / f"{cell.name}.json", find(cell.scene, given.scenes)
            if place.exists() or path is None:
                continue
            scene = data.load_scene(path, FACTOR.get(cell.scene, 1))
            fold = fold_of(scene, cell.photos, cell.fold)
            if fold is None:
                continue
            config = TrainConfig(**{"depth_weight": 0.0} | OPTIONS[cell.option], **length)
            result = measure(fold, config, None, cpu_time=True)
            head = {"benchmark": "folds", "machine": {**machine, "load": os.getloadavg()[0]}}
            write_json(place, head | vars(cell) | result)
            print(f"{number + 1}/{len(cells)} {cell.name}: {result['psnr']:.2f} dB", flush=True)
    header = ["scene", "photos", "option", "PSNR", f"against {PLAIN}", "of each fold"]
    print_table(header, rows_of(given.folder))


if __name__ == "__main__":
    main()
