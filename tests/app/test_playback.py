"""The clock of a motion page: frames, loops, ends; what is slow is done seldom, never missed."""

from __future__ import annotations

import time

import numpy as np
import pytest
from browsing import until

from app.viewer.playback import Clock, Playback, Unhurried
from data.motion import Motion
from data.skeleton import Skeleton

PAIR = Skeleton(("a", "b"), np.array([(0, 1)]))


def clip(frames: int, fps: float = 10.0) -> Motion:
    return Motion(np.zeros((frames, 2, 3)), PAIR, fps)


def test_it_moves_by_the_clock_times_the_speed_and_loops():
    playback = Playback([clip(20)])
    seen = []
    playback.on_frame.append(lambda: seen.append(playback.frame))
    playback.advance(0.35)
    playback.advance(0.05)
    assert (playback.frame, playback.seconds) == (4, 0.4)
    playback.speed = 2.0
    playback.advance(0.5)
    assert playback.frame == 14
    playback.advance(0.5)  # 2.4 s of a clip of 2.0 s
    assert playback.frame == 4
    playback.advance(0.01)
    assert seen == [3, 4, 14, 4], "told of each new frame once"


def test_without_a_loop_it_stops_at_the_last_frame_and_starts_over():
    playback = Playback([clip(20)], loop=False)
    playback.play(True)
    playback.advance(5.0)
    assert (playback.frame, playback.playing) == (19, False)
    playback.play(True)
    assert (playback.frame, playback.playing) == (0, True)


def test_frames_beyond_the_ends_and_clips_of_one_frame():
    playback = Playback([clip(20), clip(1)])
    playback.go_to(99)
    assert playback.frame == 19
    playback.go_to(-5)
    assert playback.frame == 0
    playback.go_to(7)
    playback.pick(1)
    playback.choose(1)
    assert (playback.clip, playback.frame, playback.joint) == (1, 0, None)
    playback.advance(3.0)
    assert playback.frame == 0


@pytest.mark.parametrize("fps", [7.0, 24.0, 29.97, 120.0])
def test_every_frame_that_is_shown_is_shown_at_its_second(fps):
    playback = Playback([clip(500, fps)])
    for frame in range(0, 500, 7):
        playback.go_to(frame)
        playback.advance(0.0)
        assert playback.frame == frame


def test_the_clock_runs_only_while_somebody_looks():
    playback = Playback([clip(1000, 100.0)])
    playback.play(True)
    watched = []
    clock = Clock(playback, lambda: watched)
    clock.start()
    try:
        time.sleep(0.15)
        assert playback.frame == 0
        watched.append("a page")
        assert until(lambda: playback.frame > 5, 5)
        playback.play(False)
        time.sleep(0.1)
        frame = playback.frame
        time.sleep(0.1)
        assert playback.frame == frame
    finally:
        clock.end()
        clock.join(2)
    assert not clock.is_alive()


def test_slow_work_is_done_seldom_and_its_errors_end_nothing():
    done, errors = [], []

    def work() -> None:
        done.append(time.monotonic())
        if len(done) == 1:
            raise RuntimeError("once")

    slow = Unhurried(work, 0.05, errors.append)
    slow.start()
    for _ in range(40):
        slow.wake()
        time.sleep(0.005)
    last = time.monotonic()
    slow.wake()
    assert until(lambda: done[-1] >= last, 5), "the last wake is never lost"
    assert errors == ["RuntimeError: once"]
    assert 2 <= len(done) <= 12
    slow.end()
    slow.join(2)
    assert not slow.is_alive()
