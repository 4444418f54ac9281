"""The price on opacity and size where photos are few: a resumable queue.

    python -m benchmarks.few_photos [--scenes FOLDER] [--only SCENE ...] [--photos N ...] [--table]

The photos that `darb3d train` holds out stay closed. Of the others a quarter is scored, in turn
(four folds), and N of the rest, evenly spaced, are trained on; all else is the default of
`darb3d train` for three minutes of CPU time, so that few photos end after 250 rounds. One JSON a
cell in `benchmarks/results/few_photos/`; a cell that stands is skipped.
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
from benchmarks.ablation import FACTOR, MINUTES, SCENES, find
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from benchmarks.quality import measure
from splatting.config import TrainConfig

PRICES = (0.0, 0.003, 0.01)
PHOTOS = (6, 12, 24)
FOLDS = 4


@dataclass(frozen=True)
class Cell:
    """One training."""

    scene: str
    photos: int
    price: float
    fold: int

    @property
    def name(self) -> str:
        """Stem of its file."""
        return f"{self.scene}-{self.photos}-price{self.price:g}-fold{self.fold}"


def evenly(views: tuple[data.View, ...], count: int) -> tuple[data.View, ...]:
    """`count` of the views, evenly spaced, the first among them."""
    return tuple(views[i * len(views) // count] for i in range(count))


def fold_of(scene: data.Scene, photos: int, fold: int) -> data.Scene | None:
    """`photos` training views, and every fourth one from `fold` on held out; None if there are
    fewer."""
    scored = scene.train[fold::FOLDS]
    rest = tuple(view for view in scene.train if view not in scored)
    if len(rest) < photos:
        return None
    views = evenly(rest, photos) + tuple(replace(view, split="test") for view in scored)
    return replace(scene, views=tuple(sorted(views, key=lambda view: view.name)))


def rows_of(folder: Path) -> list[list[str]]:
    """A row for each scene and number of photos: means over folds, and differences to no price
    over the folds that both have."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    places = sorted({(cell["scene"], cell["photos"]) for cell in found})
    rows = []
    for scene, photos in places:
        scores: dict[float, dict[int, float]] = {}
        for cell in found:
            if (cell["scene"], cell["photos"]) == (scene, photos):
                scores.setdefault(cell["price"], {})[cell["fold"]] = cell["psnr"]
        for price, of_folds in sorted(scores.items()):
            free = scores.get(0.0, {})
            shared = sorted(of_folds.keys() & free.keys())
            gains = [of_folds[fold] - free[fold] for fold in shared]
            rows.append(
                [
                    scene,
                    str(photos),
                    f"{price:g}",
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
    options.add_argument("--photos", nargs="+", type=int, default=PHOTOS, metavar="N")
    options.add_argument("--folds", type=int, default=FOLDS, help="how many of the four")
    options.add_argument("--folder", type=Path, default=RESULTS / "few_photos")
    options.add_argument("--table", action="store_true", help="print what stands, measure nothing")
    given = options.parse_args()
    if not given.table:
        machine = facts()
        print(machine)
        length: dict[str, Any] = {"steps": 30} if given.quick else {"minutes": MINUTES}
        cells = [
            Cell(scene, photos, price, fold)
            for fold in range(given.folds)
            for scene in given.only
            for photos in given.photos
            for price in PRICES
        ]
        for number, cell in enumerate(cells[:1] if given.quick else cells):
            place, path = given.folder / f"{cell.name}.json", find(cell.scene, given.scenes)
            if place.exists() or path is None:
                continue
            scene = data.load_scene(path, FACTOR.get(cell.scene, 1))
            fold = fold_of(scene, cell.photos, cell.fold)
            if fold is None:
                continue
            config = TrainConfig(sparsity_weight=cell.price, **length)
            result = measure(fold, config, None, cpu_time=True)
            head = {"benchmark": "few_photos", "machine": {**machine, "load": os.getloadavg()[0]}}
            write_json(place, head | vars(cell) | result)
            print(f"{number + 1}/{len(cells)} {cell.name}: {result['psnr']:.2f} dB", flush=True)
    header = ["scene", "photos", "price", "PSNR", "against none", "of each fold"]
    print_table(header, rows_of(given.folder))


if __name__ == "__main__":
    main()
