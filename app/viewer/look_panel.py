"""The tab for looking: size of the pictures, the cameras of the photos, a jump to each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.viewer.page import Page

if TYPE_CHECKING:
    from app.viewer.client_page import ClientPage

SERVER, BROWSER = "server, exact", "browser, fast"
TRAIN_COLOUR, TEST_COLOUR = (88, 166, 255), (240, 136, 62)


def add(page: Page) -> None:
    """Picture size; and, where there are photos, their frustums and a slider through them."""
    gui, stage = page.server.gui, page.stage
    if stage.browser is not None:
        _add_switch(page, stage.browser)
    if page.views:
        number = gui.add_slider("photo", 1, len(page.views), 1, 1, hint="Stand where it was taken")
        number.on_update(lambda event: page.stand_at(int(number.value) - 1, event.client))
        cameras = gui.add_checkbox("cameras", False, hint="Click one to stand there")
        frustums: list = []

        @cameras.on_update
        def _(_event: object) -> None:
            stage.with_depth = cameras.value
            if cameras.value and not frustums:
                frustums.extend(_frustums(page))
            for frustum in frustums:
                frustum.visible = cameras.value
            page.wake()

    detail = gui.add_slider("detail", 0.25, 1.0, 0.25, 1.0, hint="Size of a picture at rest")

    @detail.on_update
    def _(_event: object) -> None:
        stage.detail = detail.value
        page.wake()


def _add_switch(page: Page, browser: ClientPage) -> None:
    gui, stage = page.server.gui, page.stage
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


def _frustums(page: Page) -> list:
    handles = []
    for index, (view, pose) in enumerate(zip(page.views, page.poses, strict=True)):
        frustum = page.server.scene.add_camera_frustum(
            f"/cameras/{index}",
            fov=pose.fov_y_rad,
            aspect=view.camera.width / view.camera.height,
            scale=page.frustum_size,
            thickness=1.5,
            thickness_units="screen",
            color=TEST_COLOUR if view.split == "test" else TRAIN_COLOUR,
            wxyz=pose.wxyz,
            position=pose.position,
        )
        frustum.on_click(lambda event, index=index: page.stand_at(index, event.client))
        handles.append(frustum)
    return handles
