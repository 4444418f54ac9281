"""Rigs without end: animals of two to eight legs, with wings, fins, tails, trunks, ears, at random.

Numbers are drawn so that joints lie where animators and trackers put them: chains along the spine,
pairs of limbs that mirror each other, and a few points that are fixed to a bone's surface.
"""

from __future__ import annotations

import numpy as np

from lifting.rigs import SIDES, Chain, Plan, Rig, RigBuilder
from lifting.toes import Ends, add_toes
from lifting.wings import add_tail_fan, add_wings

PLANS: dict[Plan, float] = {
    "quadruped": 0.3,
    "rodent": 0.14,
    "bird": 0.2,
    "biped": 0.07,
    "insect": 0.09,
    "fish": 0.12,
    "crawler": 0.08,
}
"""Body plans and how often each is drawn."""
_TOES = {"quadruped": 0.1, "rodent": 0.35, "bird": 0.5, "biped": 0.2}
"""Share of animals of a plan whose feet have toes."""
_COARSE = 0.4
"""Share of animals that are made of few joints."""


def random_rig(rng: np.random.Generator, plan: Plan | None = None) -> Rig:
    """An animal of a plan, or of one drawn by `PLANS`."""
    if plan is None:
        names = list(PLANS)
        plan = names[int(rng.choice(len(names), p=np.array(list(PLANS.values()))))]
    build = RigBuilder(rng, coarse=bool(rng.random() < _COARSE))
    spine = _spine(build, plan)
    crouch = 0.0
    if plan in ("quadruped", "rodent"):
        low = plan == "rodent" or build.chance(0.2)
        crouch = build.uniform(0.3, 0.9) if low else build.uniform(0.0, 0.25)
        length = build.around(0.75 if plan == "quadruped" else 0.45)
        toes = build.extra(_TOES[plan])
        _legs(build, spine[0], 0.0, length, hind=True, toes=toes)
        _legs(build, spine[-1], 1.0, length * build.around(0.95, 0.12), hind=False, toes=toes)
    elif plan == "bird":
        crouch = build.uniform(0.0, 0.8)
        toes = build.extra(_TOES[plan])
        _legs(build, spine[0], 0.3, build.around(0.4, 0.35), hind=True, toes=toes, hallux=0.6)
        add_wings(build, spine[-1], 0.5, build.extra(0.5))
    elif plan == "biped":
        toes = build.extra(_TOES[plan])
        _legs(build, spine[0], 0.0, build.around(0.9), hind=True, toes=toes)
        _legs(build, spine[-1], 1.0, build.around(0.5, 0.35), hind=False)
    elif plan == "insect":
        _insect_legs(build, spine)
        if build.chance(0.4):
            add_wings(build, spine[-1], 0.35, False)
    elif plan == "fish":
        _fins(build, spine)
    elif build.chance(0.7):  # a crawler: lizard, newt, crocodile; without legs a snake
        _sprawled_legs(build, spine)
    _head(build, spine[-1], plan)
    _tail(build, spine[0], plan)
    _markers(build, spine)
    return Rig(
        plan,
        _unique(build.names),
        np.array(build.parents, np.int64),
        np.array(build.offsets),
        tuple(build.chains),
        crouch,
    )


