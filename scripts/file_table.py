"""Show the first rows of an exported file as a table."""

from __future__ import annotations

import csv
import gzip
import json
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = (".csv", ".jsonl")
# Columns that tell most come first.
_TELLING = ("name", "title", "status", "created_at", "completed_at")
_WIDEST_COLUMN = 34
_GAP = "  "


def table_lines(path: str, *, rows: int, width: int) -> list[str]:
    """Read a file, and write its first rows as a table.

    :param path: a local path or ``file://`` URL of CSV or JSON lines, perhaps with gzip.
    :param rows: how many rows at most.
    :param width: characters of a line at most; columns that do not fit are counted in the last line.
    :return: a line with the names, a line for each row; empty for a file of another kind.
    """
    file = Path(unquote(urlsplit(path).path))
    kind = next((suffix for suffix in file.suffixes[-2:] if suffix in _KINDS), None)
    if kind is None or not file.is_file():
        return []
    with _opened(file) as stream:
        read = csv.DictReader(stream) if kind == ".csv" else map(json.loads, stream)
        found: list[dict[str, Any]] = list(islice(read, rows))
    return list(_lines(found, width)) if found else []


def _opened(file: Path) -> IO[str]:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8", newline="")
    return file.open(encoding="utf-8", newline="")


def _lines(rows: list[dict[str, Any]], width: int) -> Iterator[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: [name, *(_cell(row.get(name)) for row in rows)] for name in names}
    # A column without a value in these rows says nothing of them.
    filled = sorted((name for name in names if any(cells[name][1:])), key=_place)
    shown: list[str] = []
    left = width
    for name in filled:
        left -= max(map(len, cells[name])) + len(_GAP)
        if left < 0:
            break
        shown.append(name)
    widths = {name: max(map(len, cells[name])) for name in shown}
    for number in range(len(rows) + 1):
        yield _GAP.join(f"{cells[name][number]:<{widths[name]}}" for name in shown).rstrip()
    if more := len(names) - len(shown):
        yield f"… and {more} more column{'s' * (more != 1)}"


def _place(name: str) -> int:
    return _TELLING.index(name) if name in _TELLING else len(_TELLING)


def _cell(value: Any) -> str:
    if value in (None, "", [], {}):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST_COLUMN else f"{line[: _WIDEST_COLUMN - 1]}…"
