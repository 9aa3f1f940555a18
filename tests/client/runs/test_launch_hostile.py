"""No run is launched twice by whatever Tallyfy does to the summaries that it shows."""

from __future__ import annotations

import html
import itertools
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallyfy_provider.client import ClientSettings, build_client
from tallyfy_provider.client.runs.launch import Launcher
from tallyfy_provider.client.runs.launch_marker import LaunchMarker
from tallyfy_provider.exceptions import TallyfyError, TallyfyIndeterminateError
from tests.in_memory import LostResponse, answer_with

LONG = "x" * 250
CHECKLIST = "c" * 32
#: What a server may do to the HTML or the white space of a text before it shows it.
FORMS = {
    "as it is": str,
    "escaped": html.escape,
    "escaped twice": lambda text: html.escape(html.escape(text)),
    "in a paragraph": lambda text: f"<p>{text}</p>",
    "in a paragraph that is escaped": lambda text: html.escape(f"<p>{text}</p>"),
    "brackets as entities": lambda text: text.replace("[", "&#91;").replace("]", "&#93;"),
    "collapsed": lambda text: " ".join(text.split()),
    "spaces that do not break": lambda text: text.replace(" ", "&nbsp;"),
    "with line breaks": lambda text: text.replace("\n", "<br />\r\n"),
    "in large letters": str.upper,
    "in title case": str.title,
    "escaped as Markdown": lambda text: re.sub(r"([\[\]:_*.'-])", r"\\\1", text),
    "without brackets": lambda text: text.replace("[", "").replace("]", ""),
    "in quotes": lambda text: f"“{text}”",
    "invisible letters": lambda text: "\ufeff" + text.replace(":", ":\u200b"),
}
CUTS = ["", "…", "...", " […]", " >>"]


def cut(text: str, length: int | None, sign: str = "") -> str:
    return text if length is None or len(text) <= length else text[:length] + sign


@dataclass
class Hostile:
    """A Tallyfy that keeps summaries whole, and shows them as it likes."""

    list_cut: int | None = None
    single_cut: int | None = None
    sign: str = ""
    form: str = "as it is"
    #: Requests for lists until a run is in them.
    lag: int = 0
    leaves_out: bool = False
    loses_responses: bool = True
    runs: list[dict[str, Any]] = field(default_factory=list)
    launched: int = 0
    lists: int = 0

    def add(self, summary: Any) -> dict[str, Any]:
        created = datetime.now(UTC).isoformat()
        run = {"id": f"{len(self.runs):032x}", "created_at": created, "checklist_id": CHECKLIST, "name": "x"}
        self.runs.append({**run, "summary": summary, "listed_from": self.lists + self.lag})
        return self.runs[-1]

    def __call__(self, method, path, query, body):
        if method == "POST":
            self.launched += 1
            run = self.add(body["summary"])
            if self.loses_responses:
                raise LostResponse
            return 200, {"data": self.shown(run, self.single_cut)}, {}
        run_id = path.rpartition("/")[2]
        if run_id != "runs":
            run = next(run for run in self.runs if run["id"] == run_id)
            return 200, {"data": self.shown(run, self.single_cut)}, {}
        self.lists += 1
        number, per_page = int(query["page"]), int(query["per_page"])
        rows = [
            self.shown(run, self.list_cut, leaves_out=self.leaves_out)
            for run in reversed(self.runs)
            if run["listed_from"] < self.lists and "archived" not in query
        ]
        rows = rows[(number - 1) * per_page : number * per_page]
        return 200, {"data": rows}, {"Content-Type": "application/json"}

    def shown(self, run, length, leaves_out=False):
        row = {name: value for name, value in run.items() if name != "listed_from"}
        if leaves_out:
            return {**row, "summary": None}
        return {**row, "summary": cut(FORMS[self.form](run["summary"]), length, self.sign)}


def marker_of(run_id: str, map_index: int = -1) -> LaunchMarker:
    return LaunchMarker.build(
        f"Launched by Airflow: dag '{LONG}', task '{LONG}', run '{run_id}', map index {map_index}", run_id, map_index
    )


def launcher_of(server, marker, monkeypatch):
    answer_with(monkeypatch, server)
    connection = ClientSettings("org", "secret", base_url="http://localhost", max_attempts=1)
    client = build_client(connection, sleep=lambda seconds: None)
    times = itertools.count()
    return Launcher(
        client.runs,
        CHECKLIST,
        marker,
        since=None,
        lookup_timeout=30.0,
        sleep=lambda seconds: None,
        clock=lambda: float(next(times)),
    )


def try_to_launch(server, marker, monkeypatch):
    """Do what two tries of a task do: launch, look for the run, and let the next try look first."""
    body = {"checklist_id": CHECKLIST, "name": "x", "summary": "<p>Hello</p>"}
    with suppress(TallyfyIndeterminateError):
        launcher_of(server, marker, monkeypatch).launch(body)
    launcher = launcher_of(server, marker, monkeypatch)
    found = launcher.find_until_timeout()
    if found is None:
        launcher.launch(body)
    return found


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("sign", CUTS)
@pytest.mark.parametrize("summary", [None, "Soon", "<p>Soon</p>"])
def test_a_row_that_could_be_ours_is_known_for_it_wherever_it_is_cut(form, sign, summary):
    marker = marker_of("manual__1", 1)
    for length in range(401):
        row = {"summary": cut(FORMS[form](marker.written_into(summary)), length, sign)}
        assert marker.is_in(row) or marker.may_be_in(row), row


