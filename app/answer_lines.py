"""Answers as text, as the rows of `--json`, and as `--csv`."""

from __future__ import annotations

import csv
import io
from typing import Any

from app.classifying import Answer
from data.errors import printable

_BAR = 24
_EIGHTHS = " ▏▎▍▌▋▊▉█"
CSV_COLUMNS = ("file", "label", "probability", "points", "stability", "up", "unlike")


def with_bars(answer: Answer, plain: bool = False) -> str:
    """The file, what there is to say of it, and a bar for each of the five; `plain` in ASCII."""
    lines = [f"{printable(answer.file)}: {_remarks(answer)}"]
    width = max(len(label) for label, _ in answer.top)
    for label, share in answer.top:
        lines.append(f"  {label:<{width}}  {bar(share, plain)} {100 * share:5.1f} %")
    return "\n".join(lines)


def in_a_line(answer: Answer) -> str:
    """The file, the answer and its probability."""
    remark = "  unlike the training data" if answer.unlike else ""
    share = answer.top[0][1]
    return f"{printable(answer.file)}  {answer.label}  {100 * share:.1f} %{remark}"


def bar(share: float, plain: bool = False) -> str:
    """A bar of 24 places, fuller by eighths; rounded to # where those letters cannot be printed.

    >>> bar(0.5, plain=True)
    '############            '
    """
    if plain:
        return ("#" * round(share * _BAR)).ljust(_BAR)
    whole, eighth = divmod(round(share * _BAR * 8), 8)
    return ("█" * whole + _EIGHTHS[eighth].strip()).ljust(_BAR)


def row(answer: Answer) -> dict[str, Any]:
    """What `--json` holds of a file."""
    return {
        "file": printable(answer.file),
        "label": answer.label,
        "probability": answer.top[0][1],
        "top5": [[label, share] for label, share in answer.top],
        "points": answer.points,
        "stability": answer.agreeing / answer.draws,
        "up": answer.up,
        "unlike": answer.unlike,
    }


def csv_line(answer: Answer | None) -> str:
    """A line of `--csv` without its end; of None the names of the columns."""
    values = CSV_COLUMNS if answer is None else [row(answer)[name] for name in CSV_COLUMNS]
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(["" if v is None else v for v in values])
    return out.getvalue()


def _remarks(answer: Answer) -> str:
    parts = [f"{answer.points:,} points"]
    if answer.draws > 1:
        parts.append(
            f"the same answer in {answer.agreeing} of {answer.draws} draws,"
            f" +- {100 * answer.spread:.1f} %"
        )
    if answer.up != "z":
        parts.append(f"up is {answer.up}")
    if answer.unlike:
        parts.append("unlike the training data")
    return ", ".join(parts)
