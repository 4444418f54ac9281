"""`darb3d mesh`: a triangle mesh of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from data.errors import UserError

ENDINGS = (".ply", ".obj", ".glb", ".stl")


@dataclass(frozen=True)
class Command:
    """Fuse the depth that a run's cameras see into a coloured triangle mesh (TSDF, open3d)."""

    run_or_file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE")]
    """Run folder, or a .ply, .splat, .spz, .ksplat, .glb."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """mesh.ply, .obj, .glb or .stl."""
    cells: int = 256
    """Cells along each edge of a cube, 16 to 1024: twice as many need eight times the memory
    (256: 0.8 GB)."""
    corner: tuple[float, float, float] | None = None
    """Lowest corner of the cube, in the coordinates of the model; by default it holds all but
    strays."""
    side: float | None = None
    """Side of the cube."""
    parts: int = 1
    """Keep this many of the largest connected parts."""
    scene: Path | None = None
    """COLMAP folder that gives the cameras; a run folder remembers its own."""

    def run(self) -> int:
        """Fuse; returns the exit code."""
        import numpy as np
        from rich.console import Console
        from rich.progress import Progress

        from app.loading import load
        from data.whole_files import replacing
        from splatting.mesh import cube_around, fuse, largest_parts
        from splatting.splats import with_origin

        if not self.out.name.lower().endswith(ENDINGS):
            raise UserError(f"{self.out}: expected a name that ends in {', '.join(ENDINGS)}")
        if not 16 <= self.cells <= 1024:
            raise UserError(f"--cells: expected 16 to 1024, found {self.cells}")
        if self.side is not None and not 0 < self.side < float("inf"):
            raise UserError(f"--side: expected above 0, found {self.side}")
        if self.parts < 1:
            raise UserError(f"--parts: expected 1 or more, found {self.parts}")
        loaded = load(self.run_or_file)
        scene = loaded.scene(self.scene)
        if scene is None:
            raise UserError(
                f"{self.run_or_file}: expected to know the scene's cameras, found no config.json "
                "that names it; add --scene SCENE"
            )
        cameras = [view.camera for view in scene.views]
        splats = with_origin(loaded.splats, scene.origin_world)
        corner, side = cube_around(splats)
        if self.side is not None:
            corner, side = corner + (side - self.side) / 2, self.side
        if self.corner is not None:
            corner = np.array(self.corner) - np.array(splats.origin_world)
        console = Console(highlight=False, markup=False, soft_wrap=True)
        with Progress(console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("fusing", total=len(cameras))
            mesh = fuse(splats, cameras, corner, side, self.cells, lambda: bar.advance(task))
        mesh = largest_parts(mesh, self.parts)
        import open3d as o3d

        with replacing(self.out) as temporary:
            if not o3d.io.write_triangle_mesh(temporary, mesh):
                raise UserError(f"{self.out}: expected open3d to write it, found that it cannot")
        console.print(
            f"wrote {self.out}: {len(mesh.vertices):,} vertices, {len(mesh.triangles):,} triangles,"
            f" cells of {side / self.cells:.3g}"
        )
        if any(splats.origin_world):
            x, y, z = splats.origin_world
            console.print(f"add {x} {y} {z} to its coordinates to get those of the COLMAP model")
        return 0
