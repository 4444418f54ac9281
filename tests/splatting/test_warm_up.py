"""What is compiled ahead is what a training runs: nothing is compiled inside its time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import gc
import sys
from pathlib import Path

from numba.core.dispatcher import Dispatcher

import data
import splatting
from splatting import training
from splatting.config import TrainConfig


def compiled():
    found = {f for f in gc.get_objects() if isinstance(f, Dispatcher)}
    return {(f.__module__, f.__name__, str(s)) for f in found for s in f.signatures}


def warmed_up(*given, **named):
    seconds = warm_up(*given, **named)
    ahead.update(compiled())
    return seconds


ahead = set()
warm_up, training.warm_up = training.warm_up, warmed_up
config = TrainConfig(steps=3, depth_weight=float(sys.argv[2]))
splatting.train(data.load_scene(Path(sys.argv[1])), config, lambda step, values: None)
names = {f"{module}.{name}" for module, name, _ in compiled() - ahead}
print(" ".join(sorted(name for name in names if not name.startswith("splatting.photos"))))
"""


@pytest.mark.parametrize("depth_weight", ["0", "1"])
def test_a_training_compiles_nothing_after_it_has_begun(banana: Path, depth_weight: str) -> None:
    words = [sys.executable, "-c", _PROGRAM, str(banana), depth_weight]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
