"""Who may speak to the page: one check at the handshake of its port, for pages and sockets alike.

Every page open in the same browser can reach 127.0.0.1, and so can every program and user of this
machine. `Host` keeps out names that only lead here (DNS rebinding), `Origin` the pages of others,
and the token whoever was not given the address. A browser does not keep apart the cookies of two
ports, hence the port in the cookie's name.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from app.viewer.address import in_url, is_everywhere
from data.errors import UserError

if TYPE_CHECKING:
    from viser import ViserServer
    from websockets.asyncio.server import ServerConnection
    from websockets.datastructures import Headers
    from websockets.http11 import Request, Response

MESSAGE_BYTES = 32 * 2**20
"""A longer message ends its connection; uploads come in parts of half a megabyte."""
WHERE = "Use the address, with its token, that stands in the terminal where darb3d runs.\n"
HEADERS = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer: nobody frames the page, nobody else's page reads it."""
ONWARD = (
    '<!doctype html><meta charset="utf-8"><title>Darb3D</title>'
    '<meta http-equiv="refresh" content="0;url=/">\n'
)
"""Goes on to the page itself. A redirect would not do: a browser that comes from a link on another
site sends no SameSite=Strict cookie along it, but does from a page of ours."""

Handshake = Callable[["ServerConnection", "Request"], "Response | None"]


class Gate:
    """The token of one page, and the check of every request to it."""

    def __init__(self, host: str) -> None:
        self.token = secrets.token_hex(16)
        self.hung = False
        """Whether a server asks this gate."""
        self._names = {"127.0.0.1", "localhost", "[::1]", in_url(host).lower()}
        self._everywhere = is_everywhere(host)

    def before(self, inner: Handshake | None) -> Handshake:
        """`inner` (pages, or None where the socket's handshake goes on) for those let through."""
        self.hung = True

        def process_request(connection: ServerConnection, request: Request) -> Response | None:
            response = self._answer(connection, request)
            if response is None and inner is not None:
                response = inner(connection, request)
            if response is not None:
                for name, value in HEADERS.items():
                    response.headers[name] = value
            return response

        return process_request

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        address, port = connection.local_address[:2]
        problem = self.problem(request.path, request.headers, address, port)
        if problem:
            return connection.respond(HTTPStatus.FORBIDDEN, f"Refused: {problem}. {WHERE}")
        if "Upgrade" in request.headers or "?" not in request.path:
            return None
        # viser's page obeys its query, which could name a socket elsewhere: none reaches it
        response = connection.respond(HTTPStatus.OK, ONWARD)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        response.headers["Set-Cookie"] = (
            f"{cookie_name(port)}={self.token}; Path=/; HttpOnly; SameSite=Strict"
        )
        return response

    def problem(self, path: str, headers: Headers, address: str, port: int) -> str:
        """Why a request that came to `address` and `port` is refused; empty if it is not."""
        hosts = headers.get_all("Host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts(address, port):
            return "this page is not served under that name and port"
        is_socket = "Upgrade" in headers
        origins = headers.get_all("Origin")
        if (is_socket or origins) and [o.lower() for o in origins] != [
            f"http://{hosts[0].lower()}"
        ]:
            return "the request comes from another page"
        if not is_socket and any(map(self._is_token, _query_tokens(path))):
            return ""
        if any(site not in ("same-origin", "none") for site in headers.get_all("Sec-Fetch-Site")):
            return "the request comes from another page"
        if any(map(self._is_token, _cookies(headers, cookie_name(port)))):
            return ""
        return "the token is missing or wrong"

    def _hosts(self, address: str, port: int) -> set[str]:
        names = set(self._names)
        if self._everywhere:  # the name of this machine, or the address by which it was reached
            names |= {in_url(address).lower(), socket.gethostname().lower()}
        return {f"{name}:{port}" for name in names} | (names if port == 80 else set())

    def _is_token(self, candidate: str) -> bool:
        return hmac.compare_digest(candidate.encode("utf-8", "replace"), self.token.encode())


def cookie_name(port: int) -> str:
    """Of the page on `port`: two pages of one machine do not throw each other out."""
    return f"darb3d-{port}"


def _query_tokens(path: str) -> list[str]:
    return parse_qs(path.partition("?")[2]).get("token", [])


def _cookies(headers: Headers, name: str) -> list[str]:
    pairs = (pair.partition("=") for line in headers.get_all("Cookie") for pair in line.split(";"))
    return [value.strip() for key, _, value in pairs if key.strip() == name]


_starting = threading.Lock()


def open_server(gate: Gate, host: str, port: int) -> ViserServer:
    """viser's server, which asks `gate` from its first connection on.

    viser has no place for a check of ours, but starts its one server through `serve` of websockets,
    whose `process_request` sees each handshake, of pages and sockets, before anything else does.
    UserError, with nothing left open, when a version of viser does that no longer.
    """
    try:
        import viser
        from websockets.asyncio import server as sockets
    except ImportError as error:
        raise UserError(
            f"the page needs the package viser, found: {error}; "
            "pip install viser, or train with --no-viewer"
        ) from error
    plain = sockets.serve

    def serve(*arguments: Any, process_request: Handshake | None = None, **options: Any) -> Any:
        options |= {"max_size": MESSAGE_BYTES, "server_header": None, "logger": _logger()}
        return plain(*arguments, process_request=gate.before(process_request), **options)

    with _starting:
        sockets.serve = serve  # pyright: ignore[reportAttributeAccessIssue]
        try:
            server = viser.ViserServer(host=host, port=port, label="Darb3D", verbose=False)
        finally:
            sockets.serve = plain
    if not gate.hung:
        server.stop()
        raise UserError(
            f"expected a viser whose handshakes can be checked, found {viser.__version__}, which "
            "would serve the page unguarded; pip install viser==1.1.1, or use --no-viewer"
        )
    return server


def _logger() -> logging.Logger:
    """That of websockets, without a traceback for whoever speaks no HTTP."""
    logger = logging.getLogger("app.viewer.handshakes")
    logger.filters = [lambda record: record.getMessage() != "opening handshake failed"]
    return logger
