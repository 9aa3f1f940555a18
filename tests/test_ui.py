"""What `make ui` says when it is ready."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import ui
from tallyfy_emulator import Emulator


@pytest.fixture
def emulator():
    with Emulator(colleagues=True) as emulator:
        yield emulator


@pytest.fixture
def text(emulator):
    return ui.welcome("http://127.0.0.1:8080", Path("/tmp/standalone.log"), emulator)  # noqa: S108 - only named


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_the_commands_work_as_they_are_printed(emulator, connect, text):
    run_id = connect().launch_run({"checklist_id": emulator.checklists["Employee onboarding"]})["id"]
    commands = [line.strip() for line in text.splitlines() if line.strip().startswith("curl ")]
    assert len(commands) == 6
    for command in commands:
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=20)  # noqa: S602 - our own
        assert done.returncode == 0
        assert '"error":true' not in done.stdout.replace(" ", ""), command
    assert emulator.run(run_id)["status"] == "archived"  # what the last of the commands on it did


def test_templates_are_listed_as_a_dag_needs_them(emulator, text):
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert f"Expense approval {emulator.checklists['Expense approval']}" in lines
    assert "kickoff amount*, reason*, cost-centre (Sales | IT | People), receipt-date" in lines
    assert "steps approve [note, pay-by* (bank transfer | payroll)], pay" in lines


def test_nothing_starts_by_itself_and_links_lead_to_the_pages(emulator):
    settings = ui.settings(emulator)
    assert settings["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] == "True"
    assert settings["AIRFLOW__TALLYFY__RUN_URL"] == f"{emulator.base_url}/tracker/{{run_id}}"


def test_a_connection_can_be_added_from_what_is_printed(emulator, text):
    fields = json.loads(emulator.connection_json())
    assert f"  API base URL {fields['host']}\n" in text
    assert f"  Organization id {fields['login']}, access token {fields['password']}\n" in text


def test_the_last_screen_says_what_to_do_first(text):
    assert "http://127.0.0.1:8080" in "\n".join(text.splitlines()[-16:])