def _unique(names: list[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(found)


def _spine(build: RigBuilder, plan: Plan) -> tuple[int, ...]:
    """From the hips to the chest, along x."""
    most = {"crawler": 10, "fish": 5, "insect": 3, "bird": 3}.get(plan, 5)
    count = build.count(1, most)
    pitch = {"biped": build.uniform(0.4, 1.3), "bird": build.uniform(-0.1, 1.3)}.get(plan, 0.0)
    arch = build.uniform(-0.25, 0.35) if plan not in ("fish", "insect") else 0.0
    angles = pitch + arch * np.linspace(1, -1, count)
    directions = np.stack([np.cos(angles), np.sin(angles), np.zeros(count)], 1)
    root = build.add("hips", -1, [0.0, 0.0, 0.0])
    body = build.around(0.55 if plan == "bird" else 0.8, 0.15)
    joints = build.chain("spine", root, directions, body * build.shares(count))
    build.chains.append(Chain("spine", joints))
    return (root, *joints)


def _legs(
    build: RigBuilder,
    at: int,
    along: float,
    length: float,
    hind: bool,
    toes: bool = False,
    hallux: float = 0.0,
) -> None:
    """A pair below `at` with two to five joints, folded as hind or front legs are."""
    width = build.around(0.12, 0.3)
    count = build.count(2, 5)
    girdle = build.extra(0.6)
    if hind:  # thigh forward, shin back, foot forward
        angles = np.array([0.35, -0.5, 0.3, 0.0, 1.2][:count]) + build.rng.normal(0, 0.15, count)
        bends = np.array([1.0, -1.0, 1.0, -0.5, 0.0][:count])
    else:  # upper arm back, forearm down
        angles = np.array([-0.35, 0.25, 0.0, 0.1, 1.2][:count]) + build.rng.normal(0, 0.15, count)
        bends = np.array([-1.0, 1.0, -0.6, 0.5, 0.0][:count])
    shares = np.array([0.3, 0.32, 0.25, 0.13, 0.1][:count]) * np.exp(
        build.rng.normal(0, 0.2, count)
    )
    lengths = length * shares / shares.sum()
    splay = build.uniform(-0.08, 0.2)
    drop, shift = build.uniform(-0.12, 0.08), build.uniform(-0.08, 0.08)
    name = "hind" if hind else "front"
    ends: Ends = []
    for side, label in SIDES:
        start = at
        offset = np.array([shift, drop, side * width])
        lead: tuple[int, ...] = ()
        if girdle:
            start = build.add(f"{name}_hip_{label}", at, offset)
            lead = (start,)
        directions = np.stack(
            [np.sin(angles), -np.cos(angles), side * splay * np.linspace(1, 0, count)], 1
        )
        steps = lengths.copy()
        joints = build.chain(f"{name}_{label}", start, directions, steps)
        if not girdle:
            build.offsets[joints[0]] = build.offsets[joints[0]] + offset
        build.chains.append(Chain("leg", (*lead, *joints), side, along, tuple(bends)))
        ends.append((joints[-1], side, label))
    if toes:
        add_toes(build, f"{name}_toe", ends, hallux)


def _sprawled_legs(build: RigBuilder, spine: tuple[int, ...]) -> None:
    length, width = build.around(0.3), build.around(0.06)
    for name, at, along in (("hind", spine[0], 0.0), ("front", spine[-1], 1.0)):
        count = build.count(2, 4)
        rise = build.rng.normal([-0.1, -0.8, -0.2, 0.0][:count], 0.15)
        sweep = build.rng.normal([0.2, -0.2, 0.6, 0.6][:count], 0.2)
        steps = length * build.shares(count)
        for side, label in SIDES:
            directions = np.stack([sweep, rise, np.full(count, side)], 1)
            joints = build.chain(f"{name}_{label}", at, directions, steps)
            build.offsets[joints[0]] = build.offsets[joints[0]] + [0.0, 0.0, side * width]
            bends = tuple(np.resize([1.0, -1.0], count))
            build.chains.append(Chain("leg", joints, side, along, bends))


def _insect_legs(build: RigBuilder, spine: tuple[int, ...]) -> None:
    """Three or four pairs that rise from the body and come down beside it."""
    pairs = int(build.rng.choice([3, 3, 4, 4, 5]))
    count = build.count(2, 4)
    length = build.around(1.0)
    rise = build.rng.normal([0.5, 0.3, -1.2, -1.0][:count], 0.2)
    for pair in range(pairs):
        at = spine[min(len(spine) - 1, int(len(spine) * (0.3 + 0.7 * pair / pairs)))]
        sweep = (pair / max(1, pairs - 1) - 0.5) * 2.0 + build.rng.normal(0, 0.1)
        steps = length * build.uniform(0.8, 1.25) * build.shares(count)
        shift = build.uniform(-0.1, 0.1)
        for side, label in SIDES:
            directions = np.stack([np.full(count, sweep), rise, np.full(count, side)], 1)
            joints = build.chain(f"leg{pair + 1}_{label}", at, directions, steps)
            build.offsets[joints[0]] = build.offsets[joints[0]] + [shift, -0.02, side * 0.09]
            bends = tuple(np.resize([1.0, -1.0], count))
            build.chains.append(Chain("leg", joints, side, pair / (pairs - 1), bends))


def _fins(build: RigBuilder, spine: tuple[int, ...]) -> None:
    for pair in range(build.count(0 if build.coarse else 1, 2)):
        at = spine[-1] if pair == 0 else spine[int(build.rng.integers(len(spine)))]
        count, length = build.count(1, 3), build.around(0.22, 0.4)
        steps, drop = length * build.shares(count), build.uniform(-0.8, 0.1)
        back = build.uniform(-1.0, -0.3)
        for side, label in SIDES:
            directions = np.tile([back, drop, side], (count, 1))
            joints = build.chain(f"fin{pair + 1}_{label}", at, directions, steps)
            build.offsets[joints[0]] = build.offsets[joints[0]] + [0.0, -0.03, side * 0.07]
            build.chains.append(Chain("fin", joints, side))
    for _ in range(build.count(0, 3)):
        at = spine[int(build.rng.integers(len(spine)))]
        tip = build.add("dorsal", at, [build.uniform(-0.15, 0.05), build.around(0.12), 0.0])
        if build.chance(0.5):
            build.add("dorsal_tip", tip, [build.uniform(-0.15, 0.0), build.around(0.08), 0.0])


def _head(build: RigBuilder, chest: int, plan: Plan) -> None:
    necks = 0 if plan == "fish" and build.chance(0.6) else build.count(0, 4)
    length = build.around({"bird": 0.35, "insect": 0.08, "fish": 0.12}.get(plan, 0.35), 0.4)
    rise = {"fish": 0.0, "insect": 0.0, "crawler": 0.2}.get(plan, build.uniform(-0.2, 1.2))
    joints: tuple[int, ...] = ()
    if necks:
        angles = rise + build.uniform(-0.3, 0.3) * np.linspace(1, -1, necks)
        directions = np.stack([np.cos(angles), np.sin(angles), np.zeros(necks)], 1)
        joints = build.chain("neck", chest, directions, length * build.shares(necks))
    at = joints[-1] if joints else chest
    down = build.uniform(-0.9, 0.3)
    size = build.around(0.16, 0.3)
    forward = np.array([np.cos(down), np.sin(down), 0.0])
    head = build.add("head", at, 0.5 * size * np.array([1.0, 0.3, 0.0]))
    build.chains.append(Chain("neck", (*joints, head)))
    if build.extra(0.75):
        build.add("nose", head, size * forward * build.uniform(0.6, 1.6))
    if build.extra(0.4):
        jaw = build.add("jaw", head, size * (0.2 * forward - [0.0, 0.3, 0.0]))
        if build.chance(0.5):
            build.chains.append(
                Chain("jaw", (jaw, build.add("jaw_tip", jaw, 0.8 * size * forward)))
            )
    _pairs_of_head(build, head, size, plan)
    if plan == "quadruped" and build.chance(0.12):
        count = int(build.rng.integers(2, 7))
        angles = np.linspace(down, -1.5, count)
        directions = np.stack([np.cos(angles), np.sin(angles), np.zeros(count)], 1)
        trunk = build.chain("trunk", head, directions, build.around(0.5) * build.shares(count))
        build.chains.append(Chain("trunk", trunk))


def _pairs_of_head(build: RigBuilder, head: int, size: float, plan: Plan) -> None:
    """Ears, eyes, horns, antennae."""
    if plan == "insect":
        if build.extra(0.7):
            count, rise = build.count(1, 3), build.uniform(0.0, 1.0)
            steps = build.around(0.35, 0.4) * build.shares(count)
            for side, label in SIDES:
                directions = np.tile([1.0, rise, side * 0.5], (count, 1))
                joints = build.chain(f"antenna_{label}", head, directions, steps)
                build.chains.append(Chain("antenna", joints, side))
        return
    if build.extra(0.4):
        place = size * np.array([build.uniform(0.1, 0.5), build.uniform(0.1, 0.3), 0.3])
        for side, label in SIDES:
            build.add(f"eye_{label}", head, place * [1.0, 1.0, side])
    if plan not in ("fish", "bird") and build.extra(0.6):
        count = build.count(1, 3)
        steps = build.around(0.1, 0.5) * build.shares(count)
        back, out = build.uniform(-0.6, 0.3), build.uniform(0.2, 0.9)
        for side, label in SIDES:
            directions = np.tile([back, 1.0, side * out], (count, 1))
            joints = build.chain(f"ear_{label}", head, directions, steps)
            build.chains.append(Chain("ear", joints, side))
    if plan == "quadruped" and build.extra(0.15):
        for side, label in SIDES:
            horn = build.add(f"horn_{label}", head, size * np.array([0.0, 0.7, side * 0.3]))
            build.add(f"horn_tip_{label}", horn, size * np.array([-0.3, 0.8, side * 0.5]))


def _tail(build: RigBuilder, hips: int, plan: Plan) -> None:
    longest = {"crawler": 10, "fish": 6, "bird": 2, "insect": 4}.get(plan, 8)
    count = build.count(0 if plan not in ("fish", "crawler") else 2, longest)
    if not count:
        return
    typical = {"rodent": 0.8, "crawler": 0.9, "fish": 0.55, "bird": 0.3, "insect": 0.45}
    length = build.around(typical.get(plan, 0.4), 0.4)
    level = plan in ("fish", "crawler", "insect")
    start, end = (0.0, 0.0) if level else (build.uniform(-0.6, 0.6), build.uniform(-1.4, 0.6))
    angles = np.linspace(start, end, count)
    directions = np.stack([-np.cos(angles), np.sin(angles), np.zeros(count)], 1)
    joints = build.chain("tail", hips, directions, length * build.shares(count))
    build.chains.append(Chain("tail", joints))
    if plan == "bird" and build.extra(0.5):
        add_tail_fan(build, joints[-1])
    if plan == "fish":
        for rise, label in ((1.0, "up"), (-1.0, "down")):
            if build.chance(0.5):
                upright = [-0.5, rise, 0.0] if build.chance(0.7) else [-0.5, 0.0, rise]
                build.add(f"fluke_{label}", joints[-1], 0.15 * np.array(upright))


def _markers(build: RigBuilder, spine: tuple[int, ...]) -> None:
    """Points on the surface of the trunk: belly, withers, sides."""
    for k in range(int(build.rng.choice([1, 2, 3])) if build.extra(0.5) else 0):
        at = spine[int(build.rng.integers(len(spine)))]
        if build.chance(0.5):
            rise = build.around(0.12) * (1.0 if build.chance(0.4) else -1.0)
            build.add(f"trunk{k + 1}", at, [build.uniform(-0.1, 0.1), rise, 0.0])
        else:
            place = [build.uniform(-0.1, 0.1), build.uniform(-0.1, 0.1), build.around(0.12)]
            for side, label in SIDES:
                build.add(f"side{k + 1}_{label}", at, np.array(place) * [1.0, 1.0, side])
