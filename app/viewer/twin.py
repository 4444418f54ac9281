"""The command that does what the page does: each panel for editing shows its own."""

from __future__ import annotations

import html
import shlex
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import tyro

if TYPE_CHECKING:
    from app.viewer.page import Page


def line(command: Any) -> str:
    """What to type in a shell for `command`, a Command of app.commands; defaults are left out.

    >>> from app.commands import export
    >>> line(export.Command(Path("my run"), Path("a.ply"), scale=0.5))
    "darb3d export 'my run' --out a.ply --scale 0.5"
    >>> from app.commands import view
    >>> line(view.Command(Path("a"), (Path("b"),)))
    'darb3d view a b'
    """
    name = type(command).__module__.rpartition(".")[2]
    return shlex.join(["darb3d", name, *_words(command)])


def panel_html(command: Any) -> str:
    """`line` as a block that a click copies."""
    return (
        "<div style='padding:0 0.8em 0.4em'><code class='d3-twin' title='click to copy' style='"
        "display:block; padding:0.5em 0.7em; border-radius:6px; background:rgba(128,128,128,0.12);"
        " font-size:0.78em; line-height:1.5; white-space:pre-wrap; overflow-wrap:anywhere;"
        " user-select:all; cursor:copy' onclick='navigator.clipboard?.writeText(this.innerText)'>"
        f"{html.escape(line(command))}</code></div>"
    )


def export_command(page: Page, **options: Any) -> Any:
    """`darb3d export` of what the page shows; `options` change or add to that."""
    from app.commands import export

    file = {"out": Path(f"{name_of(page)}.ply"), "scale": page.edits.scale}
    return export.Command(_source(page), **(file | _shown(page) | options))


def render_command(page: Page, **options: Any) -> Any:
    """`darb3d render` of what the page shows."""
    from app.commands import render

    return render.Command(_source(page), **(_shown(page) | options))


def _source(page: Page) -> Path:
    return Path(page.source or "RUN")


def _shown(page: Page) -> dict[str, Any]:
    scene = Path(page.scene_option) if page.scene_option else None
    return {"selection": page.edits.selection, "scene": scene}


def name_of(page: Page) -> str:
    """What a file made from the page is called, without its ending."""
    return Path(page.source).name.partition(".")[0] or "scene"


def _words(options: Any) -> list[str]:
    words: list[str] = []
    hints = get_type_hints(type(options), include_extras=True)
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            words += _words(value)
        elif tyro.conf.Positional in getattr(hints[field.name], "__metadata__", ()):
            words += map(_text, value if isinstance(value, tuple) else (value,))
        elif value != field.default:
            words += _flag(field.name, value)
    return words


def _flag(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag]
    return [flag, *map(_text, value if isinstance(value, tuple) else (value,))]


def _text(value: Any) -> str:
    text = repr(float(value)) if isinstance(value, float) else str(value)
    # what is no number but starts like a flag is a file
    return f"./{text}" if text.startswith("-") and isinstance(value, Path) else text
