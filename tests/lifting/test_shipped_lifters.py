"""The weights in the package: small, with whole cards, nearer to the truth than a flat skeleton;
and those that the published table is of, which learnt nothing of the rigs it is measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lifting
from lifting.baselines import flat
from lifting.cameras import ViewConfig, random_view
from lifting.clips import PERMISSIVE
from lifting.lifter_files import load_lifter, shipped_weights
from lifting.metrics import errors
from lifting.motions import random_motion
from lifting.protocol import SELECTION, UNSEEN
from lifting.random_rigs import random_rig

FOLDER = shipped_weights("permissive").parent
OF_THE_TABLE = Path(__file__).parents[2] / "benchmarks" / "weights"
SHIPPED = ("permissive", "share-alike")


@pytest.mark.parametrize("folder", [FOLDER, OF_THE_TABLE], ids=lambda folder: folder.parent.name)
def test_a_folder_holds_what_it_may(folder):
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 10e6
    notes = (folder / "LICENCES.md").read_text()
    for path in folder.glob("*.safetensors"):
        assert f"`{path.name}`" in notes


@pytest.mark.parametrize("terms", SHIPPED)
def test_the_card_is_whole(terms):
    """All rigs that its terms allow are known to it."""
    about = load_lifter(shipped_weights(terms)).about
    assert about["steps"] > 1000 and about["fit"]["seed"] >= 0
    assert {"animalia__cat", "quaternius_animals__deer"} < set(about["rigs"])
    if terms == "permissive":
        assert all(licence.lower().startswith(PERMISSIVE) for licence in about["licences"])
    else:
        assert set(about["rigs"]) > {*UNSEEN, *SELECTION}


@pytest.mark.parametrize("terms", SHIPPED)
def test_what_the_table_is_of_learnt_nothing_of_its_rigs(terms):
    about = load_lifter(OF_THE_TABLE / f"lifter-{terms}.safetensors").about
    assert about["protocol"] and about["steps"] > 1000
    assert not set(about["rigs"]) & set(UNSEEN)
    assert not set(about["began_with"]["rigs"]) & set(UNSEEN)
    # the rigs that choices are made on are learnt from in the end, once all is chosen
    assert set(about["rigs"]) & set(SELECTION)


@pytest.mark.parametrize("terms", SHIPPED)
def test_new_animals_are_no_cardboard(terms):
    lift = lifting.load(terms)
    rng = np.random.default_rng(5)
    view = ViewConfig(elevation_rad=(0.0, 0.3), roll_rad=0.0, any_roll=0.0, weak=0.0)
    ours, cardboard = [], []
    for _ in range(12):
        rig = random_rig(rng)
        motion = random_motion(rig, rng, frames=48)
        seen = random_view(motion.xyz, np.array(motion.up), rng, view)
        found = lift.lift(seen.xy, edges=rig.skeleton.edges, fps=30.0)
        ours.append(errors(found.xyz, motion.xyz).fa_mpjpe)
        cardboard.append(errors(flat(seen.xy), motion.xyz).fa_mpjpe)
    assert np.mean(ours) < 0.8 * np.mean(cardboard)
