"""An open page without a browser: a socket that moves its camera and takes the pictures.

It comes by the printed address, keeps the cookie, and speaks viser's protocol of one version.
"""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Seat:
    """Where a page's camera stands, and the size of its canvas."""

    wxyz: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)
    position: tuple[float, ...] = (0.0, 0.0, 0.0)
    look_at: tuple[float, ...] = (0.0, 0.0, 1.0)
    up: tuple[float, ...] = (0.0, -1.0, 0.0)
    fov_y_rad: float = 0.9
    width: int = 640
    height: int = 480

    def turned(self, angle_rad: float) -> Seat:
        """The same seat after a walk around the vertical axis through `look_at`."""
        c, s = np.cos(angle_rad), np.sin(angle_rad)
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        away = turn @ (np.array(self.position) - self.look_at)
        half = np.array([np.cos(angle_rad / 2), 0, np.sin(angle_rad / 2), 0])
        return replace(
            self,
            position=tuple(map(float, away + self.look_at)),
            wxyz=tuple(map(float, _product(half, np.array(self.wxyz)))),
        )


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    w, v = a[0] * b[0] - a[1:] @ b[1:], a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])
    return np.concatenate([[w], v])


def cookie_of(address: str) -> str:
    """What a browser keeps after it opened the printed address."""
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.headers["Set-Cookie"].partition(";")[0]


class PageClient:
    """One open page; a context that closes it."""

    def __init__(self, address: str, seat: Seat | None = None) -> None:
        import zstandard
        from websockets.sync.client import connect

        origin = address.partition("/?")[0]
        self._socket = connect(
            origin.replace("http", "ws", 1),
            origin=origin,  # pyright: ignore[reportArgumentType]
            additional_headers={"Cookie": cookie_of(address)},
            subprotocols=[f"viser-v{version('viser')}"],  # pyright: ignore[reportArgumentType]
            compression=None,
            max_size=None,
            open_timeout=60,
        )
        self._unpack = zstandard.ZstdDecompressor()
        self._widgets: dict[str, str] = {}
        self.seat = seat or Seat()
        self.move(self.seat)

    def __enter__(self) -> PageClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As a tab that is closed."""
        self._socket.close()

    def kill(self) -> None:
        """As a browser that is killed: the connection breaks without a word."""
        self._socket.socket.shutdown(socket.SHUT_RDWR)

    def send(self, kind: str, **fields: Any) -> None:
        """One message of viser's."""
        import msgspec

        self._socket.send(msgspec.msgpack.encode({"type": kind, **fields}))

    def move(self, seat: Seat) -> None:
        """Stand somewhere else."""
        self.seat = seat
        self.send(
            "ViewerCameraMessage",
            wxyz=seat.wxyz,
            position=seat.position,
            fov=seat.fov_y_rad,
            near=0.01,
            far=1000.0,
            image_height=seat.height,
            image_width=seat.width,
            look_at=seat.look_at,
            up_direction=seat.up,
        )

    def messages(self, seconds: float) -> Iterator[dict[str, Any]]:
        """What comes in for that long, each as viser's page gets it (arrays stay apart)."""
        import msgspec

        end = time.monotonic() + seconds
        while True:
            try:
                data = self._socket.recv(timeout=max(0.0, end - time.monotonic()))
            except TimeoutError:
                return
            assert isinstance(data, bytes)
            length = int.from_bytes(data[8:16], "little")
            packed = self._unpack.decompress(data[16 : 16 + length])
            messages = msgspec.msgpack.decode(packed)["messages"]
            for message in messages:
                label = (message.get("props") or message.get("updates") or {}).get("label")
                if label and "uuid" in message:
                    self._widgets[label] = message["uuid"]
            yield from messages

    def set(self, label: str, value: Any = True, seconds: float = 60.0) -> None:
        """Move the slider, or press the button, of that label, once it is there."""
        if label not in self._widgets:
            any(label in self._widgets for _ in self.messages(seconds))
        self.send("GuiUpdateMessage", uuid=self._widgets[label], updates={"value": value})

    def picture(self, seconds: float = 60.0) -> bytes:
        """The next picture's JPEG; TimeoutError when none comes."""
        for message in self.messages(seconds):
            if message["type"] == "BackgroundImageMessage" and message["rgb_data"]:
                return message["rgb_data"]
        raise TimeoutError(f"no picture within {seconds:g} s")


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Width and height of a JPEG."""
    import io

    import PIL.Image

    return PIL.Image.open(io.BytesIO(jpeg)).size
