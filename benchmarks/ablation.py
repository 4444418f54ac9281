"""Kernels, density control and options against each other at equal time: a resumable queue.

    python -m benchmarks.ablation [--scenes FOLDER] [--only SCENE ...] [--table]

Three kernels with both density controls and three seeds on fox and banana, then each option alone
on four scenes. fox and sceaux cannot be bundled: FOLDER holds them, and without it they are left
out. One JSON a cell in `benchmarks/results/ablation/`; a cell that stands is skipped, so the queue
may be stopped at any time; `--only` takes some scenes first, since the cells of one scene are held
against each other and belong on one machine. The three minutes are of CPU time on all cores, so
that other programs on the machine slow a cell down without changing it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

import data
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json
from benchmarks.quality import measure
from splatting.config import TrainConfig

SAMPLES = Path(data.__file__).parent / "samples"
FACTOR = {"fox": 2, "sceaux": 2}
MINUTES = 3.0
KERNELS = ("raised-cosine", "half-cosine-square", "gaussian")
STRATEGIES = ("adaptive", "mcmc")
SEEDS = (0, 1, 2)
SCENES = ("fox", "banana", "sceaux", "synth_room")
"""Kernels and density controls are compared on the first two, options on all."""
OPTIONS: dict[str, dict[str, Any]] = {
    "no-sparsity": {"sparsity_weight": 0.0},
    "no-drop": {"drop": 0.0},
    "neither": {"sparsity_weight": 0.0, "drop": 0.0},
    "exposure": {"exposure": True},
    "antialiased": {"antialiased": True},
    "degree-1": {"sh_degree": 1},
    "rare-harmonics": {"shN_every": 4, "shN_rate": 2 * TrainConfig.shN_rate},
    "sparse-depth": {"depth_weight": 1.0},
    "half-the-splats": {"max_splats": TrainConfig.max_splats // 2},
    "no-budget": {"growth": 1e3},
}
"""Fields of the configuration that each option changes; all others are trained without the depth
of the sparse points, which became a default by this table and `benchmarks.folds`. Without a budget,
every splat that is pulled hard enough is split at once, as adaptive density control does elsewhere:
what half the splats are held against."""


@dataclass(frozen=True)
class Cell:
    """One training."""

    scene: str
    kernel: str = TrainConfig.kernel
    strategy: str = "adaptive"
    option: str = "default"
    seed: int = 0

    @property
    def name(self) -> str:
        """Stem of its file."""
        return f"{self.scene}-{self.kernel}-{self.strategy}-{self.option}-seed{self.seed}"

    def config(self, **length: Any) -> TrainConfig:
        """What to train, for a `length` in minutes or steps."""
        changed = {"depth_weight": 0.0} | OPTIONS.get(self.option, {})
        names = {"kernel": self.kernel, "strategy": self.strategy, "seed": self.seed}
        # equal time is what is compared: none may stop early
        return TrainConfig(passes=0.0, **names, **changed, **length)


def queue() -> list[Cell]:
    """Every cell, scene by scene, first seeds first."""
    cells = [
        Cell(scene, kernel, strategy, seed=seed)
        for scene in SCENES[:2]
        for kernel in KERNELS
        for strategy in STRATEGIES
        for seed in SEEDS
    ]
    alone = [Cell(scene, option=option) for scene in SCENES for option in ("default", *OPTIONS)]
    cells += [cell for cell in alone if cell not in cells]
    return sorted(cells, key=lambda cell: (SCENES.index(cell.scene), cell.seed))


def find(name: str, scenes: Path | None) -> Path | None:
    """The scene's folder; None for one that is neither bundled nor given."""
    if (SAMPLES / name).is_dir():
        return SAMPLES / name
    return scenes / name if scenes and (scenes / name).is_dir() else None


def standing(folder: Path) -> dict[str, dict[str, Any]]:
    """What was measured, by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def rows_of(found: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A row for each scene, kernel, density control and option: means over seeds."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for cell in queue():
        if cell.name in found:
            key = (cell.scene, cell.kernel, cell.strategy, cell.option)
            groups.setdefault(key, []).append(found[cell.name])
    rows = []
    for key, cells in groups.items():
        mean = {
            name: float(np.mean([c[name] for c in cells]))
            for name in ("psnr", "ssim", "psnr_training", "splats", "steps")
        }
        spread = float(np.ptp([c["psnr"] for c in cells]))
        rows.append(
            [
                *key,
                f"{mean['psnr']:.2f}" + (f" (spread {spread:.2f})" if len(cells) > 1 else ""),
                _fitted(cells),
                f"{mean['ssim']:.3f}",
                f"{mean['psnr_training']:.2f}",
                f"{mean['splats']:,.0f}",
                f"{mean['steps']:,.0f}",
                str(len(cells)),
            ]
        )
    return rows


def _fitted(cells: list[dict[str, Any]]) -> str:
    """PSNR after an affine map of colour, which older cells do not have."""
    found = [cell["psnr_cc"] for cell in cells if "psnr_cc" in cell]
    return f"{np.mean(found):.2f}" if found else "-"


HEADER = ["scene", "kernel", "control", "option", "PSNR", "colours fitted", "SSIM", "training"]
HEADER += ["splats", "steps"]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--scenes", type=Path, help="folder of the scenes that are not bundled")
    options.add_argument("--only", nargs="+", choices=SCENES, default=SCENES, metavar="SCENE")
    options.add_argument("--folder", type=Path, default=RESULTS / "ablation")
    options.add_argument("--table", action="store_true", help="print what stands, measure nothing")
    options.add_argument("--markdown", action="store_true", help="a table for a document")
    given = options.parse_args()
    if not given.table:
        machine = facts()
        print(machine)
        length = {"steps": 30} if given.quick else {"minutes": MINUTES}
        cells = [Cell("synth_room")] if given.quick else queue()
        for number, cell in enumerate(cells):
            place, path = given.folder / f"{cell.name}.json", find(cell.scene, given.scenes)
            if cell.scene not in given.only or place.exists() or path is None:
                continue
            scene = data.load_scene(path, FACTOR.get(cell.scene, 1))
            result = measure(scene, cell.config(**length), None, cpu_time=True)
            head = {"benchmark": "ablation", "machine": {**machine, "load": os.getloadavg()[0]}}
            write_json(place, head | vars(cell) | result)
            print(f"{number + 1}/{len(cells)} {cell.name}: {result['psnr']:.2f} dB", flush=True)
    rows = rows_of(standing(given.folder))
    header = [*HEADER, "seeds"]
    if given.markdown:
        for cells_of_row in (header, ["---"] * len(header), *rows):
            print(f"| {' | '.join(cells_of_row)} |")
    else:
        print_table(header, rows)
    if given.json:
        write_json(given.json, {"cells": standing(given.folder)})


if __name__ == "__main__":
    main()
