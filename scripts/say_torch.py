"""Say in one or two lines which build of torch pip is about to fetch, and how to choose another.

Usage: python scripts/say_torch.py REQUIREMENT, with the Python of the environment to fill.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from importlib import metadata

CHOICE = (
    "To choose: make install TORCH='torch==2.13.0+cpu' (or +cu130 and the like for CUDA), with "
    "PIP_EXTRA_INDEX_URL naming the index of such builds from torch's own install page; "
    "a path to a wheel works too."
)


def main(requirement: str) -> None:
    """Print what will come for `requirement`."""
    print(f"{requirement}: {describe(requirement)}\n{CHOICE}", flush=True)


def describe(requirement: str) -> str:
    """What pip will do for `requirement`, in words."""
    present = installed()
    if present and (requirement == f"torch=={present.partition('+')[0]}" or requirement == "torch"):
        return f"already here, {kind(present)} ({present}); nothing to download."
    if platform.system() == "Darwin":
        return "a CPU build will come (about 0.1 GB); CUDA does not exist on macOS."
    local = re.search(r"\+(cpu|cu\d+)", requirement)
    offered = local.group(0) if local else best_local_build(requirement)
    if offered:
        return f"{kind(offered)} will come ({offered})."
    if platform.machine() in ("x86_64", "AMD64") and platform.system() == "Linux":
        return "a CUDA build will come from the package index (about 3 GB with NVIDIA's libraries)."
    return "the package index's build for this machine will come; on Linux ARM it may hold CUDA."


def kind(version: str) -> str:
    """CPU or CUDA build, by the local part of a version."""
    return "a CPU build" if "+cpu" in version else "a CUDA build" if "+cu" in version else "a build"


def installed() -> str | None:
    """The version of torch in this environment."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return None


def best_local_build(requirement: str) -> str | None:
    """`+cpu` or `+cu...` if pip's configured sources offer the asked version in such a build."""
    wanted = requirement.partition("==")[2]
    command = [sys.executable, "-m", "pip", "index", "versions", "torch"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    offered = re.findall(r"(\d[\w.]*)(\+[\w.]+)?", answer)
    # pip prefers a local build to the plain one of the same version
    return next((local for plain, local in offered if local and wanted in ("", plain)), None)


if __name__ == "__main__":
    main(sys.argv[1])
