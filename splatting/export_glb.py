"""Splats as glTF 2.0 with KHR_gaussian_splatting: the one standard that has a place for a kernel.

One primitive of points in COLMAP's frame under a node that turns it y-up. Programs that do not know
our kernel extension draw the standard's ellipse, that is Gaussians.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from data.glb import ARRAY_BUFFER, Body, pack
from data.whole_files import write_whole
from splatting import kernels
from splatting.splats import SH_C0, Splats

EXTENSION = "KHR_gaussian_splatting"
KERNEL_EXTENSION = "DARB3D_gaussian_splatting_kernel"
_POINTS = 0


def save_glb(path: str | Path, splats: Splats) -> None:
    """Write `splats` as one .glb; the file appears whole or not at all."""
    opacity = 1.0 / (1.0 + np.exp(-splats.logit_opacities.astype(np.float64)))
    colour = np.clip(0.5 + SH_C0 * splats.sh0, 0.0, 1.0)
    unit = splats.quats / np.linalg.norm(splats.quats, axis=1, keepdims=True)
    columns = {
        "POSITION": splats.means,
        "COLOR_0": np.concatenate([colour, opacity[:, None]], axis=1),
        f"{EXTENSION}:ROTATION": unit[:, [1, 2, 3, 0]],
        f"{EXTENSION}:SCALE": np.exp(splats.log_scales),
        f"{EXTENSION}:OPACITY": opacity[:, None],
        f"{EXTENSION}:SH_DEGREE_0_COEF_0": splats.sh0,
    }
    place = 0
    for degree in range(1, splats.sh_degree + 1):
        for k in range(2 * degree + 1):
            columns[f"{EXTENSION}:SH_DEGREE_{degree}_COEF_{k}"] = splats.shN[:, place]
            place += 1
    body = Body()
    places = {
        name: body.add(column, target=ARRAY_BUFFER, bounds=name == "POSITION")
        for name, column in columns.items()
    }
    write_whole(path, pack(_document(places, splats, body), b"".join(body.parts)))


def _document(places: dict[str, int], splats: Splats, body: Body) -> dict[str, Any]:
    how: dict[str, Any] = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}
    used = [EXTENSION]
    if splats.kernel.name != "gaussian":
        program = kernels.describe(splats.kernel)
        named = {"name": splats.kernel.name} | (json.loads(program) if program else {})
        how["extensions"] = {KERNEL_EXTENSION: named}
        used.append(KERNEL_EXTENSION)
    primitive = {
        "mode": _POINTS,
        "attributes": places,
        "extensions": {EXTENSION: how},
    }
    return {
        "asset": {"version": "2.0", "generator": "Darb3D", "extras": _extras(splats)},
        "extensionsUsed": used,
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        # half a turn about x: COLMAP's y points down, glTF's up
        "nodes": [{"mesh": 0, "rotation": [1.0, 0.0, 0.0, 0.0]}],
        "meshes": [{"primitives": [primitive]}],
        **body.described(),
    }


def _extras(splats: Splats) -> dict[str, str]:
    """What a .ply says in its comments, under the same names."""
    extras = {"SplatRenderMode": "mip" if splats.antialiased else "default"}
    if any(splats.origin_world):
        extras["SplatOrigin"] = " ".join(map(repr, splats.origin_world))
    return extras
