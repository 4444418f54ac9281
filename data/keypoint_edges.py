"""Edges of a skeleton from what a user gives: text, DeepLabCut's config.yaml, a .csv or .json of
pairs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from data.errors import UserError
from data.keypoints import checked_edges
from data.text_tables import rows_of

_PAIR = re.compile(r"[,;]\s*")
_ITEM = re.compile(r"^\s*((?:-\s+)+)(.+?)\s*$")


def edges_of(given: str, names: Sequence[str]) -> Int64[np.ndarray, "e 2"]:
    """Pairs of joints from `"a-b, b-c"` (names or numbers from 0), or from the file of that name.

    UserError for joints that do not exist.

    >>> edges_of("nose-neck, neck-tail", ["nose", "neck", "tail"]).tolist()
    [[0, 1], [1, 2]]
    >>> edges_of("0-1,1-2", ["nose", "neck", "tail"]).tolist()
    [[0, 1], [1, 2]]
    """
    path = Path(given)
    if path.suffix.lower() in (".yaml", ".yml", ".json", ".csv") and "," not in given:
        if not path.is_file():
            raise UserError(f"{path}: expected a file of edges, found none")
        return _numbered(pairs_of_file(path), names, str(path))
    parts = [part.strip() for part in _PAIR.split(given) if part.strip()]
    return _numbered([_cut(part, names) for part in parts], names, "--edges")


def pairs_of_file(path: Path) -> list[tuple[str, str]]:
    """Pairs of names or numbers of a file."""
    if path.suffix.lower() == ".csv":
        rows = [tuple(cell.strip() for cell in row) for row in rows_of(path)]
        if any(len(row) != 2 for row in rows):
            raise UserError(f"{path}: expected two joints in each row, found another row")
        return [(row[0], row[1]) for row in rows]
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            content: Any = json.loads(text)
            if isinstance(content, dict):
                content = content.get("edges", content.get("skeleton"))
            return [(str(a), str(b)) for a, b in content]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: expected pairs of joints, found: {error!s:.80}") from None
    return _skeleton_of_yaml(text, path)


def _skeleton_of_yaml(text: str, path: Path) -> list[tuple[str, str]]:
    """The list `skeleton:` of DeepLabCut's config.yaml, of lists of two names."""
    inside, found = False, []
    for line in text.splitlines():
        if re.match(r"skeleton\s*:", line):
            inside = True
            continue
        item = _ITEM.match(line)
        if inside and (not item or line.lstrip().startswith("#")):
            if line.strip() and not line.lstrip().startswith("#"):
                break
            continue
        if inside and item:
            name = item[2].strip("'\"")
            if item[1].count("-") == 2:
                found.append([name])
            elif found:
                found[-1].append(name)
    if not found or any(len(pair) != 2 for pair in found):
        raise UserError(
            f"{path}: expected a list `skeleton:` of pairs of body parts, found"
            f" {'none' if not found else 'others'}; give the edges as text: --edges 'a-b, b-c'"
        )
    return [(a, b) for a, b in found]


def _cut(part: str, names: Sequence[str]) -> tuple[str, str]:
    """A pair at that hyphen which leaves two joints: names may have hyphens of their own."""
    known = {*names, *map(str, range(len(names) + 1))}
    cuts = [(part[:i].strip(), part[i + 1 :].strip()) for i, c in enumerate(part) if c == "-"]
    if not cuts:
        raise UserError(f"--edges: expected pairs like nose-neck, found {part!r:.60}")
    return next((cut for cut in cuts if set(cut) <= known), cuts[0])


def _numbered(
    pairs: list[tuple[str, str]], names: Sequence[str], where: str
) -> Int64[np.ndarray, "e 2"]:
    place = {name: joint for joint, name in enumerate(names)}
    joints = []
    for pair in pairs:
        for joint in pair:
            if joint not in place and not (joint.isascii() and joint.isdigit()):
                raise UserError(
                    f"{where}: expected joints among {', '.join(names):.300}, found {joint!r:.60}"
                )
            joints.append(place[joint] if joint in place else int(joint[:9]))
    try:
        return checked_edges(np.array(joints, np.int64).reshape(-1, 2), len(names))
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None
