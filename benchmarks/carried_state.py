"""The state of a long training in half the room, to go on with it on another machine.

    python -m benchmarks.carried_state pack STATE PACKED
    python -m benchmarks.carried_state unpack PACKED STATE

Weights stay whole. Adam's first moments and Muon's momentum are left out, which ten or twenty steps
bring back, and Adam's second moments keep the upper half of their bits (bfloat16).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt16

from backbones.training_state import FORMAT
from data.array_files import read_arrays, write_arrays

_FIRST, _SECOND, _SHORT = "exp_avg.", "exp_avg_sq.", "exp_avg_sq16."
_MOMENTUM = "momentum."


def pack(state: Path, out: Path) -> None:
    """Write the smaller file."""
    arrays, text = read_arrays(state, FORMAT)
    short_lived = (_FIRST, _MOMENTUM)
    kept = {name: array for name, array in arrays.items() if not name.startswith(short_lived)}
    short = {name: upper_bits(kept.pop(name)) for name in list(kept) if name.startswith(_SECOND)}
    kept |= {name.replace(_SECOND, _SHORT, 1): bits for name, bits in short.items()}
    write_arrays(out, kept, text)


def unpack(packed: Path, out: Path) -> None:
    """Write the state that `darb3d fit --resume` goes on with."""
    arrays, text = read_arrays(packed, FORMAT)
    kept = {name: array for name, array in arrays.items() if not name.startswith(_SHORT)}
    for name, bits in arrays.items():
        if name.startswith(_SHORT):
            second = widened(bits)
            kept[name.replace(_SHORT, _SECOND, 1)] = second
            kept[name.replace(_SHORT, _FIRST, 1)] = np.zeros_like(second)
    write_arrays(out, kept, text)


def upper_bits(numbers: Float32[np.ndarray, "*s"]) -> UInt16[np.ndarray, "*s"]:
    """bfloat16, rounded to nearest."""
    return ((numbers.view(np.uint32) + 0x8000) >> 16).astype(np.uint16)


def widened(bits: UInt16[np.ndarray, "*s"]) -> Float32[np.ndarray, "*s"]:
    """Back to float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("what", choices=("pack", "unpack"))
    options.add_argument("state", type=Path)
    options.add_argument("out", type=Path)
    given = options.parse_args()
    (pack if given.what == "pack" else unpack)(given.state, given.out)
    print(f"wrote {given.out}: {given.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
