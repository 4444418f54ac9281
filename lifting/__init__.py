"""2D keypoint sequences to 3D skeletons in space and time.

>>> import lifting
>>> motion = lifting.load().lift(xy)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lifting.lift import Lift, LiftOptions, load

_HOME = {"Lift": "lifting.lift", "LiftOptions": "lifting.lift", "load": "lifting.lift"}

__all__ = ["Lift", "LiftOptions", "load"]


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` at its first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'lifting' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
