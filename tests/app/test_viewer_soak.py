"""Minutes of random camera moves, reloads and killed tabs leave the server's memory as it was.

`make soak` takes ten of them; here it is a third of one.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks.page_client import PageClient, Seat, size_of

SECONDS = 60 * float(os.environ.get("DARB3D_SOAK_MINUTES", "0.35"))
WARM_UP_S = max(30.0, 0.1 * SECONDS)
"""Compiled code, thread pools and the allocator's arenas fill in this time."""
GROWTH = 1.05
CENTRE, DISTANCES, LARGEST = (0.0, 0.0, 0.4), (2.0, 5.0), 640
"""Around the splats: from among them a picture has pairs of splat and tile without end, and the
buffers, which keep the size of the largest picture, would still grow when the warm-up is over."""
SPLATS = Path(__file__).parents[2] / "data" / "samples" / "synth_splats" / "gt_splats.ply"


class Visitor:
    """A page that walks at random; now and then it is resized, reloaded or killed."""

    def __init__(self, address: str, seed: int) -> None:
        self._address = address
        self._rng = np.random.default_rng(seed)
        self._page = PageClient(address)
        self.pictures = 0

    def act(self, seconds: float) -> None:
        """Look around for so long."""
        rng, end = self._rng, time.monotonic() + seconds
        width, height = rng.integers(64, LARGEST + 1, 2)
        seat = Seat(look_at=CENTRE, width=int(width), height=int(height))
        while time.monotonic() < end:
            away = (CENTRE[0], CENTRE[1], CENTRE[2] - float(rng.uniform(*DISTANCES)))
            self._page.move(replace(seat, position=away).turned(float(rng.uniform(-3, 3))))
            self._take(float(rng.exponential(0.05)))
        self._page.set("detail", float(rng.choice([0.5, 1.0])))
        if rng.uniform() < 0.2:
            (self._page.close if rng.uniform() < 0.5 else self._page.kill)()
            self._page = PageClient(self._address)

    def _take(self, seconds: float) -> None:
        for message in self._page.messages(seconds):
            self.pictures += message["type"] == "BackgroundImageMessage"

    def leave(self) -> None:
        """Close the page."""
        self._page.close()


def fill_buffers(page: PageClient) -> None:
    """Ask for the largest pictures there will be: buffers keep the size of the largest, whenever
    chance would have brought it."""
    nearest = (CENTRE[0], CENTRE[1], CENTRE[2] - DISTANCES[0])
    seat = Seat(look_at=CENTRE, position=nearest, width=LARGEST, height=LARGEST)
    for turn in np.linspace(-3, 3, 8):
        page.move(seat.turned(float(turn)))
        while size_of(page.picture(60)) != (LARGEST, LARGEST):
            pass


@pytest.mark.timeout(SECONDS + 300)
def test_memory_stays(darb3d, tmp_path):
    process = darb3d.start("view", SPLATS, cwd=tmp_path)
    assert process.stdout is not None
    address = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)))[0]
    with PageClient(address) as first:
        assert first.picture(250), "compiling"
        fill_buffers(first)
    server, visitors = psutil.Process(process.pid), [Visitor(address, seed) for seed in range(2)]
    started, sizes = time.monotonic(), []
    while (now := time.monotonic() - started) < WARM_UP_S + SECONDS:
        for visitor in visitors:
            visitor.act(0.4)
        sizes.append((now, server.memory_info().rss))
    for visitor in visitors:
        visitor.leave()
    times, rss = np.array(sizes).T
    before = np.median(rss[(times > WARM_UP_S / 2) & (times <= WARM_UP_S)])
    after = np.median(rss[times > WARM_UP_S + 0.8 * SECONDS])
    print(f"{before / 2**20:.1f} MB, then {after / 2**20:.1f} MB; threads {server.num_threads()}")
    assert all(visitor.pictures > SECONDS for visitor in visitors)
    assert after < GROWTH * before
    assert process.poll() is None
    process.terminate()
    _out, err = process.communicate(timeout=60)
    assert not err, err
