"""The facts: what they name, what they cost, and that nothing that an organization answers ends a check half-way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallyfy_emulator import Emulator, Fault, ManualClock
from tallyfy_provider.check.facts.registry import FACTS
from tallyfy_provider.check.reader import MAX_REQUESTS, MAX_SECONDS, ApiReader
from tallyfy_provider.check.runner import Outcome, run
from tallyfy_provider.check.trial import NAME, Trial
from tallyfy_provider.client.settings import ClientSettings, build_client
from tallyfy_provider.exceptions import TallyfyConnectionError
from tests.check.conftest import Exchange, World, add_tried_checklist, answered, check, connect, findings

PAGE = Path(__file__).parents[2] / "docs" / "tallyfy-api.md"


def test_there_are_many_and_each_has_an_id_of_its_own() -> None:
    assert len(FACTS) >= 40
    assert len({fact.id for fact in FACTS}) == len(FACTS)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", fact.id) for fact in FACTS)


def test_each_names_a_section_of_what_we_rely_on() -> None:
    sections = set(re.findall(r"^###? (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {fact.section for fact in FACTS} <= sections


def ask(emulator: Emulator, **settings: Any) -> Outcome:
    defaults = {"base_url": emulator.base_url, "max_attempts": 2}
    if "client_id" not in settings:
        defaults["secret"] = emulator.token
    client = build_client(ClientSettings(emulator.organization_id, **{**defaults, **settings}), sleep=lambda _: None)
    return check(client)


def test_five_thousand_runs_cost_no_more_than_sixty_requests() -> None:
    with Emulator(clock=ManualClock()) as emulator:
        emulator.add_generated_runs(5000)

        outcome = ask(emulator)

        assert outcome.requests == len(emulator.requests) <= MAX_REQUESTS
        assert {request.method for request in emulator.requests} == {"GET"}
        assert answered(outcome, "differs") == set()


def test_attempts_count_among_the_sixty_requests(seeded: Emulator) -> None:
    seeded.order(Fault(kind="status", status=500, path="&(status|q|tag|folder|owners|groups|starred)=", times=None))

    outcome = ask(seeded)

    assert outcome.requests == len(seeded.requests) == MAX_REQUESTS
    assert answered(outcome, "differs") == set()


def test_a_request_is_not_sent_again_when_the_time_is_over(seeded: Emulator) -> None:
    client = connect(seeded)
    usual = client.session.transport.response_timeout
    reader = ApiReader(client, on_request=lambda count: setattr(reader, "_started", reader._started - MAX_SECONDS))
    seeded.order(Fault(kind="status", status=500, times=None))

    outcome = run(FACTS, reader)
    client.close()

    assert len(seeded.requests) == 1
    assert {finding.answer for _, finding in outcome.findings} == {"cannot tell"}
    assert client.session.transport.response_timeout == usual


def test_an_organization_without_runs_is_no_difference(emulator: Emulator) -> None:
    outcome = ask(emulator)

    assert answered(outcome, "differs") == set()
    assert len(answered(outcome, "cannot tell")) > 50


def test_an_application_is_told_what_it_may_not_ask(world: World) -> None:
    emulator = world.emulator

    outcome = ask(emulator, client_id=emulator.client_id, secret=emulator.client_secret)

    assert answered(outcome, "not allowed") == {"me", "my-organizations"}
    assert answered(outcome, "differs") == set()
    assert findings(outcome)["token-lifetime"].seen == {"grant": "client_credentials", "seconds": 604_800}


@pytest.mark.parametrize(
    ("grant", "lifetime", "answer"), [("application", 3600.0, "differs"), ("password", 60, "holds")]
)
def test_a_lifetime_that_is_not_the_documented_one(world: World, grant: str, lifetime: float, answer: str) -> None:
    emulator = world.emulator
    emulator.token_lifetime = lifetime
    person = {"username": emulator.username, "user_password": emulator.user_password} if grant == "password" else {}

    client = build_client(
        ClientSettings(
            emulator.organization_id,
            emulator.client_secret,
            base_url=emulator.base_url,
            client_id=emulator.client_id,
            **person,
        )
    )
    outcome = check(client, only=["json", "token-lifetime"])

    emulator.token_lifetime = None
    assert findings(outcome)["token-lifetime"].answer == answer


@pytest.fixture
def seeded() -> Iterator[Emulator]:
    with Emulator(clock=ManualClock()) as emulator:
        yield emulator


def test_a_refusal_with_a_pause_is_obeyed_and_told(seeded: Emulator) -> None:
    seeded.order(Fault(kind="status", status=429, headers={"Retry-After": "7"}, times=1, after=3))
    slept: list[float] = []
    settings = ClientSettings(seeded.organization_id, seeded.token, base_url=seeded.base_url)

    outcome = check(build_client(settings, sleep=slept.append))

    found = findings(outcome)["rate-limit"]
    assert (found.answer, found.seen["refused"], found.seen["with_pause"]) == ("holds", 1, 1)
    assert sum(slept) >= 7
    assert answered(outcome, "differs") == set()


def test_a_refusal_without_a_pause_differs(seeded: Emulator) -> None:
    seeded.order(Fault(kind="status", status=429, times=1, after=3))

    assert answered(ask(seeded), "differs") == {"rate-limit"}


def test_a_pause_that_another_header_tells_differs(seeded: Emulator) -> None:
    seeded.order(Fault(kind="status", status=429, headers={"X-RateLimit-Reset": "2"}, times=1, after=3))

    found = findings(ask(seeded))["rate-limit"]

    assert (found.answer, found.seen["refused"], found.seen["with_pause"]) == ("differs", 1, 0)
    assert found.seen["headers"] == ["x-ratelimit-reset"]


def test_nothing_is_asked_any_more_when_tallyfy_refuses_for_good(seeded: Emulator) -> None:
    seeded.order(Fault(kind="status", status=429, headers={"Retry-After": "3000"}, times=1000, after=9))

    outcome = ask(seeded)

    assert len(seeded.requests) == 10
    assert len(outcome.findings) == sum(not fact.writes for fact in FACTS)
    assert answered(outcome, "differs") == set()
    assert "check again after 3000 s" in findings(outcome)["feed"].note


@pytest.mark.parametrize("kind", ["reset", "truncate", "unreadable", "html"])
def test_nothing_is_asked_any_more_when_tallyfy_is_out_of_reach(seeded: Emulator, kind: Any) -> None:
    seeded.order(Fault(kind=kind, times=1000, after=9))

    outcome = ask(seeded)

    assert len(outcome.findings) == sum(not fact.writes for fact in FACTS)
    if kind != "html":  # a page of HTML is an answer, and every request has one
        assert len(seeded.requests) <= 9 + 4


JUNK: tuple[Any, ...] = (
    None,
    [],
    {},
    0,
    "text",
    {"data": None},
    {"data": []},
    {"data": {}},
    {"data": [None]},
    {"data": [{"id": "x"}], "meta": []},
    {"data": [{"id": "x"}], "meta": {"pagination": {"total": "many", "links": 3, "per_page": None}}},
    {"data": {"id": [], "steps": 3, "prerun": 3, "users": 3, "groups": "x", "tasks": [3]}},
)


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize("status", [200, 404, 422])
def test_junk_never_ends_a_check_half_way(world: World, junk: Any, status: int) -> None:
    def spoil(exchange: Exchange) -> None:
        if exchange.status:
            exchange.status = status
            exchange.__dict__["payload"] = junk

    outcome = world.check(spoil)

    assert len(outcome.findings) == sum(not fact.writes for fact in FACTS)
    assert "cannot tell" in {finding.answer for _, finding in outcome.findings}


SPOILED = [None, 0, "x", [], {}, [None], {"data": 3}, True]


@pytest.mark.parametrize("value", SPOILED, ids=repr)
def test_values_of_any_type_inside_of_rows_never_end_a_check(world: World, value: Any) -> None:
    def spoil(exchange: Exchange) -> None:
        for row in exchange.rows if exchange.status else ():
            row.update({key: value for key in row if key != "id"})

    outcome = world.check(spoil)

    unforeseen = {fact.id: finding.note for fact, finding in outcome.findings if "not foreseen" in finding.note}
    assert unforeseen == {}


def test_an_error_of_a_fact_is_named_and_the_others_are_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(reader: ApiReader) -> Any:
        raise ZeroDivisionError("with a secret in it")

    broken = type(FACTS[0])("broken", "", "", "", fail, "")
    outcome = run([broken, FACTS[0]], ApiReader(connect(world.emulator)))

    assert findings(outcome)["broken"].answer == "cannot tell"
    assert "ZeroDivisionError" in findings(outcome)["broken"].note
    assert "secret" not in findings(outcome)["broken"].note
    assert findings(outcome)[FACTS[0].id].answer == "holds"


# Changes

CHANGES = [fact.id for fact in FACTS if fact.writes]


def test_changes_hold_and_leave_one_archived_run_behind(world: World) -> None:
    before = {run["id"] for run in world.emulator.runs()}

    outcome = world.check_with_writes()

    assert answered(outcome, "differs") == set()
    assert {fact.id for fact in FACTS if fact.writes} <= answered(outcome, "holds")
    [made] = [run for run in world.emulator.runs() if run["id"] not in before]
    assert made["name"] == NAME
    assert made["archived_at"]
    assert "airflow-provider-tallyfy" in made["summary"]


def hide(thread: Any) -> None:
    if "First comment" in thread["content"]:
        thread["state"] = "open"


CHANGE_DEVIATIONS = {
    "comment-state": ("tasks/*", lambda row: [hide(thread) for thread in row["threads"]["data"]]),
    "launch-marker": ("runs/*", lambda row: row.update(summary="gone")),
    "launch-form": ("runs/*", lambda row: row.update(prerun=[])),
    "update": ("runs/*", lambda row: row.update(name="Same")),
    "comment": ("tasks/*", lambda row: row.update(threads={"data": row["threads"]["data"][:1]})),
    "complete": ("runs/*/tasks/*", lambda row: row.update(completed_at=None)),
}


@pytest.mark.parametrize("fact", CHANGE_DEVIATIONS)
def test_a_deviation_in_what_changes_is_found(world: World, fact: str) -> None:
    path, change = CHANGE_DEVIATIONS[fact]

    def rewrite(exchange: Exchange) -> None:
        shape = "/".join("*" if re.fullmatch("[0-9a-f]{32}", part) else part for part in exchange.path)
        if exchange.status == 200 and exchange.method == "GET" and shape == path:
            change(exchange.rows[0])

    outcome = world.check_with_writes(rewrite, only=CHANGES)

    assert fact in answered(outcome, "differs")


@pytest.mark.parametrize("part", [1, 3, 5, 8, 12])
def test_the_run_is_archived_whatever_fails_in_between(world: World, part: int) -> None:
    seen = 0

    def fail(exchange: Exchange) -> None:
        nonlocal seen
        if exchange.status and exchange.method == "POST" and exchange.path == ("runs",):
            seen = 1
        elif exchange.status and seen and exchange.method != "DELETE":
            seen += 1
            if seen > part:
                exchange.status = 500

    world.check_with_writes(fail, only=CHANGES)

    assert [run for run in world.emulator.launched if not run["archived_at"]] == []


def test_the_run_is_archived_when_somebody_interrupts(world: World) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    trial = Trial(connect(world.emulator), world.checklist_id, sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        trial.prepare()

    assert [run for run in world.emulator.launched if not run["archived_at"]] == []
    assert not trial.is_left


@pytest.mark.parametrize("arrived", [True, False])
def test_a_launch_that_somebody_interrupts_is_found_and_archived_or_told(seeded: Emulator, arrived: bool) -> None:
    def interrupt(exchange: Exchange) -> None:
        if exchange.method == "POST" and exchange.path == ("runs",) and bool(exchange.status) is arrived:
            raise KeyboardInterrupt

    trial = Trial(connect(seeded, interrupt), add_tried_checklist(seeded), sleep=lambda seconds: None)
    with pytest.raises(KeyboardInterrupt):
        trial.prepare()

    assert [bool(run["archived_at"]) for run in seeded.launched] == [True] * arrived
    assert trial.is_left is not arrived
    if not arrived:
        assert f"look for one named {NAME!r}" in trial.describe_what_is_left()


@pytest.mark.parametrize("then", [KeyboardInterrupt, TallyfyConnectionError("Tallyfy cannot be reached.")])
def test_a_launch_that_somebody_interrupts_is_told_where_it_cannot_be_looked_for(seeded: Emulator, then: Any) -> None:
    is_launching = []

    def interrupt(exchange: Exchange) -> None:
        if is_launching:
            raise then
        if exchange.method == "POST" and exchange.path == ("runs",):
            is_launching.append(True)
            raise KeyboardInterrupt

    trial = Trial(connect(seeded, interrupt), add_tried_checklist(seeded), sleep=lambda seconds: None)
    with pytest.raises(KeyboardInterrupt):
        trial.prepare()

    assert trial.is_left
    assert f"look for one named {NAME!r}" in trial.describe_what_is_left()


def test_an_archiving_that_somebody_interrupts_is_told(seeded: Emulator) -> None:
    def interrupt(exchange: Exchange) -> None:
        if exchange.method == "DELETE":
            raise KeyboardInterrupt

    trial = Trial(connect(seeded, interrupt), add_tried_checklist(seeded), sleep=lambda seconds: None)
    with pytest.raises(KeyboardInterrupt):
        trial.prepare()

    [run] = seeded.launched
    assert trial.is_left
    assert f"Run {run['id']} could not be archived: archive it" in trial.describe_what_is_left()


def test_a_launch_whose_answer_is_lost_is_found_and_archived(seeded: Emulator) -> None:
    seeded.order(Fault(kind="reset", when="after", method="POST", path="/runs$", times=1))
    checklist_id = add_tried_checklist(seeded)

    outcome = check(connect(seeded), checklist_id=checklist_id, only=CHANGES)

    assert findings(outcome)["launch"].answer == "holds"
    assert [bool(run["archived_at"]) for run in seeded.launched] == [True]


def test_a_run_that_cannot_be_archived_is_told(seeded: Emulator) -> None:
    seeded.order(Fault(kind="status", status=422, method="DELETE", times=9))
    trial = Trial(connect(seeded), seeded.checklists["Incident"], sleep=lambda seconds: None)

    outcome = run([fact for fact in FACTS if fact.id == "archive"], ApiReader(trial.client, trial=trial))

    assert answered(outcome, "differs") == {"archive"}
    assert trial.is_left


@pytest.mark.parametrize(
    ("kickoff", "steps", "facts"),
    [
        ([{"label": "Plan", "field_type": "file", "required": True}], [], {"launch", "archive", "complete"}),
        ([], [], {"launch-form", "comment", "complete", "form-part"}),
        ([], [{"title": "Decide", "task_type": "approval"}], {"comment", "complete"}),
    ],
)
def test_a_checklist_that_does_not_fit_is_told(
    emulator: Emulator, kickoff: list[Any], steps: list[Any], facts: set[str]
) -> None:
    checklist = emulator.add_checklist("Other", kickoff=kickoff, steps=steps)

    outcome = check(connect(emulator), checklist_id=str(checklist["id"]))

    assert facts <= answered(outcome, "cannot tell")
    assert answered(outcome, "differs") == set()


def test_a_refusal_of_the_launch_is_quoted_whole(seeded: Emulator) -> None:
    checklist_id = add_tried_checklist(seeded)
    seeded.order(Fault(kind="status", status=404, method="POST", path="/runs$"))

    outcome = check(connect(seeded), checklist_id=checklist_id, only=CHANGES)

    assert "Check the id" in findings(outcome)["launch"].note


def test_a_checklist_that_does_not_exist_is_told(emulator: Emulator) -> None:
    outcome = check(connect(emulator), checklist_id="0" * 32)

    assert findings(outcome)["launch"].answer == "cannot tell"
    assert "404" in findings(outcome)["launch"].note
    assert emulator.launched == []


def test_every_checklist_of_the_seeded_world_can_be_tried() -> None:
    with Emulator(clock=(clock := ManualClock())) as emulator:
        add_tried_checklist(emulator)
        for checklist_id in emulator.checklists.values():
            client = connect(emulator)
            outcome = check(client, checklist_id=checklist_id, only=CHANGES, sleep=clock.advance)
            assert answered(outcome, "differs") == set()
        assert all(run["archived_at"] for run in emulator.launched)
