"""One file that shows a scene in any browser, without a server: the page, and the splats in it."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from app.viewer.splat_columns import columns, to_bytes
from app.viewer.splat_layer import BLACK, NODE

if TYPE_CHECKING:
    from viser import ViserServer

    from app.viewer.client_page import ClientPage
    from splatting.splats import Splats

_WORKERS = """<script>if (location.protocol === "file:") {
  const addressOf = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (blob) => /javascript/.test(blob.type) ? "" : addressOf(blob);
}</script>"""
"""The worker that sorts comes from a blob, which browsers refuse to a page from a file; where a
blob gets no address, the client makes the worker from a data: address."""
_CAPTION = (
    '<div style="position:fixed;left:1em;bottom:0.8em;z-index:1;pointer-events:none;'
    'font:13px system-ui,sans-serif;color:#c9d1d9;text-shadow:0 0 4px #000,0 0 2px #000">'
    "{caption}</div>"
)


def shared_page(
    server: ViserServer,
    page: ClientPage,
    splats: Splats,
    position_world: Float[np.ndarray, "3"],
    scale: float,
    caption: str,
) -> str:
    """`page` with the scene of `server` and `splats`, coloured as from `position_world`; `scale`
    units of the page make one of the scene."""
    from splatting.colours import colours_from

    drawn = page.draws(splats)
    held = columns(drawn, plain=page.changes is None)
    rgb = to_bytes(colours_from(drawn, position_world))
    scene = server.scene
    scene.set_background_image(BLACK, format="png")
    node = scene.add_gaussian_splats(
        NODE, held.centres, held.shapes, rgb, held.opacities, scale=scale / held.zoom
    )
    recorded = server.get_scene_serializer().serialize()
    node.remove()
    return embedded(page.path.read_text(), recorded, caption)


def embedded(client: str, recorded: bytes, caption: str) -> str:
    """viser's client around a recording, as its own `as_html` puts it there, with a caption."""
    data = base64.b64encode(recorded).decode("ascii")
    head = (
        f'{_WORKERS}<script>window.__VISER_EMBED_DATA__="{data}";'
        "window.__VISER_EMBED_CONFIG__={darkMode:true};</script>"
        "<!-- made by Darb3D; with the client of viser, MIT licence -->"
    )
    text = html.escape(caption)
    client = client.replace("<title>Viser</title>", f"<title>{text}</title>", 1)
    client = client.replace("</head>", f"{head}</head>", 1)
    return client.replace("</body>", f"{_CAPTION.format(caption=text)}</body>", 1)
