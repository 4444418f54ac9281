"""Tables of pandas in HDF5, as DeepLabCut writes them, read and written with h5py alone.

Both layouts of pandas: `fixed` (labels) keeps levels and codes of each axis as data sets; `table`
(predictions) keeps its column names as a pickle, which is read without running it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import UserError
from data.hdf import array_of, open_hdf, texts
from data.plain_pickle import plain_values
from data.whole_files import write_whole


@dataclass(frozen=True, eq=False)
class Frame:
    """A table: labels of rows and columns, each a tuple of texts, and numbers."""

    index: list[tuple[str, ...]]
    columns: list[tuple[str, ...]]
    values: np.ndarray


def read_frame(path: Path) -> Frame | None:
    """The first table of a file, None for an HDF5 file that holds none."""
    import h5py

    with open_hdf(path) as file:
        for group in file.values():
            if not isinstance(group, h5py.Group):
                continue
            kind = _text(group.attrs.get("pandas_type", ""))
            if kind == "frame":
                return _fixed(group, path)
            if kind == "frame_table":
                return _table(group, path)
    return None


def write_frame(path: Path, frame: Frame, levels: tuple[str, ...], key: str) -> None:
    """Write a table in pandas' fixed layout, as `pandas.DataFrame.to_hdf` does; `levels` are the
    names of the columns' levels, rows are numbered by their labels."""
    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        _stamp(file, "GROUP", "1.0", PYTABLES_FORMAT_VERSION="2.1")
        group = file.create_group(key)
        _stamp(group, "GROUP", "1.0", pandas_type="frame", pandas_version="0.15.2")
        group.attrs.update(ndim=np.int64(2), nblocks=np.int64(1))
        _stamp(group, "GROUP", "1.0", encoding="UTF-8", errors="strict", axis1_variety="regular")
        for axis in ("axis0", "block0_items"):
            _stamp(group, "GROUP", "1.0", **{f"{axis}_variety": "multi"})
            group.attrs[f"{axis}_nlevels"] = np.int64(len(levels))
            for k, level in enumerate(levels):
                labels = [column[k] for column in frame.columns]
                known = sorted(set(labels))
                stored = np.array([name.encode() for name in known])
                codes = np.array([known.index(label) for label in labels], np.int16)
                data = group.create_dataset(f"{axis}_level{k}", data=stored)
                _stamp(data, "ARRAY", "2.4", kind="string", name=level)
                _stamp(data, "ARRAY", "2.4", **{f"{axis}_name{level}": level})
                _stamp(group.create_dataset(f"{axis}_label{k}", data=codes), "ARRAY", "2.4")
        rows = np.array([int(row[-1]) for row in frame.index], np.int64)
        data = group.create_dataset("axis1", data=rows)
        _stamp(data, "ARRAY", "2.4", kind="integer")
        data = group.create_dataset("block0_values", data=frame.values)
        _stamp(data, "ARRAY", "2.4")
    write_whole(path, content.getvalue())


def _stamp(thing: Any, kind: str, version: str, /, **texts: str) -> None:
    """What PyTables wants to see on everything it reads: texts of one length, marked as UTF-8."""
    import h5py

    for name, text in {"CLASS": kind, "VERSION": version, "TITLE": "", **texts}.items():
        dtype = h5py.string_dtype("utf-8", max(1, len(text.encode())))
        thing.attrs.create(name, text.encode(), dtype=dtype)
    if kind == "ARRAY":
        thing.attrs.create("FLAVOR", b"numpy", dtype=h5py.string_dtype("utf-8", 5))
        thing.attrs["transposed"] = np.uint8(1)


def _fixed(group: Any, path: Path) -> Frame:
    columns, index = (_axis(group, f"axis{axis}", path) for axis in (0, 1))
    values = np.full((len(index), len(columns)), np.nan)
    place = {label: column for column, label in enumerate(columns)}
    for block in range(_count(group.attrs.get("nblocks", 0), path)):
        labels = _axis(group, f"block{block}_items", path)
        numbers = _numbers(array_of(group, f"block{block}_values", path), path)
        if numbers.shape != (len(index), len(labels)) or any(x not in place for x in labels):
            raise _broken(path, f"a block of shape {numbers.shape}")
        values[:, [place[label] for label in labels]] = numbers
    return Frame(index, columns, values)


def _table(group: Any, path: Path) -> Frame:
    axes = _unpickled(group.attrs.get("non_index_axes", b""), path)
    table = array_of(group, "table", path)
    try:
        columns = [_label(label) for label in axes[0][1]]
    except (TypeError, IndexError, KeyError):
        raise _broken(path, "no names of columns") from None
    if table.ndim != 1 or "index" not in (table.dtype.names or ()):
        raise _broken(path, "a table without an index")
    index = [_split(text) for text in texts(table["index"])]
    values = np.full((len(index), len(columns)), np.nan)
    place = {label: column for column, label in enumerate(columns)}
    attributes = group["table"].attrs
    for name in table.dtype.names or ():
        if not name.startswith("values_block_"):
            continue
        labels = [_label(x) for x in _unpickled(attributes.get(f"{name}_kind", b""), path)]
        numbers = _numbers(table[name], path).reshape(len(index), -1)
        if numbers.shape[1] != len(labels) or any(x not in place for x in labels):
            raise _broken(path, f"a block of shape {numbers.shape}")
        values[:, [place[label] for label in labels]] = numbers
    return Frame(index, columns, values)


def _axis(group: Any, name: str, path: Path) -> list[tuple[str, ...]]:
    if _text(group.attrs.get(f"{name}_variety", "")) != "multi":
        return [_split(text) for text in texts(array_of(group, name, path))]
    levels = []
    for level in range(_count(group.attrs.get(f"{name}_nlevels", 0), path)):
        names = texts(array_of(group, f"{name}_level{level}", path))
        codes = array_of(group, f"{name}_label{level}", path)
        wrong = codes.ndim != 1 or codes.dtype.kind not in "iu"
        if wrong or (len(codes) and not -1 <= int(codes.min()) <= int(codes.max()) < len(names)):
            raise _broken(path, f"other codes in {name}")
        levels.append([names[code] if code >= 0 else "" for code in codes.tolist()])
    if len({len(level) for level in levels}) != 1:
        raise _broken(path, f"levels of other lengths in {name}")
    return list(zip(*levels, strict=True))


def _label(label: Any) -> tuple[str, ...]:
    parts = label if isinstance(label, tuple | list) else (label,)
    return tuple(str(part) for part in parts)


def _split(text: str) -> tuple[str, ...]:
    folder, _, name = text.replace("\\", "/").rpartition("/")
    return (folder, name)


def _unpickled(content: Any, path: Path) -> Any:
    raw = content.tobytes() if hasattr(content, "tobytes") else content
    try:
        return plain_values(raw)
    except ValueError as error:
        raise _broken(path, f"names of columns that are no plain list ({error!s:.80})") from None


def _numbers(array: np.ndarray, path: Path) -> np.ndarray:
    if array.dtype.kind not in "fiu":
        raise _broken(path, f"columns of {array.dtype}")
    return array.astype(np.float64)


def _count(value: Any, path: Path) -> int:
    try:
        count = int(value)
    except (TypeError, ValueError):
        count = -1
    if not 0 <= count <= 100:
        raise _broken(path, f"{value!s:.20} parts")
    return count


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _broken(path: Path, found: str) -> UserError:
    return UserError(
        f"{path}: expected a table as pandas writes it, found {found}; save it again, or give the"
        " .csv beside it"
    )
