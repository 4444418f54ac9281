"""A kernel as a user would write one, for tests that go through every kernel."""

from __future__ import annotations

from splatting import kernels

BUILT_IN = tuple(name for name in kernels.names() if kernels.get(name).built_in)
QUARTIC = kernels.register("quartic", lambda q: (1.0 - q / 9.0) ** 4, 3.0)
EVERY = (*BUILT_IN, "quartic")
