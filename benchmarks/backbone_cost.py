"""What each option of a backbone costs: time and memory beside the plain block.

    python -m benchmarks.backbone_cost [--json FILE] [--write docs/backbones.md]

One encoder of two blocks, forward and backward, one thread, float32, at 128, 512 and 2,048 tokens.
Time is the median of CPU seconds, measured in turns with the plain block so that a busy machine
slows both; memory is the peak of what torch allocates in the step.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KINETO_LOG_LEVEL", "99")

import torch

from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from benchmarks.machine import RESULTS, facts, parser, print_table, write_json

TOKENS = {128: 8, 512: 2, 2048: 1}
"""Number of tokens, and the batch that is measured with it."""
ROUNDS = 7
WIDTH, DEPTH, HEADS, HEAD_DIM = 64, 2, 4, 16
BEGIN, END = "<!-- cost: begin -->", "<!-- cost: end -->"


def variants(tokens: int) -> dict[str, dict[str, Any]]:
    """Fields of the configuration, by name."""
    rows = 2 ** (tokens.bit_length() // 2)
    return {
        "attention=poly2": {"attention": "poly2"},
        "attention=poly3": {"attention": "poly3"},
        "attention=poly3, learned scale": {"attention": "poly3", "attention_scale": "learned"},
        "lean": {"lean": True, "tokens": tokens},
        "impulse=line": {"impulse": "line", "tokens": tokens},
        "impulse=grid": {"impulse": "grid", "grid": (rows, tokens // rows)},
        "conditioning=0.1": {"conditioning": 0.1},
        "graying=svd": {"graying": "svd"},
        "graying=dct": {"graying": "dct"},
        "skips=none": {"skips": "none"},
        "mixer=conv": {"mixer": "conv"},
        "mixer=conv, frozen=spatial": {"mixer": "conv", "frozen": "spatial"},
        "mixer=tokens": {"mixer": "tokens", "tokens": tokens},
        "activation=relu": {"activation": "relu"},
        "activation=gaussian": {"activation": "gaussian"},
        "activation=sinc": {"activation": "sinc"},
    }


def step_of(options: dict[str, Any], tokens: int) -> Callable[[], None]:
    """A forward and backward pass of a new encoder."""
    import warnings

    config = BackboneConfig(width=WIDTH, depth=DEPTH, heads=HEADS, head_dim=HEAD_DIM, **options)
    with warnings.catch_warnings():  # heads are too small to look at one of 2,048; the cost is told
        warnings.simplefilter("ignore")
        encoder = Encoder(config, torch.Generator().manual_seed(0))
    x = torch.randn(TOKENS[tokens], tokens, WIDTH, requires_grad=True)

    def step() -> None:
        encoder.zero_grad()
        x.grad = None
        encoder(x).square().mean().backward()

    return step


def seconds(step: Callable[[], None]) -> float:
    began = time.process_time()
    step()
    return time.process_time() - began


def peak_mb(step: Callable[[], None]) -> float:
    """The most that torch holds during `step` beyond what it held before."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        step()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "trace.json"
        record.export_chrome_trace(str(place))
        events = json.loads(place.read_text())["traceEvents"]
    changes = sorted(
        (event["ts"], event["args"]["Bytes"]) for event in events if event["name"] == "[memory]"
    )
    held = peak = 0
    for _, change in changes:
        held += change
        peak = max(peak, held)
    return peak / 2**20


def measure(tokens: int, rounds: int) -> list[dict[str, Any]]:
    """Every option at one number of tokens; the plain block first."""
    plain = step_of({}, tokens)
    plain()
    found = [{"option": "plain", "tokens": tokens, "ratio": 1.0, "memory_ratio": 1.0}]
    found[0] |= {
        "ms": 1e3 * statistics.median(seconds(plain) for _ in range(rounds)),
        "mb": peak_mb(plain),
    }
    for name, options in variants(tokens).items():
        step = step_of(options, tokens)
        step()
        pairs = [(seconds(plain), seconds(step)) for _ in range(rounds)]
        ours = statistics.median(pair[1] for pair in pairs)
        memory = peak_mb(step)
        found.append(
            {
                "option": name,
                "tokens": tokens,
                "ms": 1e3 * ours,
                "ratio": ours / statistics.median(pair[0] for pair in pairs),
                "mb": memory,
                "memory_ratio": memory / found[0]["mb"],
            }
        )
    return found


def table(cells: list[dict[str, Any]]) -> list[list[str]]:
    """A row an option: time and memory beside the plain block, for each number of tokens."""
    sizes = sorted({cell["tokens"] for cell in cells})
    rows = []
    for option in dict.fromkeys(cell["option"] for cell in cells):
        row = [option]
        for size in sizes:
            (cell,) = (c for c in cells if (c["option"], c["tokens"]) == (option, size))
            if option == "plain":
                row += [f"{cell['ms']:.1f} ms", f"{cell['mb']:.1f} MB"]
            else:
                row += [f"{cell['ratio']:.2f}", f"{cell['memory_ratio']:.2f}"]
        rows.append(row)
    return rows


def main() -> None:
    from benchmarks.backbones import write_between

    options = parser(__doc__)
    options.add_argument("--write", type=Path, help="put the table between the marks of this file")
    given = options.parse_args()
    torch.set_num_threads(1)
    sizes = [128] if given.quick else list(TOKENS)
    cells = [cell for size in sizes for cell in measure(size, 2 if given.quick else ROUNDS)]
    header = ["option", *(f"{what}, N = {n}" for n in sizes for what in ("time", "memory"))]
    rows = table(cells)
    print_table(header, rows)
    if given.write:
        lines = [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
        write_between(given.write, (BEGIN, END), "\n".join(lines))
    place = given.json or (None if given.quick else RESULTS / "backbone_cost.json")
    if place:
        machine = {**facts(), "torch": torch.__version__, "threads": 1}
        write_json(place, {"benchmark": "backbone_cost", "machine": machine, "cells": cells})


if __name__ == "__main__":
    main()
