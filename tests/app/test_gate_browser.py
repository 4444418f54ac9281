"""The gate in a real browser: other pages are kept out, links and reloads of our own work."""

from __future__ import annotations

import http.server
import threading

import pytest
from browsing import settle, sky

from app.viewer import Viewer

KNOCK = """async ([address, protocol]) => {
  const opened = await new Promise((done) => {
    const socket = new WebSocket(address.replace("http", "ws"), protocol);
    socket.onopen = () => done("opened");
    socket.onerror = () => done("refused");
  });
  const read = (mode) => fetch(address, { mode, credentials: "include" })
    .then((answer) => answer.type, () => "refused");
  const framed = await new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = () => done("loaded");
    frame.src = address;
    document.body.append(frame);
  });
  return [opened, await read("cors"), await read("no-cors"), framed];
}"""


@pytest.fixture
def viewer():
    shown = Viewer("sky", port=0, render=sky)
    shown.show_cloud(sky_points())
    shown.show_splats("any")
    yield shown
    shown.close()


def sky_points():
    import numpy as np

    return np.random.default_rng(0).normal(size=(50, 3))


@pytest.fixture
def elsewhere(viewer):
    """A page on another port of this machine, with links to ours."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            plain = viewer.address.partition("?")[0]
            body = f'<a id="plain" href="{plain}">a</a> <a id="token" href="{viewer.address}">b</a>'
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def shows_the_page(page) -> None:
    page.wait_for_selector("canvas", timeout=30_000)
    page.get_by_text("sky").first.wait_for(timeout=30_000)


def test_the_cookies_of_two_pages_which_no_script_reads(browser, viewer):
    other = Viewer("another sky", port=0, render=sky)
    context = browser.new_context(viewport={"width": 960, "height": 600})
    try:
        page, second = context.new_page(), context.new_page()
        page.goto(viewer.address)
        shows_the_page(page)
        assert settle(viewer, page) < 0.02
        assert page.url == f"http://127.0.0.1:{viewer.port}/"
        (cookie,) = context.cookies()
        assert cookie["name"] == f"darb3d-{viewer.port}" and cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert page.evaluate("document.cookie") == ""
        second.goto(other.address)
        shows_the_page(second)
        second.close()
        page.reload()
        shows_the_page(page)
    finally:
        context.close()
        other.close()


def test_another_page_of_the_same_browser_gets_nothing(browser, viewer, elsewhere):
    context = browser.new_context()
    ours = context.new_page()
    ours.goto(viewer.address)
    shows_the_page(ours)  # the cookie is there: ports of one host share it
    clients = len(viewer.clients())
    plain = viewer.address.partition("?")[0]
    for name in ("127.0.0.1", "localhost"):
        theirs = context.new_page()
        statuses = []
        theirs.on("response", lambda r, s=statuses: r.url.startswith(plain) and s.append(r.status))
        theirs.goto(f"http://{name}:{elsewhere}/")
        opened, read, opaque, _framed = theirs.evaluate(KNOCK, [plain, "viser-v1.1.1"])
        assert opened == read == "refused" and opaque in ("opaque", "refused")
        assert statuses and set(statuses) == {403}
        assert len(viewer.clients()) == clients
        theirs.click("#plain")
        theirs.get_by_text("terminal where darb3d runs").wait_for(timeout=10_000)
        theirs.close()
    context.close()


def test_a_click_on_the_printed_address_just_works(browser, viewer, elsewhere):
    """Also from a terminal that is itself a page, of another site."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://localhost:{elsewhere}/")
    page.click("#token")
    shows_the_page(page)
    context.close()
