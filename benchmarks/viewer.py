"""The page: pictures a second, seconds to the first picture, memory of the browser.

    python -m benchmarks.viewer [--quick] [--part fps first memory] [--json FILE]

`fps`: `darb3d view` draws for a socket that moves its camera sixty times a second and does nothing
else; a real browser would take cores that a user has elsewhere. Pictures of a moving camera are
made smaller when time is short, so their size stands beside the rate. `first`: from the start of
`darb3d view` until a page has its first picture, with compiled code in the cache. `memory`: all
processes of Chromium (software WebGL: what a GPU would hold is among it), with the page of N splats
less the page of none, once while the server draws and once while the browser does; needs
playwright.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from app.viewer.drawing_panel import BROWSER
from benchmarks.machine import facts, parser, print_table, write_json
from benchmarks.page_client import PageClient, Seat, size_of
from benchmarks.render import camera_of, splats_in

WIDTH, HEIGHT = 640, 480
SEAT = Seat(
    fov_y_rad=camera_of(WIDTH, HEIGHT).fov_y_rad,
    look_at=(0.0, 0.0, 4.0),
    width=WIDTH,
    height=HEIGHT,
)
KERNEL = "raised-cosine"
COMPILES_S = 600.0
WATCHED_S = 30.0


def write_splats(folder: Path, count: int) -> Path:
    """A .ply of `count` splats, harmonics of degree 3, before a camera at the origin."""
    from splatting.export import save_ply

    path = folder / f"{count}.ply"
    save_ply(path, splats_in(camera_of(WIDTH, HEIGHT), count, KERNEL))
    return path


@contextmanager
def view(path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `darb3d view` and the address it printed."""
    command = [sys.executable, "-m", "app", "view", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if found := re.search(r"http://\S+", line):
                yield process, found[0]
                break
        else:
            raise SystemExit(f"{' '.join(command)}: ended without an address")
    finally:
        process.terminate()
        process.communicate()


def frames_per_second(path: Path, seconds: float) -> dict[str, Any]:
    """Pictures a second while the camera moves, and their median size."""
    import psutil

    with view(path) as (process, address), PageClient(address, SEAT) as page:
        page.picture(COMPILES_S)
        _walk(page, 0.25 * seconds)
        server = psutil.Process(process.pid)
        before = server.cpu_times()
        pictures = _walk(page, seconds)
        after = server.cpu_times()
    sizes = np.array([size_of(picture) for picture in pictures])
    cpu_s = after.user + after.system - before.user - before.system
    return {
        "fps": round(len(pictures) / seconds, 1),
        "width": int(np.median(sizes[:, 0])),
        "height": int(np.median(sizes[:, 1])),
        "kb": round(float(np.median([len(picture) for picture in pictures])) / 1e3, 1),
        "cpu_ms_a_picture": round(1e3 * cpu_s / len(pictures), 1),
    }


def _walk(page: PageClient, seconds: float) -> list[bytes]:
    """Turn the camera to and fro; the pictures that came."""
    pictures, started = [], time.monotonic()
    while (now := time.monotonic() - started) < seconds:
        page.move(SEAT.turned(0.1 * np.sin(now)))
        for message in page.messages(1 / 60):
            if message["type"] == "BackgroundImageMessage":
                pictures.append(message["rgb_data"])
    return pictures


def first_picture(path: Path) -> dict[str, float]:
    """Seconds from the start of the command to its address, a picture, and one of full size."""
    started = time.perf_counter()
    with view(path) as (_process, address):
        seconds = {"address_s": time.perf_counter() - started}
        with PageClient(address, SEAT) as page:
            size = size_of(page.picture(COMPILES_S))
            seconds["picture_s"] = time.perf_counter() - started
            while size != (WIDTH, HEIGHT):
                size = size_of(page.picture(COMPILES_S))
            seconds["full_s"] = time.perf_counter() - started
    return seconds


def first_pictures(path: Path, rounds: int) -> dict[str, Any]:
    """Medians of `first_picture`; the first run, which may compile, is not counted."""
    first_picture(path)
    found = [first_picture(path) for _ in range(rounds)]
    medians = {key: round(float(np.median([f[key] for f in found])), 2) for key in found[0]}
    return {**medians, "rounds": rounds}


def browser_memory(path: Path) -> Iterator[dict[str, Any]]:
    """Megabytes that Chromium holds once the page of `path` shows its picture, drawn by the server
    and then by itself: the most in `WATCHED_S` seconds."""
    import shutil

    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
    with view(path) as (_process, address), sync_playwright() as play:
        with PageClient(address, SEAT) as page:
            page.picture(COMPILES_S)
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        tab = browser.new_page(viewport={"width": 1280, "height": 720})
        empty = _held_mb()
        tab.goto(address)
        tab.wait_for_selector("canvas", timeout=120_000)
        for drawn_by in ("server", "browser"):
            if drawn_by == "browser":
                tab.get_by_label("drawn by", exact=True).first.click()
                tab.get_by_role("option", name=BROWSER, exact=True).click()
            most, end = 0.0, time.monotonic() + WATCHED_S
            while time.monotonic() < end:
                most = max(most, _held_mb())
                time.sleep(0.5)
            yield {
                "drawn_by": drawn_by,
                "empty_mb": round(empty),
                "page_mb": round(most),
                "beside_mb": round(most - empty),
            }
        browser.close()


def _held_mb() -> float:
    """Proportional set size of every process of Chromium that this one started."""
    import psutil

    found = psutil.Process().children(recursive=True)
    browsers = [process for process in found if "chrom" in process.name()]
    return sum(process.memory_full_info().pss for process in browsers) / 2**20


def main() -> None:
    options = parser(__doc__)
    parts = ("fps", "first", "memory")
    options.add_argument("--part", nargs="+", choices=parts, default=parts)
    options.add_argument("--seconds", type=float, default=20.0, help="length of a walk")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    machine = facts()
    print(machine)
    million = 50_000 if given.quick else 1_000_000
    cells = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def add(part: str, count: int, figures: dict[str, Any]) -> None:
            cells.append({"part": part, "splats": count, **figures})
            print_table(list(cells[-1]), [list(cells[-1].values())])

        if "fps" in given.part:
            count = 10_000 if given.quick else 100_000
            seconds = 3.0 if given.quick else given.seconds
            add("fps", count, frames_per_second(write_splats(folder, count), seconds))
        if "first" in given.part:
            rounds = 1 if given.quick else given.rounds
            add("first", million, first_pictures(write_splats(folder, million), rounds))
        if "memory" in given.part:
            for count in (million,) if given.quick else (million, 3 * million):
                for figures in browser_memory(write_splats(folder, count)):
                    add("memory", count, figures)
    if given.json:
        write_json(given.json, {"benchmark": "viewer", "machine": machine, "cells": cells})


if __name__ == "__main__":
    main()
