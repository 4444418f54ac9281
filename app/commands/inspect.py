"""`darb3d inspect`: the card of a saved model; of a transformer also how well it is conditioned."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from backbones.report import BlockLook, Layer
    from backbones.saved import SavedModel


@dataclass(frozen=True)
class Command:
    """Print the card of a saved classifier of clouds or lifter (data, recipe, score), and of a
    transformer its options and spectra.

    kappa is the condition number, largest over smallest singular value; the stable rank says how
    many directions carry the weight; the bandwidth how many directions 1,000 steps of gradient
    descent reach. Blocks are shown tokens of noise.
    """

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE.safetensors")]
    """A model as training writes it."""
    json: bool = False
    """Print JSON instead of tables."""

    def run(self) -> int:
        """Print the tables; returns the exit code."""
        from app.model_card import card, card_lines, training_lines
        from backbones.config import MODEL_FORMAT
        from data.array_files import read_arrays
        from pointcloud.stored import KINDS, read_classifier

        _, text = read_arrays(self.checkpoint, MODEL_FORMAT)
        known: dict[str, Any] = {}
        if text.get("kind") in KINDS:
            stored = read_classifier(self.checkpoint)
            known = card(stored)
            if not self.json:
                print("\n".join(card_lines(str(self.checkpoint), stored)))
        if "backbone" in text or not known:
            from backbones import report
            from backbones.saved import read_model

            saved = read_model(self.checkpoint)
            blocks, layers = report.blocks(saved), report.layers(saved)
            known |= content(saved, blocks, layers)
            about = saved.details.get("about")
            if isinstance(about, dict):
                known["training"] = about
            if not self.json:
                print_tables(self.checkpoint, saved, blocks, layers)
                if isinstance(about, dict):
                    print("\n".join(training_lines(about)))
        if self.json:
            print(json.dumps(known, indent=2))
        return 0


def content(saved: SavedModel, blocks: list[BlockLook], layers: list[Layer]) -> dict[str, Any]:
    """What --json prints; numbers that are infinite become null."""
    from backbones.report import options_in_use

    return {
        "kind": saved.kind,
        "numbers": sum(weight.numel() for weight in saved.weights.values()),
        "options": options_in_use(saved.config),
        "config": asdict(saved.config),
        "blocks": [_finite(asdict(block)) for block in blocks],
        "layers": [_finite(asdict(layer)) for layer in layers],
    }


def print_tables(
    path: Path, saved: SavedModel, blocks: list[BlockLook], layers: list[Layer]
) -> None:
    """Options, blocks and layers, one under the other."""
    from rich.console import Console
    from rich.table import Table

    from backbones.planner import lean
    from backbones.report import options_in_use

    console, plan = Console(highlight=False, markup=False, soft_wrap=True), lean(saved.config)
    numbers = sum(weight.numel() for weight in saved.weights.values())
    console.print(f"{path}: {saved.kind}, {numbers:,} numbers")
    console.print(
        f"{plan.depth} blocks of width {plan.width}, {plan.heads} heads of {plan.head_dim}, "
        f"{plan.mixer} as mixer"
    )
    used = options_in_use(saved.config)
    console.print("options: " + (", ".join(f"{k}={v}" for k, v in used.items()) or "none"))
    table = Table("block", box=None)
    for name in ("kappa of heads", "kappa of Jacobian"):
        table.add_column(name, justify="right")
    for number, block in enumerate(blocks):
        table.add_row(str(number), _short(block.heads_kappa), _short(block.jacobian_kappa))
    console.print(table)
    table = Table("layer", box=None)
    for name in ("shape", "kappa", "stable rank", "bandwidth"):
        table.add_column(name, justify="right")
    for layer in layers:
        shape = "x".join(map(str, layer.shape))
        rank = f"{layer.stable_rank:.1f}"
        table.add_row(layer.name, shape, _short(layer.kappa), rank, str(layer.bandwidth))
    console.print(table)


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 1000 else f"{value:.1e}"


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in row.items()}
