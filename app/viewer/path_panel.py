"""The camera path: key frames, a preview on the page, the path as a file, the path as a film."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.viewer.job import Job
from app.viewer.key_frames import KeyFrames, bring, seen_by
from app.viewer.page import Page
from app.viewer.twin import name_of, panel_html, render_command
from data.errors import UserError
from splatting.camera_paths import between, to_json

if TYPE_CHECKING:
    from data.camera import Camera

SIZES: tuple[str, ...] = (
    "640 x 360",
    "960 x 540",
    "1280 x 720",
    "1920 x 1080",
    "1080 x 1080",
    "1080 x 1920",
)
RATES: tuple[str, ...] = ("24", "30", "60")
PREVIEW_FPS = 20.0
GO, SET, UP, DOWN, REMOVE = "Go", "Set", "▲", "▼", "✕"


def add(page: Page) -> None:
    """The tab for a camera path."""
    _Path(page)


class _Path:
    """The tab and what it started: a preview moves the camera of whoever asked for it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.list = KeyFrames(page)
        self.preview_of: threading.Event | None = None
        self.cancelled = threading.Event()
        gui = page.server.gui
        self.add = gui.add_button("Add this view", hint="As a key frame, after the chosen one")
        self.key: Any = gui.add_dropdown("key frame", ("none",))
        self.act = gui.add_button_group(
            "with it",
            (GO, SET, UP, DOWN, REMOVE),
            hint="Go there, set it to this view, earlier, later, remove",
        )
        self.closed = gui.add_checkbox("closed", False, hint="Return to the first key frame")
        self.shown = gui.add_checkbox("show path", True)
        self.seconds = gui.add_number("seconds", 8.0, min=0.2, max=600.0, step=0.5)
        self.rate = gui.add_dropdown("frames / s", RATES, initial_value="30")
        self.size = gui.add_dropdown("size", SIZES, initial_value="1280 x 720")
        self.preview = gui.add_button("Preview", color="gray")
        self.save = gui.add_button("Save path", color="gray", hint="A camera path of nerfstudio")
        self.film = gui.add_button("Render film", hint="In the background, by the server")
        self.job = Job(gui, self.film)
        self.cancel = gui.add_button("Cancel", color="gray", visible=False)
        self.twin = gui.add_html("")
        self.add.on_click(self._added)
        self.key.on_update(self._chosen)
        self.act.on_click(self._acted)
        self.closed.on_update(lambda _: self._changed())
        self.shown.on_update(lambda _: self._changed())
        for part in (self.rate, self.size):
            part.on_update(lambda _: self._tell())
        self.preview.on_click(self._preview)
        self.save.on_click(self._save)
        self.film.on_click(self._film)
        self.cancel.on_click(lambda _: self.cancelled.set())
        page.edits.on_change(self._tell)
        page.on_look(self._tell)
        self._changed()

    def cameras(self) -> list[Camera]:
        """Every frame of the path; UserError while there are no key frames."""
        if len(self.list.keys) < 2:
            raise UserError("add two key frames or more: the path runs through them")
        width, height = map(int, self.size.value.split(" x "))
        frames = max(2, round(self.seconds.value * self._fps()))
        return between(self.list.cameras(width, height), frames, self.closed.value)

    def _fps(self) -> float:
        return float(self.rate.value)

    def _added(self, event: Any) -> None:
        self.list.add(seen_by(event.client, self.page.scale))
        self._changed()

    def _chosen(self, event: Any) -> None:
        if event.client is not None and self.list.keys:
            self.list.chosen = int(self.key.value) - 1
            self._changed()

    def _acted(self, event: Any) -> None:
        keys, what = self.list, self.act.value
        if not keys.keys:
            return
        key = keys.keys[keys.chosen]
        if what == GO:
            bring(event.client, key.camera(), self.page.scale, key.distance)
        elif what == SET:
            keys.keys[keys.chosen] = seen_by(event.client, self.page.scale)
        elif what == REMOVE:
            keys.remove()
        else:
            keys.move(-1 if what == UP else 1)
        self._changed()

    def _changed(self) -> None:
        count = len(self.list.keys)
        self.key.options = tuple(str(i + 1) for i in range(count)) or ("none",)
        self.key.value = str(self.list.chosen + 1) if count else "none"
        for part in (self.key, self.act, self.closed, self.shown):
            part.visible = count > 0
        for part in (self.preview, self.save, self.film):
            part.disabled = count < 2
        self.list.draw(self.closed.value, self.shown.value)
        self._tell()

    def _preview(self, event: Any) -> None:
        if self.preview_of is not None:
            self.preview_of.set()
            return
        stop = self.preview_of = threading.Event()
        args = (event.client, stop)
        threading.Thread(target=self._play, args=args, name="preview", daemon=True).start()

    def _play(self, client: Any, stop: threading.Event) -> None:
        page, clients = self.page, self.page.server.get_clients
        before, up = seen_by(client, page.scale), client.camera.up_direction.copy()
        keys = self.list.cameras(1000, 1000)
        frames = max(2, round(self.seconds.value * PREVIEW_FPS))
        path = between(keys, frames, self.closed.value)
        try:
            self.preview.label = "Stop"
            begin = time.monotonic()
            while not stop.is_set() and not page.closed and client.client_id in clients():
                frame = int((time.monotonic() - begin) * PREVIEW_FPS)
                if frame >= frames:
                    break
                bring(client, path[frame], page.scale, before.distance)
                stop.wait(1.0 / PREVIEW_FPS)
            if client.client_id in clients():
                bring(client, before.camera(), page.scale, before.distance)
                client.camera.up_direction = up
        finally:
            self.preview_of, self.preview.label = None, "Preview"

    def _save(self, event: Any) -> None:
        cameras = self.cameras()
        keys = self.list.cameras(cameras[0].width, cameras[0].height)
        origin = self.page.stage.source.origin_world
        text = to_json(cameras, self._fps(), keys, self.closed.value, origin)
        event.client.send_file_download(self._file(), text.encode(), save_immediately=True)

    def _film(self, event: Any) -> None:
        self.cancelled.clear()
        self.job.start(
            lambda folder: self._draw(event.client, folder / f"{name_of(self.page)}.mp4")
        )

    def _draw(self, client: Any, out: Path) -> str:
        """Draw the film; the command of the twin does the same."""
        from app.film import film
        from app.frames import drawer

        page, source = self.page, self.page.edits.source
        if source is None:
            raise UserError("no splats yet")
        cameras, kept = self.cameras(), page.edits.keep(source)
        measured = [view.camera for view in page.views if view.split == "train"]
        turn = page.stage.pace.turn
        self.cancel.visible = True
        try:
            with film(out, self._fps()) as add_picture:
                draw = drawer(source, kept, page.look, cameras, measured, self._measured, turn)
                for done, camera in enumerate(cameras):
                    self._go_on()
                    with turn():
                        picture = draw(camera)
                    add_picture(picture)
                    self.job.progress((done + 1) / len(cameras))
                    self.job.say(f"frame {done + 1} of {len(cameras)}")
        finally:
            self.cancel.visible = False
        content = out.read_bytes()
        client.send_file_download(out.name, content)
        return f"{len(cameras)} frames, {len(content) / 1e6:.1f} MB: the link is on the left"

    def _go_on(self) -> None:
        if self.cancelled.is_set() or self.page.closed:
            raise UserError("cancelled")

    def _measured(self, photos: int) -> None:
        self._go_on()
        self.job.say(f"contribution measured in {photos} photos")

    def _file(self) -> str:
        return f"{name_of(self.page)}-path.json"

    def _tell(self) -> None:
        self.twin.visible = len(self.list.keys) > 1
        film, look = Path(f"{name_of(self.page)}.mp4"), self.page.look
        self.twin.content = panel_html(
            render_command(
                self.page,
                out=film,
                path=self._file(),
                fps=self._fps(),
                what=look.what,
                level=look.level,
            )
        )
