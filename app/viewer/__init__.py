"""The browser page: exact server-side pictures of a scene, live while it trains."""

from __future__ import annotations

from app.viewer.server import Viewer

__all__ = ["Viewer"]
