"""Which panels a page has, and under which tab each stands."""

from __future__ import annotations

from app.viewer import (
    crop_panel,
    drawing_panel,
    export_panel,
    filter_panel,
    floaters_panel,
    measure_panel,
    mode_panel,
    path_panel,
    photos_panel,
    scene_panel,
    versus,
)
from app.viewer.page import Page

SCENE_TABS = {
    "Look": (
        versus.add,
        drawing_panel.add,
        mode_panel.add,
        photos_panel.add,
        scene_panel.add,
    ),
    "Edit": (crop_panel.add, filter_panel.add, floaters_panel.add),
    "Measure": (measure_panel.add,),
    "Path": (path_panel.add,),
    "Export": (export_panel.add,),
}
"""The panels of a page of splats, tab by tab."""


def add_scene_controls(page: Page) -> None:
    """Every tab, below the numbers."""
    tabs = page.server.gui.add_tab_group(order=6)
    for title, panels in SCENE_TABS.items():
        with tabs.add_tab(title):
            for add in panels:
                add(page)
