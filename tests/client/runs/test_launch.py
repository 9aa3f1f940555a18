"""A launched run has a marker in its summary and is found by it."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Quirks
from tallyfy_provider.client.runs.api import RunsResource
from tallyfy_provider.client.runs.launch import Launcher
from tallyfy_provider.client.runs.launch_marker import LaunchMarker, line_in, with_line

MARKER = LaunchMarker.build("Launched by Airflow: dag 'x', task 'y', run 'z'", "x", "y", "z")
LINE = MARKER.line


@pytest.fixture
def checklist(emulator):
    return emulator.add_checklist("Onboarding")


@pytest.fixture
def launcher(client, checklist):
    return Launcher(client.runs, checklist["id"], MARKER, since=None, lookup_timeout=0.0)


@pytest.fixture
def launch(launcher, checklist):
    return lambda **more: launcher.launch({"checklist_id": checklist["id"], "name": "Acme", **more})


@pytest.fixture(params=["missing", "empty"])
def lists_without_summaries(request, monkeypatch):
    """A Tallyfy whose lists leave the summary out, or empty."""
    whole = RunsResource.list

    def list_runs(client, *arguments, **options):
        for run in whole(client, *arguments, **options):
            rest = {name: value for name, value in run.items() if name != "summary"}
            yield rest if request.param == "missing" else {**rest, "summary": None}

    monkeypatch.setattr(RunsResource, "list", list_runs)


@pytest.mark.usefixtures("lists_without_summaries")
@pytest.mark.parametrize(
    ("is_archived", "archived_run_status", "is_found"), [(False, 200, True), (True, 200, True), (True, 404, False)]
)
def test_a_run_listed_without_summary_is_read(emulator, launcher, launch, is_archived, archived_run_status, is_found):
    run = launch()
    emulator.quirks = Quirks(archived_run_status=archived_run_status)
    if is_archived:
        emulator.archive_run(run["id"])
    found = launcher.find()
    assert (found and found["id"]) == (run["id"] if is_found else None)


@pytest.mark.usefixtures("lists_without_summaries")
def test_another_run_is_read_only_once(emulator, launcher, checklist):
    emulator.add_run(checklist_id=checklist["id"])
    launcher.find()
    emulator.clear_requests()
    launcher.find()
    assert [request.path for request in emulator.requests if not request.path.endswith("/runs")] == []


@pytest.mark.parametrize("cut", [len(MARKER.token), len(LINE) + 9])
@pytest.mark.parametrize("summary", [None, "Soon " * 60])
def test_a_truncated_summary_keeps_the_marker(monkeypatch, caplog, launcher, launch, summary, cut):
    cut_off(monkeypatch, cut)
    run = launch(summary=summary)
    assert launcher.find()["id"] == run["id"]
    assert "did not keep" not in caplog.text


def test_a_truncated_marker_is_logged(monkeypatch, caplog, launch):
    cut_off(monkeypatch, len(MARKER.token) - 1)
    run = launch()
    assert f"A retry cannot find run {run['id']}" in caplog.text


def cut_off(monkeypatch, length):
    whole = RunsResource.launch
    monkeypatch.setattr(
        RunsResource, "launch", lambda client, body: whole(client, {**body, "summary": body["summary"][:length]})
    )


@pytest.mark.parametrize(
    ("summary", "written"),
    [
        (None, LINE),
        ("  ", LINE),
        ("Soon\n", f"{LINE}\n\nSoon"),
        ("<p>Soon</p>", f"<p>{LINE}</p><p>Soon</p>"),
    ],
)
def test_the_marker_is_above_the_summary_and_found_in_it(summary, written):
    assert with_line(summary, LINE) == written
    assert line_in(written) == LINE
    assert MARKER.is_in({"summary": written})
