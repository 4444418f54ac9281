"""Attention's loops are compiled before the clock of a training starts."""

from __future__ import annotations

from lifting import fitting
from lifting.config import LifterConfig, LiftFitConfig
from lifting.model import new_lifter


def test_attention_runs_before_the_clock_does(monkeypatch) -> None:
    events: list[str] = []
    attend = fitting.biased_attention
    monkeypatch.setattr(
        fitting, "biased_attention", lambda *given: (events.append("attention"), attend(*given))[1]
    )
    config = LiftFitConfig(steps=1, tokens=200, frames=4)
    state = fitting.initial_state(new_lifter(LifterConfig(), 0), config)
    now = iter(range(100))

    def clock() -> float:
        events.append("clock")
        return float(next(now))

    fitting.fit(state, [], config, clock=clock)
    assert events[:2] == ["attention", "clock"]
    assert state.step == 1
