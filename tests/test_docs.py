"""The documentation: links lead somewhere, every code block is run or checked, and no setting is left out."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from airflow.models import Connection

import docs_messages
from tallyfy_emulator import Emulator, Quirks
from tallyfy_emulator.__main__ import _parser
from tallyfy_provider.client.runs.filters import RUN_FILTERS
from tallyfy_provider.hooks.connection import EXTRAS, read_connection
from tallyfy_provider.triggers.activity_feed import EVENTS, Activity, confirm

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
SOURCES = sorted(
    path
    for folder in ("tallyfy_provider", "tallyfy_emulator", "scripts", "benchmarks", "example_dags")
    for path in (ROOT / folder).rglob("*.py")
)
#: What stands in a block of each language.
LANGUAGES = {"python", "bash", "json", "text", "mermaid", "ini", "yaml", "dockerfile", ""}

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+)$", re.MULTILINE)
_SECTION = re.compile(r'docs/(?P<page>[\w/-]+\.md), "(?P<section>[^"]+)"')
_INCLUDE = re.compile(r'^--8<-- "(?P<file>docs/snippets/[\w/]+\.py):(?P<section>\w+)"$')


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, *languages: str) -> list[str]:
    """The code blocks of a page in some languages."""
    found = _FENCE.finditer(path.read_text(encoding="utf-8"))
    return [block["text"] for block in found if block["language"] in languages]


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


def test_every_page_is_in_the_navigation() -> None:
    # Not parsed: the file has a tag of MkDocs' own.
    listed = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2])
    assert len(listed) == len(set(listed))
    assert {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} == set(listed)


# --- Code blocks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_of_a_language_that_is_checked(page: Path) -> None:
    used = {block["language"] for block in _FENCE.finditer(page.read_text(encoding="utf-8"))}
    assert used - LANGUAGES == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_is_taken_from_a_file_that_is_run(page: Path) -> None:
    """``tests/test_snippets.py`` runs all of docs/snippets."""
    for text in blocks(page, "python"):
        if page.name == "README.md":
            assert text == (DOCS / "snippets" / "dags" / "ask_before_paying.py").read_text(encoding="utf-8")
            continue
        include = _INCLUDE.match(text.strip())
        if include is None:
            assert stands_in_an_example(text), f"neither from docs/snippets nor from example_dags:\n{text}"
            continue
        code = (ROOT / include["file"]).read_text(encoding="utf-8")
        assert code.count(f"[start:{include['section']}]") == code.count(f"[end:{include['section']}]") == 1


def stands_in_an_example(code: str) -> bool:
    """Whether an example Dag has these lines, but for imports, blank lines and the depth of the whole."""
    wanted = [line.rstrip() for line in code.splitlines() if line.strip() and not line.startswith(("from ", "import "))]
    for example in (ROOT / "example_dags").glob("*.py"):
        lines = [line.rstrip() for line in example.read_text(encoding="utf-8").splitlines() if line.strip()]
        for depth in ("", "    "):
            shown = [depth + line for line in wanted]
            if any(lines[start : start + len(shown)] == shown for start in range(len(lines))):
                return True
    return False


def test_every_section_of_the_snippets_is_shown() -> None:
    shown = {
        (found["file"], found["section"])
        for page in PAGES
        for text in blocks(page, "python")
        if (found := _INCLUDE.match(text.strip()))
    }
    marked = {
        (name_of(path), section)
        for path in (DOCS / "snippets").rglob("*.py")
        for section in re.findall(r"\[start:(\w+)\]", path.read_text(encoding="utf-8"))
    }
    assert marked == shown


def commands(page: Path) -> Iterator[list[str]]:
    """The commands of a page, word by word; a line that ends with a backslash, or within quotes, goes on."""
    for text in blocks(page, "bash"):
        begun = ""
        for line in text.replace("\\\n", " ").splitlines():
            begun += f"{line}\n"
            try:
                words = shlex.split(begun, comments=True)
            except ValueError:
                continue
            begun = ""
            while words and re.match(r"^[A-Z_]+=", words[0]):
                del words[0]
            if words:
                yield words
        assert begun == "", f"quotes are not closed: {begun}"


def airflow_commands() -> set[tuple[str, ...]]:
    from airflow.cli.cli_parser import airflow_commands as known

    return {
        (group.name, command.name) if hasattr(group, "subcommands") else (group.name,)
        for group in known
        for command in (group.subcommands if hasattr(group, "subcommands") else [group])
    }


def check_command(words: list[str], targets: set[str]) -> None:
    """Fail for a command that is not there, or an option that it does not have."""
    match words:
        case ["make", *arguments]:
            assert {each for each in arguments if "=" not in each} <= targets
        case ["python", "-m", "tallyfy_emulator", *arguments]:
            _parser().parse_args(arguments)
        case ["python", "-m", module, *_]:
            assert (ROOT / module / "__main__.py").exists()
        case ["python", script, *_]:
            assert (ROOT / script).exists()
        case ["airflow", "tallyfy", "check", *_]:
            assert (ROOT / "tallyfy_provider" / "check" / "airflow_command.py").exists()
        case ["airflow", *arguments]:
            assert {tuple(arguments[:1]), tuple(arguments[:2])} & airflow_commands()
        case ["pip", "install", *arguments]:
            ours = [re.fullmatch(r"(\.|airflow-provider-tallyfy)(\[(?P<extra>\w+)\])?", each) for each in arguments]
            (found,) = filter(None, ours)
            assert found["extra"] is None or f'\n{found["extra"]} = ["' in (ROOT / "pyproject.toml").read_text()
            files = [Path(each).name for each in arguments if each.endswith(".txt")]
            assert [name for name in files if not (ROOT / "constraints" / name).exists()] == []
        case ["export", assignment]:
            assert re.match(r"[A-Z_]+=", assignment)
        case (
            ["git", "clone", *_]
            | ["cd", *_]
            | ["curl", *_]
            | [".environments/airflow-3.3-python-3.11/bin/pre-commit", _]
        ):
            pass
        case _:
            pytest.fail(f"a command that no test knows: {words}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_of_the_shell_exist(page: Path) -> None:
    targets = set(re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in commands(page):
        check_command(words, targets)


def test_requests_to_the_emulators_controls_are_answered() -> None:
    page = DOCS / "reference" / "emulator.md"
    with Emulator() as emulator:
        checklist = emulator.add_checklist(
            "Discount once more", steps=[{"title": "Decide", "form_fields": [{"label": "percent"}]}]
        )
        changed, answered = (emulator.add_run(checklist_id=checklist["id"]) for _ in range(2))
        places = {"RUN_ID": changed["id"], "CHECKLIST_ID": checklist["id"]}
        places["TASK_ID"] = emulator.tasks(answered["id"])[0]["id"]
        for words in commands(page):
            if words[0] != "curl":
                continue
            line = " ".join(words)
            if "DELETE" in line and "RUN_ID" in line:
                continue  # the run is needed by the requests after it
            for name, value in places.items():
                words = [word.replace(name, value) for word in words]
            answer = curl(words, emulator)
            assert answer.status_code < 400, (line, answer.text)


def curl(words: list[str], emulator: Emulator) -> requests.Response:
    """Do what a command with ``curl -X METHOD ADDRESS -d BODY`` does."""
    options = dict(pairwise(words))
    address = next(word for word in words if word.startswith("http://127.0.0.1:8123"))
    return requests.request(
        options.get("-X", "GET"),
        address.replace("http://127.0.0.1:8123", emulator.base_url),
        data=options.get("-d"),
        timeout=10,
    )


def test_json_and_ini_in_the_docs_can_be_read() -> None:
    for page in PAGES:
        for block in blocks(page, "json"):
            json.loads(block)
        for block in blocks(page, "ini"):
            configparser.ConfigParser(interpolation=None).read_string(block)


def test_yaml_in_the_docs_can_be_read() -> None:
    yaml = pytest.importorskip("yaml")
    for page in PAGES:
        for block in blocks(page, "yaml"):
            assert isinstance(yaml.safe_load(block), dict)


# --- Nothing is left out ----------------------------------------------------------------------------------------------


def test_connections_in_the_docs_can_be_read() -> None:
    page = DOCS / "operate" / "connection.md"
    text = page.read_text(encoding="utf-8")
    from_json = [Connection.from_json(block, conn_id="shown") for block in blocks(page, "json")]
    from_uri = [Connection(conn_id="shown", uri=uri) for uri in re.findall(r"^tallyfy://\S+$", text, re.MULTILINE)]
    assert len(from_json) == len(from_uri) == 4
    assert [read_connection(each) for each in from_json] == [read_connection(each) for each in from_uri]


@pytest.mark.parametrize(
    "page", ["README.md", "docs/start/quickstart.md", "docs/operate/connection.md", "docs/reference/emulator.md"]
)
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
        titles = {each["text"] for each in _HEADING.finditer((DOCS / reference["page"]).read_text())}
        assert reference["section"] in titles, reference[0]


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_pages_that_the_code_refers_to_exist(source: Path) -> None:
    pages = re.findall(r"docs/([\w/-]+\.md)", source.read_text(encoding="utf-8"))
    assert [page for page in pages if not (DOCS / page).exists()] == []


def test_every_filter_is_described() -> None:
    assert set(RUN_FILTERS.readers) - first_cells(DOCS / "reference" / "filters.md") == set()


def test_every_extra_is_described() -> None:
    assert set(EXTRAS) - first_cells(DOCS / "reference" / "connection.md") == set()


def test_every_event_is_described() -> None:
    assert set(EVENTS) - first_cells(DOCS / "guides" / "react.md") == set()


def test_the_payload_of_an_event_is_shown_and_described() -> None:
    page = DOCS / "guides" / "react.md"
    event = confirm(Activity("1", "completed", "run", 0.0), {"status": "complete"}, "organization")
    assert event is not None
    (shown,) = (json.loads(block) for block in blocks(page, "json"))
    assert (list(shown), list(shown["run"])) == (list(event), list(event["run"]))
    assert set(event) - first_cells(page) == set()


def test_every_quirk_is_described() -> None:
    names = {field.name for field in fields(Quirks)}
    assert names - first_cells(DOCS / "reference" / "emulator.md") == set()


def public_classes() -> dict[str, Any]:
    """The classes that Airflow discovers in the provider."""
    from airflow.providers.common.compat.module_loading import import_string

    from tallyfy_provider.get_provider_info import get_provider_info

    information = get_provider_info()
    modules = [
        module
        for kind in ("hooks", "operators", "sensors", "triggers")
        for each in information[kind]
        for module in each["python-modules"]
    ] + [each["python-module"] for each in information["transfers"]]
    suffixes = ("Operator", "Sensor", "Trigger", "Hook", "Notifier")
    found = {}
    for module in modules:
        names = vars(import_string(module) if module in sys.modules else __import__(module, fromlist=["x"]))
        found.update({name: made for name, made in names.items() if name.endswith(suffixes) and isinstance(made, type)})
    return {name: made for name, made in found.items() if made.__module__.startswith("tallyfy_provider")}


def test_every_operator_sensor_trigger_and_hook_is_in_the_reference() -> None:
    text = "".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    shown = {path.rpartition(".")[2] for path in re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)}
    bases = {"FilteredRunsOperator", "TallyfyBaseOperator", "TallyfySensor", "WaitTrigger", "PolledTrigger"}
    assert set(public_classes()) - bases - shown == set()


def test_every_cure_is_for_a_message_that_there_is() -> None:
    texts = [message.text for message in docs_messages.messages()]
    assert len(texts) > 150
    cures = docs_messages.cures()
    assert [part for part in cures["cures"] if not any(part in text for text in texts)] == []


def test_every_exception_has_a_cure() -> None:
    from tallyfy_provider import exceptions

    names = {name for name in vars(exceptions) if name.startswith("Tallyfy") and name.endswith("Error")}
    assert names == set(docs_messages.cures()["kinds"])


def test_the_page_of_messages_has_a_cure_for_each() -> None:
    page = docs_messages.with_tables((DOCS / "operate" / "messages.md").read_text())
    assert "<!-- cures" not in page
    rows = [
        line.split(" | ") for line in page.partition("## All messages")[2].splitlines() if line.startswith("| <code>")
    ]
    assert len(rows) > 150
    assert [row for row in rows if not row[-1].strip(" |")] == []


def test_the_files_to_open_for_a_change_exist() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8").partition("open Y\n")[2]
    rows = [line.split("|")[2] for line in text.splitlines() if line.startswith("| ")][1:]
    files = [re.findall(r"`([^`]+)`", row)[0] for row in rows]
    assert len(files) >= 20
    assert [
        name for name in files if not any((ROOT / part / name).exists() for part in ("tallyfy_provider", "."))
    ] == []
