"""How much memory a training will need, and what it may take: nobody's machine should swap, or kill
the run, because a default was too large."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import UserError

if TYPE_CHECKING:
    from data.scene import Scene

GB = 1e9
BYTES_A_SPLAT = 1_600
"""Peak, at the density control of a million splats (`benchmarks.memory`)."""
BYTES_A_PIXEL = 120
"""Picture, loss and gradients of the largest photo."""
BYTES_OF_THE_PROGRAM = 0.3e9
CACHE_SHARE, SHARE = 0.25, 0.9
"""Of the free memory: for decoded photos, and for everything."""


@dataclass(frozen=True)
class MemoryPlan:
    """What a training gets."""

    cache_bytes: float
    max_splats: int
    peak_bytes: float
    note: str


def plan(
    scene: Scene, max_splats: int, cache_gb: float | None, free_bytes: float | None = None
) -> MemoryPlan:
    """Room for decoded photos and splats; fewer of either than wanted where memory is short.

    UserError when it does not even suffice for the start.
    """
    free = free_bytes if free_bytes is not None else _free_bytes()
    pixels = [view.camera.width * view.camera.height for view in scene.train]
    photos = 4.0 * sum(pixels)  # three bytes a pixel, and a third for the coarser levels
    cache = free * CACHE_SHARE if cache_gb is None else cache_gb * GB
    held = min(photos, cache)
    fixed = BYTES_OF_THE_PROGRAM + BYTES_A_PIXEL * max(pixels)
    room = SHARE * free - fixed - held
    affordable = int(room / BYTES_A_SPLAT)
    if affordable < min(1_000, max_splats):
        raise UserError(
            f"memory: expected {(fixed + held) / SHARE / GB:.1f} GB free for photos of"
            f" {max(pixels) / 1e6:.1f} megapixels, found {free / GB:.1f} GB; shrink them with"
            " --data-factor"
        )
    splats = min(max_splats, affordable)
    peak = fixed + held + BYTES_A_SPLAT * splats
    note = f"memory: about {peak / GB:.1f} GB at most, {free / GB:.1f} GB are free"
    if splats < max_splats:
        note += f"; at most {splats:,} splats fit"
    if held < photos:
        note += f"; {held / photos:.0%} of the photos stay decoded"
    return MemoryPlan(cache, splats, peak, note)


def _free_bytes(
    groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> float:
    """What the machine has free, or the container it runs in, or any group of processes around."""
    import psutil

    free = float(psutil.virtual_memory().available)
    for folder, limit, used in _groups(groups, own):
        with suppress(OSError, ValueError):  # no such group, or one without a limit ("max")
            room = int((folder / limit).read_text()) - int((folder / used).read_text())
            free = min(free, room + _cached_bytes(folder))
    return free


def _groups(groups: Path, own: Path) -> Iterator[tuple[Path, str, str]]:
    """Folders of the groups that this process is in, up to the root, and the names of their files:
    of today's layout, and of the one that old hosts of containers have."""
    lines = own.read_text().splitlines() if own.is_file() else []
    below = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
    for controllers, base, limit, used in (
        ("", groups, "memory.max", "memory.current"),
        ("memory", groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        folder = base / below.get(controllers, "/").lstrip("/")
        for place in (folder, *folder.parents):
            yield place, limit, used
            if place == base:
                break


def _cached_bytes(folder: Path) -> int:
    """Files that a group holds in memory until something else needs it."""
    with suppress(OSError, ValueError):
        lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        held = {name: int(value) for name, value in lines}
        whole = "total_" if "total_cache" in held else ""  # with the groups below
        return sum(held.get(f"{whole}{kind}_file", 0) for kind in ("active", "inactive"))
    return 0
