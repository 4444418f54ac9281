"""The page that viser serves, made to draw a run's own kernel; made once and kept in the cache.

Where viser's client is not the one that this program knows, its own page is served as it is: then
Gaussians that come closest are sent in place of the splats, and the page and the terminal say so.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.viewer import client_build, splat_shader
from data import user_cache

if TYPE_CHECKING:
    from splatting.kernels import Kernel
    from splatting.splats import Splats

Server = TypeVar("Server")

LIMIT_BYTES = 20e6
"""Of all pages in the cache together; one has 0.9 MB."""


@dataclass(frozen=True)
class ClientPage:
    """A page and what its shader draws."""

    path: Path
    """The index.html to serve, alone in its folder."""
    changes: dict[str, tuple[str, str]] | None = None
    """Of the shader; None for viser's own."""
    problem: str = ""
    """Why it is viser's own."""

    @property
    def note(self) -> str:
        """What is to be said about what it shows; empty where there is nothing to say."""
        if not self.problem:
            return ""
        return (
            "drawn by the browser, splats are the Gaussians that come closest to their kernel, "
            f"because {self.problem}; drawn by the server, they are exact"
        )

    def can_draw(self, splats: Any) -> bool:
        """Whether what is on stage has the kernel that the page was opened for."""
        kernel = getattr(splats, "kernel", None)
        if kernel is None or self.changes is None:
            return kernel is not None
        return splat_shader.changes(kernel, splats.antialiased) == self.changes

    def draws(self, splats: Splats) -> Splats:
        """What the page is to be sent for `splats`."""
        if self.changes is not None:
            return splats
        from splatting.bake import bake_gaussian

        return bake_gaussian(splats)


def client_page(kernel: Kernel, antialiased: bool = False) -> ClientPage:
    """The page that draws splats of `kernel`, or viser's own with the reason why."""
    source = client_build.path()
    try:
        html = source.read_text()
        changes = splat_shader.changes(kernel, antialiased)
        return ClientPage(_kept(html, changes), changes)
    except client_build.NotAsExpected as error:
        return ClientPage(source, problem=f"viser's client is not as expected ({error})")
    except OSError as error:
        return ClientPage(source, problem=f"its page could not be kept: {error}")


def _kept(html: str, changes: dict[str, tuple[str, str]]) -> Path:
    """The changed page in the cache, under a name that its content decides."""
    key = hashlib.sha256(f"{changes}{html}".encode()).hexdigest()[:24]
    pages = user_cache.folder() / "pages"
    path = pages / key / "index.html"
    if path.is_file():
        with suppress(OSError):
            os.utime(path)  # what was used longest ago is deleted first
        return path
    build = client_build.opened(html)
    build = replace(build, program=splat_shader.changed(build.program, changes))
    user_cache.keep_below(pages, LIMIT_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{os.getpid()}.draft")
    draft.write_text(client_build.closed(build))
    draft.replace(path)
    return path


def open_with(
    page: ClientPage | None, open_server: Callable[[], Server]
) -> tuple[Server, ClientPage | None]:
    """What `open_server` opens, serving `page` from its one port; and the page that it serves."""
    from viser import infra

    if page is None:
        return open_server(), None
    plain, taken, root = infra.WebsockServer, [], page.path.parent

    class FromFolder(plain):
        """viser names the folder of its own client; there is no argument for another."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            taken.append("http_server_root" in kwargs)
            super().__init__(*args, **(kwargs | {"http_server_root": root}))

    infra.WebsockServer = FromFolder  # pyright: ignore[reportAttributeAccessIssue]
    try:
        server = open_server()
    finally:
        infra.WebsockServer = plain
    if taken != [True]:
        problem = page.problem or "this version of viser serves no page but its own"
        page = ClientPage(client_build.path(), problem=problem)
    return server, page
