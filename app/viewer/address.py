"""Where the page is served, and how people reach it there."""

from __future__ import annotations

import ipaddress
import os
import socket

from data.errors import UserError

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8080


def resolve(host: str) -> str:
    """The one address of this machine that `host` means; UserError if it is none."""
    try:
        found = socket.getaddrinfo(host or "?", None, type=socket.SOCK_STREAM)[0][4][0]
        problem = _problem(str(found), 0)
    except (OSError, UnicodeError) as error:
        found, problem = "", getattr(error, "strerror", None) or str(error)
    if problem:
        raise UserError(
            f"--host: expected an address of this machine, found {host!r} ({problem.lower()}); "
            f"leave it out for {LOOPBACK}, or use 0.0.0.0 for all addresses"
        )
    return str(found)


def is_everywhere(host: str) -> bool:
    """Whether `host` stands for all addresses of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def free_port(host: str, port: int | None) -> int:
    """`port` itself, or the next free one from 8080 when none was asked for.

    Raises UserError when the port asked for is out of range or taken.
    """
    if port is not None:
        if not 0 <= port <= 65535:
            raise UserError(f"--port: expected 0 to 65535, found {port}; choose a free port")
        problem = _problem(host, port)
        if problem:
            raise UserError(
                f"--port: expected a free port, but {port} on {host} cannot be used ({problem}); "
                "choose another, or leave --port out to take the next free one"
            )
        return port
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + 100):
        if not _problem(host, candidate):
            return candidate
    raise UserError(
        f"expected a free port from {DEFAULT_PORT} to {DEFAULT_PORT + 99} on {host}, found none; "
        "name one with --port or use --no-viewer"
    )


def _problem(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server itself binds: a port in TIME_WAIT is free, one being listened on is not.
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return ""


def in_url(host: str) -> str:
    """A host as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def url(host: str, port: int, token: str) -> str:
    """What to open in a browser on this machine."""
    if is_everywhere(host):
        host = "::1" if ":" in host else LOOPBACK
    return f"http://{in_url(host)}:{port}/?token={token}"


def hint(host: str, port: int) -> str:
    """What `--host` means, and how to come from another machine through ssh; often empty."""
    lines = []
    if host != LOOPBACK:
        where = "every address of this machine" if is_everywhere(host) else host
        lines.append(
            f"--host {host}: served on {where}, unencrypted; whoever can reach it and has the "
            "address with its token sees the page and can press its buttons"
        )
    if os.environ.get("SSH_CONNECTION") and host in (LOOPBACK, "0.0.0.0"):
        lines.append(
            f"from your own machine: ssh -L {port}:{LOOPBACK}:{port} <this machine>, "
            "then open the same address there"
        )
    return "\n".join(lines)
