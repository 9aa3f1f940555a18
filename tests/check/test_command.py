"""The command: exit codes, output for people and programs, and what is said where it cannot check."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow import __version__ as airflow_version

from tallyfy_emulator import Emulator, Fault, ManualClock, Quirks
from tallyfy_provider.check.airflow_command import get_cli_commands
from tallyfy_provider.check.command import main
from tallyfy_provider.check.fact import Fact
from tallyfy_provider.check.facts.registry import FACTS
from tallyfy_provider.check.finding import Finding
from tallyfy_provider.check.options import OPTIONS
from tallyfy_provider.check.runner import Outcome
from tallyfy_provider.check.table import console_for, print_facts, print_outcome
from tallyfy_provider.get_provider_info import get_provider_info
from tallyfy_provider.hooks.tallyfy import TallyfyHook

FEW = "--only=json,links,total-pages"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def connected(connect: Any) -> Any:
    return connect


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["check", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_it_exits_with_0_where_nothing_differs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, FEW)

    assert code == 0
    assert "3 hold, 0 differ, 0 cannot be told, 0 not allowed." in " ".join(out.split())


def test_it_exits_with_1_and_shows_what_was_seen(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.quirks = Quirks(total_pages=False)

    code, out, _ = call(capsys, FEW)

    assert code == 1
    text = " ".join(out.split())
    assert "differs total-pages: meta.pagination.total_pages is the last page." in text
    assert "Section 'Pagination' of docs/tallyfy-api.md." in text
    assert "--report FILE" in text


def test_json_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, FEW, "--json")

    report = json.loads(out)
    assert code == 0
    assert list(report["facts"]) == ["json", "total-pages", "links"]
    assert report["facts"]["links"]["answer"] == "holds"


def test_a_report_is_written(tmp_path: Path, emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.json"

    code, _, _ = call(capsys, "--report", str(file))

    text = file.read_text(encoding="utf-8")
    assert code == 0
    assert len(json.loads(text)["facts"]) == sum(not fact.writes for fact in FACTS)
    assert emulator.organization_id not in text


def test_json_tells_why_nothing_could_be_checked(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "--json", "--only=link")

    answer = json.loads(out)
    assert code == 2
    assert set(answer) == {"format", "provider", "error"}
    assert answer["error"] == err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "link"], "there is no fact 'link'; did you mean 'links'? --list has all."),
        (["--only", " , "], "--only names no fact"),
        (["--report", "/nowhere/at/all.json"], "--report: '/nowhere/at/all.json' cannot be written"),
        (["--report", "/"], "cannot be written"),
        (["--conn-id", "missing"], "There is no connection 'missing'"),
        (["--with-writes", ""], "--with-writes names no checklist"),
        (["--with-writes", "null"], "--with-writes names no checklist"),
    ],
)
def test_what_cannot_be_done_is_said(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, out, err = call(capsys, *arguments)

    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]  # Airflow 2.11 logs that its database is not there
    assert emulator.requests == []


def test_unknown_options_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", "--everything"])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "changes", [{"password": "wrong"}, {"login": "f" * 32}, {"host": "http://127.0.0.1:1"}, {"extra": {"timeout": "x"}}]
)
def test_a_connection_that_does_not_work_is_told_as_the_test_button_does(
    connected: Any, capsys: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    connected(**changes)
    works, message = TallyfyHook().test_connection()
    assert not works

    code, out, err = call(capsys, FEW)

    assert (code, out) == (2, "")
    assert message.partition("request id")[0].partition(" (after")[0] in err


def test_what_will_be_written_is_said_beforehand(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    checklist_id = emulator.checklists["Incident"]

    code, _, err = call(capsys, "--only=json,launch,archive", "--with-writes", checklist_id)

    assert code == 0
    assert f"This launches one run of checklist {checklist_id}" in err
    assert [bool(run["archived_at"]) for run in emulator.launched] == [True]
    assert "could not be archived" not in err


def test_the_checklist_may_be_given_by_its_address(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    checklist_id = emulator.checklists["Incident"]
    address = f"https://go.tallyfy.com/organizations/{emulator.organization_id}/checklists/{checklist_id}"

    code, _, err = call(capsys, "--only=launch,archive", "--with-writes", address)

    assert code == 0
    assert f"one run of checklist {checklist_id}" in err


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=422, method="DELETE"),
        Fault(kind="status", status=200, body={"data": {"id": "0" * 32}}, method="DELETE"),
    ],
)
def test_a_run_that_is_left_behind_is_said(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], fault: Fault
) -> None:
    emulator.order(fault)

    code, _, err = call(capsys, "--only=launch,archive", "--with-writes", emulator.checklists["Incident"])

    [run] = emulator.launched
    assert code == 1
    assert f"Run {run['id']} could not be archived: archive it in Tallyfy." in err


def test_facts_that_write_are_not_asked_unless_it_is_allowed(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "--only=launch", "--json")

    assert code == 0
    assert json.loads(out)["facts"]["launch"]["note"] == "It needs --with-writes CHECKLIST_ID."
    assert emulator.launched == []


def test_the_facts_are_listed_without_a_connection(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_TALLYFY_DEFAULT")

    code, out, _ = call(capsys, "--list")
    _, as_json, _ = call(capsys, "--list", "--json")

    assert code == 0
    assert all(fact.id in out for fact in FACTS)
    assert list(json.loads(as_json)["facts"]) == [fact.id for fact in FACTS]
    assert emulator.requests == []


# The table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


LONG = Finding("differs", {"rows": 12, "ids": ["number", "text"]}, "Not known: '" + "x" * 200 + "\x1b[31m\x07'.")
SHOWN = Outcome(((FACTS[0], Finding("holds")), (FACTS[1], LONG)), 12, 3.4, False)


def shown(stream: io.StringIO, outcome: Outcome = SHOWN) -> str:
    print_outcome(console_for(stream), outcome, 13)
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    text = shown(io.StringIO())

    assert max(len(line) for line in text.splitlines()) <= width
    assert "x" * 200 in "".join(text.split()) or text.count("x") >= 200


def test_colours_go_to_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" in shown(Terminal())
    assert "\x1b" not in shown(io.StringIO())

    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(Terminal())


def test_what_tallyfy_wrote_cannot_control_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    text = shown(Terminal())

    assert "\x1b" not in text
    assert "\x07" not in text


def test_square_brackets_are_no_markup() -> None:
    finding = Finding("cannot tell", {}, "It is [bold]not[/bold] markup [/x].")
    stream = io.StringIO()
    print_facts(console_for(stream), [Fact("[red]", "[/x]", "", "[/x]", lambda reader: finding, "s")])

    assert "[bold]not[/bold] markup [/x]" in " ".join(
        shown(io.StringIO(), Outcome(((FACTS[0], finding),), 1, 1, False)).split()
    )
    assert "[red]" in stream.getvalue()


# Airflow's command line


def test_airflow_is_told_of_the_command_by_the_provider() -> None:
    assert get_provider_info()["cli"] == ["tallyfy_provider.check.airflow_command.get_cli_commands"]

    if tuple(map(int, airflow_version.split(".")[:2])) < (3, 2):
        pytest.skip("Airflow takes commands of providers since 3.2")
    from airflow.providers_manager import ProvidersManager

    assert get_cli_commands in ProvidersManager().cli_command_functions


def test_airflows_command_takes_the_same_options_and_exits_alike(capsys: pytest.CaptureFixture[str]) -> None:
    [group] = get_cli_commands()
    [command] = group.subcommands
    parser = argparse.ArgumentParser()
    for argument in command.args:
        argument.add_to_parser(parser)

    assert (group.name, command.name) == ("tallyfy", "check")
    assert [argument.flags for argument in command.args] == [flags for flags, _ in OPTIONS]
    with pytest.raises(SystemExit) as ended:
        command.func(parser.parse_args([FEW]))
    assert ended.value.code == 0
    assert "3 hold" in capsys.readouterr().out


IMPORTED = """
import sys, airflow.cli.cli_config
before = set(sys.modules)
import tallyfy_provider.check.airflow_command
tallyfy_provider.check.airflow_command.get_cli_commands()
print(*sorted(name for name in set(sys.modules) - before if name.startswith(("tallyfy", "requests", "rich"))))
"""


def test_airflows_command_line_loads_next_to_nothing_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, timeout=120, check=True)

    ours = {"tallyfy_provider.check", "tallyfy_provider.check.airflow_command", "tallyfy_provider.check.options"}
    assert set(done.stdout.split()) - {"tallyfy_provider"} == ours


def test_the_module_runs_by_itself_and_no_log_gets_into_its_output(emulator: Emulator) -> None:
    emulator.order(Fault(kind="status", status=502, times=1))
    command = [sys.executable, "-m", "tallyfy_provider", "check", "--json", FEW]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["answers"]["holds"], report["requests"]) == (3, 3)


def test_the_output_is_there_where_messages_have_nowhere_to_go() -> None:
    code = "import sys; sys.stderr = None; from tallyfy_provider.check.command import main; main(['check', '--list'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)

    assert FACTS[0].id in done.stdout
