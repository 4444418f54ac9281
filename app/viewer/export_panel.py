"""Exports: what the page shows as a file, made beside the page and downloaded by the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.viewer.job import Job
from app.viewer.page import Page
from app.viewer.twin import export_command, name_of, panel_html
from data.errors import UserError
from splatting.selection import Selection

if TYPE_CHECKING:
    from app.commands.export import Command

FORMATS = {
    ".ply, as 3DGS has it": ".ply",
    ".compressed.ply, PlayCanvas": ".compressed.ply",
    ".splat, 32 bytes each": ".splat",
    ".spz, Niantic": ".spz",
    ".glb, glTF": ".glb",
}
CAMERAS = "cameras.json"


def add(page: Page) -> None:
    """Format, Gaussians, scale, the button and the command."""
    _Export(page)


class _Export:
    """The tab; one file at a time is made."""

    def __init__(self, page: Page) -> None:
        self.page = page
        gui = page.server.gui
        formats = [*FORMATS] + ([CAMERAS] if page.scene is not None else [])
        self.format = gui.add_dropdown("format", formats)
        self.bake = gui.add_checkbox(
            "as Gaussians", False, hint="Fit Gaussians, for programs that draw nothing else"
        )
        self.scale = gui.add_number(
            "scale", 1.0, min=1e-9, hint="Multiplies all distances; Measure can set it"
        )
        self.button = gui.add_button("Export", hint="The file comes as a download")
        self.job = Job(gui, self.button)
        self.twin = gui.add_html("")
        self.scale.precision, self.scale.step = 9, 0.1
        self.format.on_update(lambda _: self._tell())
        self.bake.on_update(lambda _: self._tell())
        self.scale.on_update(self._scaled)
        self.button.on_click(self._begin)
        page.edits.on_change(self._tell)
        page.stage.on_settled(self._tell)
        self._tell()

    def command(self, out: Path) -> Command:
        """What a command line would say for the file."""
        if self.format.value == CAMERAS:
            return export_command(self.page, out=out, selection=Selection())
        return export_command(self.page, out=out, bake_gaussian=self.bake.value)

    def _name(self) -> str:
        chosen = self.format.value
        return CAMERAS if chosen == CAMERAS else name_of(self.page) + FORMATS[chosen]

    def _scaled(self, event: Any) -> None:
        if event.client is not None:
            self.page.edits.set_scale(float(self.scale.value))

    def _begin(self, event: Any) -> None:
        client, name = event.client, self._name()
        self.job.start(lambda folder: self._make(client, folder / name))

    def _make(self, client: Any, out: Path) -> str:
        said = self._write(self.command(out))
        content = out.read_bytes()
        self.job.progress(0.7)
        client.send_file_download(out.name, content, save_immediately=True)
        return f"{said}, {len(content) / 1e6:.1f} MB"

    def _write(self, command: Command) -> str:
        """Write the file; what it holds."""
        from app.camera_list import write_camera_list
        from app.commands.export import edited, writer

        scene, edits = self.page.scene, self.page.edits
        if command.out.name == CAMERAS and scene is not None:
            write_camera_list(command.out, scene, command.scale)
            return f"{len(scene.views)} cameras"
        source = edits.source
        if source is None:
            raise UserError("no splats yet; export once training has begun")
        self.job.progress(0.1)
        splats = edited(source, command, edits.floater_scores(source))
        self.job.progress(0.3)
        writer(command.out)(command.out, splats)
        return f"{len(splats):,} splats as {splats.kernel.name}"

    def _tell(self) -> None:
        edits = self.page.edits
        self.scale.value = edits.scale
        self.bake.disabled = self.format.value == CAMERAS
        self.twin.content = panel_html(self.command(Path(self._name())))
        source = edits.source
        if source is not None and not self.job.running:
            self.job.say(f"{edits.keep(source).sum():,} of {len(source):,} splats")
