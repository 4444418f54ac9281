"""Who may speak to the page: each port of a real `darb3d view` is told each lie."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import psutil
import pytest
from websockets.datastructures import Headers

from app.viewer import Viewer, gate, inbound
from app.viewer.gate import Gate, cookie_name, open_server
from benchmarks.page_client import PageClient, cookie_of
from data.errors import UserError

SPLATS = Path(__file__).parents[2] / "data" / "samples" / "synth_splats" / "gt_splats.ply"
SOCKET = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "viser-v1.1.1",
}


@pytest.fixture(scope="module")
def served(darb3d, tmp_path_factory):
    """A running `darb3d view`: the process, and the address it printed."""
    process = darb3d.start("view", SPLATS, cwd=tmp_path_factory.mktemp("view"))
    for line in process.stdout:
        found = re.search(r"http://\S+", line)
        if found:
            break
    else:
        pytest.fail(process.stderr.read())
    yield process, found[0]
    process.terminate()
    process.communicate()


def listening(pid: int) -> list[tuple[str, int]]:
    """Addresses and ports on which a process and its children listen."""
    root = psutil.Process(pid)
    return [
        tuple(found.laddr)
        for process in (root, *root.children(recursive=True))
        for found in process.net_connections("inet")
        if found.status == psutil.CONN_LISTEN
    ]


def ask(port: int, headers: dict[str, str], path: str = "/", address: str = "127.0.0.1") -> str:
    """The answer to a request of exactly these headers; of a socket that opened, its head."""
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    with socket.create_connection((address, port), timeout=20) as wire:
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = b""
        while data := wire.recv(65536):
            answer += data
            if answer.startswith(b"HTTP/1.1 101") and b"\r\n\r\n" in answer:
                break
    return answer.decode("utf-8", "replace")


def test_every_port_refuses_page_and_socket_alike(served):
    process, address = served
    open_ports = listening(process.pid)
    assert len(open_ports) == 1, "a second port needs a check of its own"
    token = address.partition("token=")[2]
    for host, port in open_ports:
        assert host == "127.0.0.1"
        own, cookie = f"127.0.0.1:{port}", f"{cookie_name(port)}={token}"
        good = {"Host": own, "Origin": f"http://{own}", "Cookie": cookie}
        lies = {
            "wrong host": good | {"Host": f"evil.example:{port}"},
            "rebound host": good
            | {"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"},
            "wrong port": good | {"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:1"},
            "no port": good | {"Host": "127.0.0.1"},
            "foreign origin": good | {"Origin": "http://evil.example"},
            "another local origin": good | {"Origin": "http://127.0.0.1:1"},
            "origin of a file": good | {"Origin": "null"},
            "https origin": good | {"Origin": f"https://{own}"},
            "no token": {name: good[name] for name in ("Host", "Origin")},
            "wrong token": good | {"Cookie": cookie[:-1] + ("0" if cookie[-1] != "0" else "1")},
            "empty token": good | {"Cookie": f"{cookie_name(port)}="},
            "token of another port": good | {"Cookie": f"{cookie_name(1)}={token}"},
            "odd token": good | {"Cookie": f"{cookie_name(port)}=\xff\u20ac"},
        }
        for name, headers in lies.items():
            for kind in ({}, SOCKET):
                answer = ask(port, headers | kind)
                assert answer.startswith("HTTP/1.1 403"), (name, kind, answer[:200])
                assert "text/plain" in answer and "terminal" in answer and token not in answer
        no_origin = {name: good[name] for name in ("Host", "Cookie")}
        assert ask(port, no_origin | SOCKET).startswith("HTTP/1.1 403"), "a socket without Origin"
        foreign = no_origin | {"Sec-Fetch-Site": "same-site"}
        assert ask(port, foreign).startswith("HTTP/1.1 403"), "an image on another local page"
        assert ask(port, {"Host": own}, "/?token=0").startswith("HTTP/1.1 403")
        assert ask(port, {"Cookie": cookie}).startswith("HTTP/1.1 403"), "no Host"
        socket_by_query = {name: good[name] for name in ("Host", "Origin")} | SOCKET
        assert ask(port, socket_by_query, f"/?token={token}").startswith("HTTP/1.1 403")

        assert ask(port, no_origin).startswith("HTTP/1.1 200")
        assert ask(port, good).startswith("HTTP/1.1 200")
        assert ask(port, good | SOCKET).startswith("HTTP/1.1 101")
        local = f"localhost:{port}"
        by_name = good | {"Host": local, "Origin": f"http://{local}"}
        assert ask(port, by_name | SOCKET).startswith("HTTP/1.1 101")


def test_the_printed_address_sets_the_cookie_and_leads_to_the_page(served):
    _process, address = served
    origin, _, query = address.partition("/?")
    host, port = origin.removeprefix("http://"), int(origin.rpartition(":")[2])
    answer = ask(port, {"Host": host}, f"/?{query}")
    cookie = re.search(r"Set-Cookie: (.*)\r\n", answer)[1]
    assert cookie.startswith(f"darb3d-{port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert 'content="0;url=/"' in answer
    for line in ("X-Frame-Options: DENY", "Referrer-Policy: same-origin"):
        assert line in answer
    # a link on another site may open the page, too
    followed = ask(port, {"Host": host, "Sec-Fetch-Site": "cross-site"}, f"/?{query}")
    assert followed.startswith("HTTP/1.1 200")
    # viser's page obeys its query, so none reaches it
    answer = ask(port, {"Host": host, "Cookie": cookie}, "/?websocket=ws://evil.example")
    assert 'content="0;url=/"' in answer and "evil" not in answer


def test_noise_on_the_port_is_not_worth_a_word(served):
    process, address = served
    port = int(address.partition("/?")[0].rpartition(":")[2])
    for noise in (b"\0" * 100 + b"\n\n", b"POST / HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 9000):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
            wire.sendall(noise)
            wire.shutdown(socket.SHUT_WR)
            assert b" 200 " not in wire.recv(65536)
    with PageClient(address) as page:
        assert any("gt_splats" in str(message) for message in page.messages(20))
    assert process.poll() is None


def test_hosts_are_ours_alone():
    def problem(gate: Gate, host: str, reached: str = "192.0.2.7") -> str:
        headers = Headers(Host=host, Cookie=f"{cookie_name(8080)}={gate.token}")
        return gate.problem("/", headers, reached, 8080)

    here, everywhere, named = Gate("127.0.0.1"), Gate("0.0.0.0"), Gate("splats.lan")
    for gate_ in (here, everywhere, named):
        for host in ("127.0.0.1:8080", "LocalHost:8080", "[::1]:8080"):
            assert not problem(gate_, host)
        assert problem(gate_, "evil.example:8080") and problem(gate_, "192.0.2.8:8080")
    assert not problem(everywhere, "192.0.2.7:8080"), "the address by which it was reached"
    assert not problem(everywhere, f"{socket.gethostname()}:8080")
    assert problem(here, "192.0.2.7:8080")
    assert not problem(named, "splats.lan:8080") and not problem(Gate("::1"), "[::1]:8080")


def test_another_host_is_served_and_says_what_that_means(monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
    viewer = Viewer("cup", port=0, host="0.0.0.0", render=lambda *_: None)
    try:
        assert viewer.address.startswith(f"http://127.0.0.1:{viewer.port}/?token=")
        meaning, ssh = viewer.hint.split("\n")
        assert "every address of this machine" in meaning and "token" in meaning
        assert f"ssh -L {viewer.port}:127.0.0.1:{viewer.port}" in ssh
        assert cookie_of(viewer.address)
    finally:
        viewer.close()
    with pytest.raises(UserError, match="--host: expected an address of this machine"):
        Viewer("cup", port=0, host="192.0.2.7", render=lambda *_: None)
    with pytest.raises(UserError, match="--host"):
        Viewer("cup", port=0, host="no such name", render=lambda *_: None)


def test_the_version_of_viser_whose_handshake_is_known():
    """When this fails, read how the new viser starts its server before the pin is moved.

    It must start every port through `websockets.asyncio.server.serve`, looked up when it starts,
    and take uploads through the handlers that `app.viewer.inbound` replaces.
    """
    import viser
    from viser.infra import _infra
    from websockets.asyncio import server as sockets

    assert viser.__version__ == "1.1.1", "read test_gate.py before another viser is trusted"
    source = Path(_infra.__file__).read_text()
    assert source.count("websockets.asyncio.server.serve(") == 1
    assert source.count("process_request=(") == 1
    plain = sockets.serve
    guard = Gate("127.0.0.1")
    server = open_server(guard, "127.0.0.1", 0)
    try:
        assert guard.hung and sockets.serve is plain
        inbound.bound(server)
    finally:
        server.stop()


def test_a_viser_that_cannot_be_guarded_is_refused(monkeypatch):
    import viser

    stopped = []

    class Other:
        def __init__(self, **_):
            pass

        def stop(self):
            stopped.append(self)

    monkeypatch.setattr(viser, "ViserServer", Other)
    with pytest.raises(UserError, match=r"pip install viser==1\.1\.1"):
        open_server(Gate("127.0.0.1"), "127.0.0.1", 0)
    assert stopped


@pytest.fixture
def viewer():
    shown = Viewer("cup", port=0, render=lambda *_: None)
    yield shown
    shown.close()


def notices(page: PageClient, seconds: float = 10.0) -> str:
    for message in page.messages(seconds):
        if message["type"] == "NotificationShowMessage":
            return str(message)
    return ""


def begin(page: PageClient, button: str, size: int, parts: int, name: str) -> None:
    page.send(
        "FileTransferStartUpload",
        source_component_uuid=button,
        transfer_uuid=name,
        filename="../../etc/passwd",
        mime_type="",
        size_bytes=size,
        part_count=parts,
    )


def upload(page: PageClient, button: str, size: int, parts: list[bytes], name: str) -> None:
    begin(page, button, size, len(parts), name)
    words = {"source_component_uuid": button, "transfer_uuid": name}
    for index, part in enumerate(parts):
        page.send("FileTransferPart", **words, part_index=index, content=part)


def until(condition, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_uploads_are_bounded(viewer, monkeypatch):
    monkeypatch.setattr(inbound, "UPLOAD_BYTES", 2**20)
    gui = viewer._server.gui
    button = gui.add_upload_button("a cloud")
    taken = []
    button.on_upload(lambda event: taken.append(event.target.value))
    uuid = button._impl.uuid
    with PageClient(viewer.address) as page:
        assert until(lambda: viewer.clients())
        upload(page, uuid, 6, [b"abc", b"def"], "good")
        assert until(lambda: taken) and taken[0].content == b"abcdef"
        upload(page, uuid, 2**20 + 1, [b"abc"], "large")
        assert "expected at most 1 MB" in notices(page)
        upload(page, uuid, -1, [b"abc"], "negative")
        assert notices(page)
        upload(page, uuid, 4, [b"abc", b"def"], "longer than said")
        begin(page, uuid, 2**20, 2, "never ends")
        begin(page, uuid, 2**19, 2, "one too many")
        assert "expected at most 1 MB" in notices(page)
        assert list(gui._current_file_upload_states) == ["never ends"] and len(taken) == 1
    assert until(lambda: not gui._current_file_upload_states), "a closed page leaves nothing"


def test_a_message_too_long_ends_its_connection_alone(viewer, monkeypatch):
    with PageClient(viewer.address) as page, PageClient(viewer.address) as other:
        page.send("Anything", content=b"\0" * (gate.MESSAGE_BYTES + 1))
        with pytest.raises(Exception, match="1009"):
            list(page.messages(20))
        other.move(other.seat)
        assert until(lambda: len(viewer.clients()) == 1)


def test_no_page_can_ask_for_a_tunnel(viewer, monkeypatch):
    asked = []
    monkeypatch.setattr(viewer._server, "request_share_url", lambda *_: asked.append(1))
    with PageClient(viewer.address) as page:
        page.send("ShareUrlRequest")
        time.sleep(0.5)
        assert viewer.clients()
    assert not asked
