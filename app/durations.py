"""How long something took or will take, for a terminal or a page."""

from __future__ import annotations


def format_duration(seconds: float | None) -> str:
    """`mm:ss`, or `h:mm:ss` from an hour on; dashes for what is not known yet.

    >>> format_duration(61.4), format_duration(3661), format_duration(None)
    ('1:01', '1:01:01', '-:--')
    """
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def seconds_left(progress: float, seconds: float) -> float | None:
    """What remains at the pace so far of what is done to the share `progress`; None before there is
    a pace.

    >>> seconds_left(0.25, 10.0)
    30.0
    """
    return seconds * (1 - progress) / progress if progress > 0.01 else None
