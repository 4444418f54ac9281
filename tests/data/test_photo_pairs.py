"""Which photos are compared."""

from __future__ import annotations

import numpy as np

from data.photo_pairs import ALIKE, MOST, NEAR, choose, film, similar, vlad


def test_few_photos_are_all_compared() -> None:
    ids = {name: number for number, name in enumerate("abcd")}
    pairs = choose("auto", ids, lambda number: np.empty((0, 128), np.uint8))
    assert pairs == [(a, b) for a in "abcd" for b in "abcd" if a < b]


def test_a_film_is_compared_near_and_far() -> None:
    pairs = film(40)
    assert len(pairs) == len(set(pairs)) and all(a < b < 40 for a, b in pairs)
    steps = {b - a for a, b in pairs if a == 0}
    assert steps == {*range(1, NEAR + 1), 16, 32}
    assert film(1) == []


def descriptors(rng: np.random.Generator, places: int, photos_each: int) -> list[np.ndarray]:
    """Photos of different places: each place has its own descriptors, seen with noise."""
    found = []
    for _ in range(places):
        things = rng.integers(0, 120, (200, 128))
        for _ in range(photos_each):
            seen = things[rng.permutation(200)[:150]] + rng.integers(0, 8, (150, 128))
            found.append(seen.astype(np.uint8))
    return found


def test_photos_of_one_place_have_similar_signatures() -> None:
    signatures = vlad(descriptors(np.random.default_rng(0), places=4, photos_each=3))
    np.testing.assert_allclose(np.linalg.norm(signatures, axis=1), 1, atol=1e-5)
    likeness = signatures @ signatures.T
    same = np.kron(np.eye(4), np.ones((3, 3))).astype(bool)
    assert likeness[same].min() > likeness[~same].max()


def test_many_photos_are_compared_to_their_look_alikes() -> None:
    rng = np.random.default_rng(1)
    photos = descriptors(rng, places=30, photos_each=3)
    order = rng.permutation(len(photos))
    assert len(photos) > MOST
    ids = {f"{place:03d}": place for place in range(len(photos))}
    pairs = set(choose("auto", ids, lambda number: photos[order[number]]))
    assert len(pairs) < len(photos) * (ALIKE + 3)
    where = np.argsort(order)
    for place in range(30):
        a, b, c = sorted(f"{where[3 * place + k]:03d}" for k in range(3))
        assert {(a, b), (a, c), (b, c)} <= pairs


def test_signatures_of_few_photos_need_no_twenty_neighbours() -> None:
    assert similar(np.eye(3, dtype=np.float32)) == [(0, 1), (0, 2), (1, 2)]
