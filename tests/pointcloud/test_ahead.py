"""What is made ahead is what was asked for, whether the guess was right or wrong."""

from __future__ import annotations

import threading

import pytest

from pointcloud.ahead import Ahead


def test_a_right_guess_is_made_once_and_elsewhere() -> None:
    made: list[tuple[int, str]] = []

    def make(number: int) -> int:
        made.append((number, threading.current_thread().name))
        return 10 * number

    ahead = Ahead(make)
    assert [ahead.take((k,), (k + 1,)) for k in (1, 2, 3)] == [10, 20, 30]
    assert ahead.take((7,), (8,)) == 70, "a wrong guess"
    assert ahead.take((8,), (9,)) == 80
    numbers = [number for number, _ in made]
    assert numbers[:3] == [1, 2, 3] and sorted(set(numbers)) == sorted(numbers)
    threads = dict(made)
    assert threads[2].startswith("ahead") and threads[7] == threads[1] == "MainThread"


def test_what_goes_wrong_is_said_when_it_is_asked_for() -> None:
    ahead = Ahead(lambda number: 1 // number)
    assert ahead.take((1,), (0,)) == 1
    with pytest.raises(ZeroDivisionError):
        ahead.take((0,), (1,))