@pytest.mark.parametrize("length", [0, 5, 400])
def test_a_row_whose_summary_is_no_text_could_be_ours(monkeypatch, length):
    server = Hostile()

    def handler(method, path, query, body):
        status, payload, headers = server(method, path, query, body)
        if isinstance(payload["data"], list):
            payload["data"] = [{**row, "summary": {"short": row["summary"][:length]}} for row in payload["data"]]
        return status, payload, headers

    try_to_launch(handler, marker_of("manual__1"), monkeypatch)
    assert server.launched == 1


@pytest.mark.parametrize("length", [0, 1, 9, 10, 29, 30, 100, 255])
def test_a_run_is_found_again_wherever_lists_cut_its_summary(monkeypatch, length):
    server = Hostile(list_cut=length)
    for summary in ("", "Please hurry", "[urgent] call them", marker_of("manual__1", 11).written_into("Theirs")):
        server.add(summary)
    found = try_to_launch(server, marker_of("manual__1", 1), monkeypatch)
    assert server.launched == 1
    assert found["id"] == f"{4:032x}"


@settings(max_examples=60)
@given(
    server=st.builds(
        Hostile,
        list_cut=st.none() | st.integers(0, 400),
        single_cut=st.none() | st.integers(150, 400),
        sign=st.sampled_from(CUTS),
        form=st.sampled_from(sorted(FORMS)),
        lag=st.integers(0, 10),
        leaves_out=st.booleans(),
    ),
    others=st.lists(st.sampled_from(["", "[", "<p>", "x" * 300, "[airflow:", "[airflow:" + "0" * 20 + "] x"])),
)
def test_no_run_is_launched_twice(server, others):
    server.runs.clear()
    server.launched = server.lists = 0
    for summary in others:
        server.add(summary)
    with pytest.MonkeyPatch.context() as monkeypatch:
        found = try_to_launch(server, marker_of("manual__1"), monkeypatch)
    assert server.launched == 1
    assert found["id"] == f"{len(others):032x}"


def test_the_rows_of_other_launches_are_not_requested_one_by_one(monkeypatch):
    server = Hostile(list_cut=255)
    for number in range(50):
        server.add(marker_of("manual__1", number).written_into(None))
        server.add("A person has launched it")
    requested = []

    def handler(method, path, query, body):
        requested.append(path)
        return server(method, path, query, body)

    assert launcher_of(handler, marker_of("manual__1", 50), monkeypatch).find() is None
    assert {path.rpartition("/")[2] for path in requested} == {"runs"}


@pytest.mark.parametrize(("single_cut", "is_warned"), [(None, False), (30, False), (29, True), (0, True)])
@pytest.mark.parametrize("answer_cut", [None, 0, 10, 29])
def test_a_warning_tells_that_the_line_was_not_kept(monkeypatch, caplog, single_cut, is_warned, answer_cut):
    server = Hostile(single_cut=single_cut, loses_responses=False)

    def handler(method, path, query, body):
        status, payload, headers = server(method, path, query, body)
        if method == "POST":
            payload["data"]["summary"] = cut(payload["data"]["summary"], answer_cut)
        return status, payload, headers

    launcher_of(handler, marker_of("manual__1"), monkeypatch).launch({"checklist_id": CHECKLIST, "name": "x"})
    assert ("did not keep [airflow:" in caplog.text) is is_warned


@pytest.mark.parametrize("summary", [None, "", "missing"])
def test_a_warning_tells_that_the_summary_came_back_empty(monkeypatch, caplog, summary):
    def handler(method, path, query, body):
        run = {"id": "a" * 32, "checklist_id": CHECKLIST}
        return 200, {"data": run if summary == "missing" else {**run, "summary": summary}}, {}

    launcher_of(handler, marker_of("manual__1"), monkeypatch).launch({"checklist_id": CHECKLIST, "name": "x"})
    assert "did not keep [airflow:" in caplog.text


def test_an_answer_for_another_run_is_no_proof_that_it_is_not_there(monkeypatch):
    server = Hostile(list_cut=0)
    server.add("")
    marker = marker_of("manual__1")
    server.add(marker.written_into(None))

    def handler(method, path, query, body):
        if path.endswith("1"):
            path = path[:-1] + "0"
        return server(method, path, query, body)

    with pytest.raises(TallyfyError, match="answered for another one"):
        launcher_of(handler, marker, monkeypatch).find()


def test_tokens_of_ids_that_begin_alike_differ():
    markers = [marker_of(run_id, index) for run_id in ("a", "a1", "a11") for index in (1, 11, 111)]
    assert len({marker.token for marker in markers}) == 9
    for one, other in itertools.permutations(markers, 2):
        assert not one.is_in({"summary": other.written_into(None)})
        assert not one.may_be_in({"summary": other.written_into(None)})


def test_the_token_comes_first():
    assert re.match(r"\[airflow:[0-9a-f]{20}\] Launched by", marker_of("a").written_into("Soon"))


@pytest.mark.parametrize("summary", ["A/B test", "A. Do this", "A – b", "air freight"])
def test_a_summary_of_people_that_begins_alike_is_not_a_cut_one(summary):
    assert not marker_of("a", 1).may_be_in({"summary": summary})
