"""What was measured of the lifters in the package, into their cards.

    python scripts/lifter_cards.py

Errors in % of the box's diagonal: those on unseen rigs are of the lifter of the table that each
went on from, since no rig is left to measure it on itself; rat and mouse it has not seen.
"""

from __future__ import annotations

import json
from pathlib import Path

from lifting.config import Terms
from lifting.lifter_files import load_lifter, save_lifter, shipped_weights

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
FOLDERS: dict[Terms, str] = {"permissive": "-permissive", "share-alike": ""}


def measured(terms: Terms) -> dict[str, float]:
    """Errors by what they were measured on."""
    places = {
        "unseen_rigs_before_it_learnt_them": f"lifting{FOLDERS[terms]}/unseen-lifter.json",
        "rat": f"lifting-package{FOLDERS[terms]}/rat-lifter.json",
        "mouse": f"lifting-package{FOLDERS[terms]}/mouse-lifter.json",
    }
    return {
        f"{name}_fa_mpjpe": json.loads((RESULTS / place).read_text())["fa_mpjpe"]
        for name, place in places.items()
    }


def main() -> None:
    """Write each card anew; weights stay as they are."""
    for terms in FOLDERS:
        path = shipped_weights(terms)
        saved = load_lifter(path)
        save_lifter(path, saved.model, saved.about | {"measured": measured(terms)}, half=True)
        print(f"{path.name}: {measured(terms)}")


if __name__ == "__main__":
    main()
