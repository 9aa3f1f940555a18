"""The documentation: its links lead somewhere, its code compiles and reads, and it leaves no setting out."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path

import pytest
from airflow.models import Connection
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS, AIRFLOW_V_3_3_PLUS

from tallyfy_emulator import Quirks
from tallyfy_provider.client.runs.filters import RUN_FILTERS
from tallyfy_provider.hooks.connection import EXTRAS, read_connection
from tallyfy_provider.triggers.activity_feed import EVENTS, Activity, confirm

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
SOURCES = sorted(
    path
    for folder in ("tallyfy_provider", "tallyfy_emulator", "scripts", "benchmarks", "example_dags")
    for path in (ROOT / folder).rglob("*.py")
)

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+)$", re.MULTILINE)
_SECTION = re.compile(r'docs/(?P<page>[\w-]+\.md), "(?P<section>[^"]+)"')
_SHOWN_FROM = re.compile(r"^```python\n(?P<text>[^`]*)^```\n\nIt is from\s+\[`(?P<file>[^`]+)`\]", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> Iterator[str]:
    """The code blocks of a page in one language."""
    for block in _FENCE.finditer(path.read_text(encoding="utf-8")):
        if block["language"] == language:
            yield block["text"]


def anchors(path: Path) -> set[str]:
    """The anchors that a page's headings get: lower case, no punctuation, a hyphen for each space."""
    prose = _FENCE.sub("", path.read_text(encoding="utf-8"))
    titles = (heading["text"].lower() for heading in _HEADING.finditer(prose))
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in titles}


def first_cells(path: Path) -> set[str]:
    """The names in the first column of a page's tables."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name for line in lines if line.startswith("|") for name in re.findall(r"`([^`]+)`", line.split("|")[1])}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for link in _LINK.finditer(prose):
        target, _, anchor = link["target"].partition("#")
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link["target"])
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_compiles(page: Path) -> None:
    for number, text in enumerate(blocks(page, "python"), 1):
        compile(text, f"{name_of(page)}, Python block {number}", "exec")


#: Modules that are shown though not every Airflow has them; each page says so.
_NEEDS = {
    "airflow.sdk.definitions.deadline": AIRFLOW_V_3_1_PLUS,
    "tallyfy_provider.policies.retry": AIRFLOW_V_3_3_PLUS,
}


def imports_of(code: str) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a block of Python."""
    return (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import | ast.ImportFrom))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_python_imports_is_there_on_this_airflow(page: Path) -> None:
    for statement in (each for text in blocks(page, "python") for each in imports_of(text)):
        module = getattr(statement, "module", None)
        expected = nullcontext() if _NEEDS.get(module, True) else pytest.raises(ImportError)
        with expected:
            exec(ast.unparse(statement), {})  # noqa: S102 - ours


def without_blank_lines(code: str) -> str:
    """Leave blank lines out: the formatter wants two where the code stands by itself, one where it is indented."""
    return "\n".join(line for line in code.splitlines() if line.strip())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_quoted_from_an_example_dag_stands_in_it(page: Path) -> None:
    for shown in _SHOWN_FROM.finditer(page.read_text(encoding="utf-8")):
        code = re.sub(r"^from .+ import .+\n+", "", shown["text"]).strip()
        example = (ROOT / shown["file"]).read_text(encoding="utf-8")
        indented = without_blank_lines(textwrap.indent(code, "    "))
        assert indented in without_blank_lines(example), shown["file"]


def test_connections_in_the_docs_can_be_read() -> None:
    page = ROOT / "docs" / "connection.md"
    text = page.read_text(encoding="utf-8")
    from_json = [Connection.from_json(block, conn_id="shown") for block in blocks(page, "json")]
    from_uri = [Connection(conn_id="shown", uri=uri) for uri in re.findall(r"^tallyfy://\S+$", text, re.MULTILINE)]
    assert len(from_json) == len(from_uri) == 4
    assert [read_connection(each) for each in from_json] == [read_connection(each) for each in from_uri]


@pytest.mark.parametrize("page", ["README.md", "docs/connection.md", "docs/emulator.md"])
def test_connections_for_the_environment_can_be_read(page: str) -> None:
    values = re.findall(r"^export AIRFLOW_CONN_TALLYFY_DEFAULT='(.+)'$", (ROOT / page).read_text(), re.MULTILINE)
    assert values
    for value in values:
        is_json = value.startswith("{")
        connection = Connection.from_json(value, conn_id="x") if is_json else Connection(conn_id="x", uri=value)
        assert read_connection(connection).secret


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_sections_that_the_code_refers_to_exist(source: Path) -> None:
    # A reference may be broken over two lines, of a docstring or of a comment.
    text = re.sub(r"\s*\n\s*(#:? )?\s*", " ", source.read_text(encoding="utf-8"))
    for reference in _SECTION.finditer(text):
        titles = {each["text"] for each in _HEADING.finditer((ROOT / "docs" / reference["page"]).read_text())}
        assert reference["section"] in titles, reference[0]


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_pages_that_the_code_refers_to_exist(source: Path) -> None:
    pages = re.findall(r"docs/([\w-]+\.md)", source.read_text(encoding="utf-8"))
    assert [page for page in pages if not (ROOT / "docs" / page).exists()] == []


def test_every_filter_is_described() -> None:
    assert set(RUN_FILTERS.readers) - first_cells(ROOT / "docs" / "listing.md") == set()


def test_every_extra_is_described() -> None:
    assert set(EXTRAS) - first_cells(ROOT / "docs" / "connection.md") == set()


def test_every_event_is_described() -> None:
    assert set(EVENTS) - first_cells(ROOT / "docs" / "events.md") == set()


def test_the_payload_of_an_event_is_shown_and_described() -> None:
    page = ROOT / "docs" / "events.md"
    event = confirm(Activity("1", "completed", "run", 0.0), {"status": "complete"}, "organization")
    assert event is not None
    (shown,) = (json.loads(block) for block in blocks(page, "json"))
    assert (list(shown), list(shown["run"])) == (list(event), list(event["run"]))
    assert set(event) - first_cells(page) == set()


def test_every_quirk_is_described() -> None:
    names = {field.name for field in fields(Quirks)}
    assert names - first_cells(ROOT / "docs" / "emulator.md") == set()


def test_the_files_to_open_for_a_change_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("open Y\n")[2]
    rows = [line.split("|")[2] for line in text.splitlines() if line.startswith("| ")][1:]
    files = [re.findall(r"`([^`]+)`", row)[0] for row in rows]
    assert len(files) >= 20
    assert [
        name for name in files if not any((ROOT / part / name).exists() for part in ("tallyfy_provider", "."))
    ] == []


def test_json_in_the_docs_is_json() -> None:
    for page in PAGES:
        for block in blocks(page, "json"):
            json.loads(block)
