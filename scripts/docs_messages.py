"""Finds every message that the provider raises or logs, for the page docs/operate/messages.md."""

from __future__ import annotations

import ast
import html
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PROVIDER = ROOT / "tallyfy_provider"
CURES = ROOT / "docs" / "operate" / "cures.toml"
#: Headings of the page, and below which folders and files of the provider their messages are raised.
AREAS = {
    "Connection": ("hooks", "client/http"),
    "Arguments": ("utils", "client/filtering.py", "client/names.py", "client/payload.py"),
    "Forms": ("client/forms",),
    "Lists": ("client/paging", "operators/runs/list.py", "operators/runs/base.py", "operators/mapping.py"),
    "Launching and changing processes": ("client/runs", "operators/runs", "client/resource.py", "client/client.py"),
    "Steps and comments": ("client/tasks", "operators/tasks", "client/comments.py"),
    "Waiting": ("waiting", "sensors"),
    "Events and the triggerer": ("triggers",),
    "Exports": ("transfers",),
    "Notifications": ("notifications",),
    "The check of what is relied on": ("check",),
    "Other": ("",),
}
_LEVELS = {"warning": "a warning", "error": "an error in the log"}
#: Raised as a part of a TallyfyInputError or TallyfyResponseError.
_PARTS = {"WrongValueError": "TallyfyInputError", "BodyError": "TallyfyResponseError"}


class Message(NamedTuple):
    """A message, with `…` for what differs."""

    area: str
    text: str
    raised_as: str


@cache
def messages() -> list[Message]:
    """Read the messages from the source code.

    :return: each once, by area.
    """
    found = {
        Message(_area(path), text, kind): None
        for path in sorted(PROVIDER.rglob("*.py"))
        for text, kind in _messages_of(ast.parse(path.read_text(encoding="utf-8")))
    }
    order = list(AREAS)
    return sorted(found, key=lambda message: (order.index(message.area), message.raised_as, message.text.lower()))


def cures() -> dict[str, dict[str, str]]:
    """Read the cures that are written by hand.

    :return: ``kinds`` by exception, ``cures`` by a part of a message.
    """
    return tomllib.loads(CURES.read_text(encoding="utf-8"))


def with_tables(page: str) -> str:
    """Put the tables into the page.

    :param page: its text, with the comments that say where.
    :return: the text with the tables.
    """
    known = cures()
    kinds = [f"| `{kind}` | {cure} |" for kind, cure in known["kinds"].items()]
    page = page.replace("<!-- cures:kinds -->", "\n".join(["| error | what to do |", "|---|---|", *kinds]))
    parts = []
    everything = messages()
    for area in AREAS:
        rows = [_row(message, known) for message in everything if message.area == area]
        if rows:
            parts += [f"### {area}", "", "| message | raised or logged as | what to do |", "|---|---|---|", *rows, ""]
    return page.replace("<!-- cures:messages -->", "\n".join(parts))


def _row(message: Message, known: dict[str, dict[str, str]]) -> str:
    by_part = (cure for part, cure in known["cures"].items() if part in message.text)
    cure = next(by_part, None) or known["kinds"].get(message.raised_as.strip("`"), "As it says.")
    text = html.escape(message.text, quote=False).replace("|", "&#124;").replace("\n", " ")
    return f"| <code>{text}</code> | {message.raised_as} | {cure} |"


def _area(path: Path) -> str:
    name = path.relative_to(PROVIDER).as_posix()
    fitting = [(len(start), area) for area, starts in AREAS.items() for start in starts if name.startswith(start)]
    return max(fitting)[1]


def _messages_of(tree: ast.AST) -> list[tuple[str, str]]:
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        is_ours = name.startswith("Tallyfy") and name.endswith("Error")
        kind = f"`{_PARTS.get(name, name)}`" if is_ours or name in _PARTS else _LEVELS.get(name)
        if name == "AirflowSkipException":
            kind = "the task is skipped"
        if kind is None:
            continue
        found += [(text, kind) for text in _texts(node.args[0]) if re.search(r"\w{3}", text)]
    return found


def _texts(node: ast.expr) -> list[str]:
    """Return the texts that an expression can have; none for what is composed elsewhere."""
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [re.sub(r"%(\.\d)?[srdf]", "…", node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)]
    return []
