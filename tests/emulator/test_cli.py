"""The command ``python -m tallyfy_emulator``."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tallyfy_emulator.__main__ import main

COMMAND = [sys.executable, "-m", "tallyfy_emulator"]


ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    "PYTHONUNBUFFERED": "1",
}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the command; yield the process and what it printed when it was ready."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        printed = ""
        assert process.stdout is not None
        for line in process.stdout:
            printed += line
            if "Ctrl+C" in line:
                break
        yield process, printed
    finally:
        process.kill()
        process.communicate()


def get_runs(printed: str, query: str = "") -> dict[str, Any]:
    """Return the list of runs, read with the printed connection."""
    [export] = [line for line in printed.splitlines() if line.startswith("export ")]
    name, _, value = shlex.split(export)[1].partition("=")
    assert name == "AIRFLOW_CONN_TALLYFY_DEFAULT"
    connection = json.loads(value)
    assert connection["host"] in printed
    headers = {"Authorization": f"Bearer {connection['password']}", "X-Tallyfy-Client": "APIClient"}
    url = f"{connection['host']}/organizations/{connection['login']}/runs{query}"
    payload: dict[str, Any] = requests.get(url, headers=headers, timeout=5).json()
    return payload


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_the_connection_and_stops_on_a_signal(number):
    with started("--verbose") as (process, printed):
        for label in ("Organization id", "Access token", "Client id", "Client secret"):
            assert re.search(rf"{label} +\S+", printed)
        assert get_runs(printed)["meta"]["pagination"]["total"] > 50

        process.send_signal(number)
        rest, _ = process.communicate(timeout=10)

    assert process.returncode == 0
    assert re.search(r"GET /organizations/\w+/runs -> 200", rest)
    assert rest.rstrip().endswith("The Tallyfy emulator has stopped.")


def test_options_reach_the_emulator():
    with started("--no-seed", "--rate-limit", "1/60") as (_, printed):
        address = re.search(r"http://127\.0\.0\.1:\d+", printed)
        assert address is not None
        assert [requests.get(address.group(), timeout=5).status_code for _ in range(2)] == [404, 429]


def test_runs_are_generated():
    with started("--no-seed", "--generate", "1000000") as (_, printed):
        payload = get_runs(printed, "?page=100000")

    assert payload["meta"]["pagination"]["total"] == 1_000_000
    assert len(payload["data"]) == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "x"], "'x' is no port"),
        (["--rate-limit", "fast"], "'fast' is no rate limit"),
        (["--generate", "many"], "invalid int value: 'many'"),
        (["--generate", "-3"], "-3 runs can't be generated"),
        (["--host", "0.0.0.0"], "--allow-remote"),
    ],
)
@pytest.mark.timeout(60)  # an option that is not refused starts it
def test_an_invalid_option_is_refused(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    try:
        code = main(arguments)
    except SystemExit as refused:  # from argparse
        code = refused.code

    assert code not in (0, None)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["jinja2", "starlette", "uvicorn"])
def test_without_its_extra_it_names_what_to_install(missing):
    result = run(sys.executable, "-c", f"import sys; sys.modules[{missing!r}] = None; import tallyfy_emulator")

    assert result.returncode != 0
    assert "pip install 'airflow-provider-tallyfy[emulator]'" in result.stderr


def test_it_needs_neither_airflow_nor_the_rest_of_the_provider():
    code = (
        "import sys; import tallyfy_emulator; "
        "print([n for n in sys.modules if n == 'airflow' or n.startswith(('airflow.', 'requests'))"
        " or n.startswith('tallyfy_provider.') and not n.startswith('tallyfy_emulator')])"
    )

    result = run(sys.executable, "-c", code)

    assert result.returncode == 0
    assert result.stdout.strip() == "[]"


def test_it_behaves_as_a_report_says(tmp_path: Path) -> None:
    seen = {"links": {"answer": "holds", "quirks": {"links": "nulls"}}, "me": {"answer": "differs"}}
    file = tmp_path / "report.json"
    file.write_text(json.dumps({"format": 1, "facts": seen}), encoding="utf-8")

    with started("--like", str(file)) as (process, printed):
        assert process.stdout is not None
        assert process.stdout.readline() == f"It behaves as {file} says: links='nulls'.\n"
        assert process.stdout.readline() == "No quirk is known for: me.\n"
        assert get_runs(printed, "?per_page=100")["meta"]["pagination"]["links"] == {"previous": None, "next": None}


def test_a_file_that_is_no_report_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("no report", encoding="utf-8")

    done = run(*COMMAND, "--like", str(file))

    assert done.returncode == 1
    assert f"--like {file}: it is no report of a check" in done.stderr
    assert "Traceback" not in done.stderr
