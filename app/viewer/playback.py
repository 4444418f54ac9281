"""Playback: which clip and which frame is on the page, and the clock that moves it on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from data.motion import Motion

TICK_S = 1 / 30
"""Between two frames sent to the page; faster clips leave frames out."""
SPEEDS = (0.1, 4.0)


@dataclass(eq=False)
class Playback:
    """The state that panels share; what they change is told to all that listen."""

    clips: list[Motion]
    clip: int = 0
    frame: int = 0
    playing: bool = False
    speed: float = 1.0
    loop: bool = True
    joint: int | None = None
    """The one somebody picked."""
    on_clip: list[Callable[[], None]] = field(default_factory=list)
    on_frame: list[Callable[[], None]] = field(default_factory=list)
    on_joint: list[Callable[[], None]] = field(default_factory=list)
    on_play: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._at_s = 0.0

    @property
    def motion(self) -> Motion:
        """The clip on the page."""
        return self.clips[self.clip]

    @property
    def seconds(self) -> float:
        """Of the frame on the page, from the first."""
        return self.frame / self.motion.fps

    def go_to(self, frame: int) -> None:
        """Show a frame; beyond the ends, the last or first."""
        with self.lock:
            self._at_s = min(max(frame, 0), len(self.motion) - 1) / self.motion.fps
            self._show(round(self._at_s * self.motion.fps))

    def choose(self, clip: int) -> None:
        """Show another clip from its start."""
        with self.lock:
            self.clip, self.frame, self._at_s, self.joint = clip, 0, 0.0, None
            _tell(self.on_clip)
            _tell(self.on_frame)

    def open(self, clips: list[Motion]) -> None:
        """Show other clips in place of these."""
        with self.lock:
            self.clips = clips
            self.choose(0)

    def pick(self, joint: int | None) -> None:
        """Have one joint stand out."""
        with self.lock:
            self.joint = joint
            _tell(self.on_joint)

    def play(self, playing: bool) -> None:
        """Start or stop; at the end, start over."""
        with self.lock:
            if playing and not self.loop and self.frame == len(self.motion) - 1:
                self.go_to(0)
            self.playing = playing
            _tell(self.on_play)

    def advance(self, seconds: float) -> None:
        """Move on by so much time of the clock; loops, or stops at the last frame."""
        with self.lock:
            motion = self.motion
            self._at_s += seconds * self.speed
            if self._at_s * motion.fps >= len(motion) - (0 if self.loop else 1):
                if self.loop:
                    self._at_s %= motion.seconds
                else:
                    self._at_s = (len(motion) - 1) / motion.fps
                    self.play(False)
            # the smallest of numbers below a frame is rounding, not time
            self._show(min(int(self._at_s * motion.fps + 1e-6), len(motion) - 1))

    def _show(self, frame: int) -> None:
        if frame != self.frame:
            self.frame = frame
            _tell(self.on_frame)


def _tell(listeners: list[Callable[[], None]]) -> None:
    for listener in list(listeners):
        listener()


class Clock(threading.Thread):
    """Advances a playback for as long as it plays and `watched()` says that somebody looks."""

    def __init__(self, playback: Playback, watched: Callable[[], object]) -> None:
        super().__init__(name="viewer-clock", daemon=True)
        self._playback, self._watched = playback, watched
        self._ended = threading.Event()

    def run(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(TICK_S):
            now = time.monotonic()
            if self._playback.playing and self._watched():
                # after a stall, go on from where it was
                self._playback.advance(min(now - last, 0.25))
            last = now

    def end(self) -> None:
        """Stop for good."""
        self._ended.set()


class Unhurried(threading.Thread):
    """Does `work` after a wake, not more often than every `pause_s`; the last wake is never lost.

    For what is too slow to be done for every frame.
    """

    def __init__(
        self, work: Callable[[], None], pause_s: float, on_error: Callable[[str], None]
    ) -> None:
        super().__init__(name="viewer-unhurried", daemon=True)
        self._work, self._pause_s, self._on_error = work, pause_s, on_error
        self._wake = threading.Event()
        self._ended = False

    def wake(self) -> None:
        """Have the work done soon."""
        self._wake.set()

    def run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._ended:
                return
            try:
                self._work()
            except Exception as error:  # the page goes on, and says what is wrong
                self._on_error(f"{type(error).__name__}: {error}")
            time.sleep(self._pause_s)

    def end(self) -> None:
        """Stop for good."""
        self._ended = True
        self._wake.set()
