"""Who draws: the server, exactly, or the browser, at once."""

from __future__ import annotations

from app.viewer.page import Page

SERVER, BROWSER = "server, exact", "browser, fast"


def add(page: Page) -> None:
    """The switch, where browsers can draw what is on stage."""
    gui, stage, browser = page.server.gui, page.stage, page.stage.browser
    if browser is None:
        return
    drawn_by = gui.add_dropdown(
        "drawn by",
        [SERVER, BROWSER],
        initial_value=BROWSER if stage.in_browser else SERVER,
        hint="The browser draws at once; its colours follow when the camera rests. What it cannot "
        "draw (modes, comparisons) comes from the server all the same",
    )
    note = gui.add_markdown(f"*{browser.note}*", visible=False)

    @drawn_by.on_update
    def _(_event: object) -> None:
        stage.in_browser = drawn_by.value == BROWSER
        note.visible = stage.in_browser and bool(browser.note)
        page.wake()
