"""Ids, texts and numbers that nothing could be asked with: refused as what they are, and nothing is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import Undefined

from tallyfy_provider.client.filtering import whole_number
from tallyfy_provider.exceptions import TallyfyConfigurationError, TallyfyError, TallyfyInputError
from tallyfy_provider.hooks.connection import read_connection
from tallyfy_provider.operators.runs import LaunchRunOperator, UpdateRunOperator
from tallyfy_provider.sensors.runs import RunStatusSensor
from tallyfy_provider.triggers.events import RunEventTrigger
from tallyfy_provider.utils import arguments
from tallyfy_provider.waiting.conditions import StatusRule
from tests.in_memory import answer_with

HALF, NUL, LINE = "\ud800", "a\x00b", "a\nb"
RUN = "a" * 32


@pytest.fixture
def sent(monkeypatch):
    """What was asked of a Tallyfy that answers anything."""
    sent = []

    def handler(method, path, query, body):
        sent.append(path)
        return 200, {"data": {"id": RUN, "users": [], "groups": [], "threads": []}}, {}

    answer_with(monkeypatch, handler)
    return sent


WAYS = {
    "get": lambda client, unfit: client.runs.get(unfit),
    "find": lambda client, unfit: client.runs.find(unfit),
    "archive": lambda client, unfit: client.runs.archive(unfit),
    "update": lambda client, unfit: client.runs.update(unfit, {"name": "x"}),
    "tasks": lambda client, unfit: list(client.tasks.list_of_run(unfit)),
    "task": lambda client, unfit: client.tasks.get(unfit, RUN),
    "complete": lambda client, unfit: client.tasks.complete(unfit, RUN),
    "checklist": lambda client, unfit: client.checklists.get(unfit),
    "comment": lambda client, unfit: client.comments.add_to_run(unfit, "x"),
    "request": lambda client, unfit: client.request("POST", f"runs/{unfit}"),
}


@pytest.mark.parametrize("unfit", [HALF, NUL, LINE, "", "..", "\x7f", "\x85"])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_what_is_no_id_is_refused(client_of, sent, way, unfit):
    with pytest.raises(TallyfyInputError):
        WAYS[way](client_of(), unfit)
    assert sent == []


TEXTS = {
    "filter": lambda client: list(client.runs.list({"q": HALF})),
    "include": lambda client: client.runs.get(RUN, include=[HALF]),
    "parameter": lambda client: client.request("GET", "runs", params={"q": HALF}),
    "name of a parameter": lambda client: client.request("GET", "runs", params={HALF: "q"}),
    "comment": lambda client: client.comments.add_to_run(RUN, HALF),
    "body": lambda client: client.request("POST", "runs", json={"name": ["x", {"a": HALF}]}),
    "key of a body": lambda client: client.request("POST", "runs", json={HALF: 1}),
    "launch": lambda client: client.runs.launch({"checklist_id": RUN, "name": HALF}),
}


@pytest.mark.parametrize("way", sorted(TEXTS))
def test_half_a_character_is_refused(client_of, sent, way):
    with pytest.raises(TallyfyInputError):
        TEXTS[way](client_of())
    assert sent == []


def test_a_whole_character_of_two_halves_is_sent(client_of, sent):
    client_of().request("POST", "runs", json={"name": "\U0001f600 \\ud800"})
    assert len(sent) == 1


@pytest.mark.parametrize("email", [HALF, LINE, ""])
def test_a_user_that_is_none_is_refused(client_of, email):
    with pytest.raises(TallyfyError):
        client_of(client_id="1", act_as_user=email or " ").runs.get(RUN)


HUGE = [10**400, "9" * 400, 10**5000, -(10**5000)]


@pytest.mark.parametrize("value", HUGE, ids=range(len(HUGE)))
def test_a_number_beyond_all_bounds_is_refused(value):
    with pytest.raises(TallyfyInputError, match="max_runs takes a whole number from 1"):
        arguments.whole_number("max_runs", value)
    with pytest.raises(TallyfyInputError, match=r"filters\['page'\] takes a whole number"):
        whole_number()("page", value)


@pytest.mark.parametrize("value", [10**400, 10**5000, 1e300, timedelta.max, float("inf"), float("nan")], ids=range(6))
def test_a_duration_beyond_all_bounds_is_refused(value):
    with pytest.raises(TallyfyInputError, match=r"^timeout .* finite number"):
        arguments.seconds("timeout", value)


def test_a_hundred_years_are_long_enough():
    assert arguments.seconds("timeout", arguments.LONGEST) == arguments.LONGEST


@pytest.mark.parametrize(
    "extra",
    ['{"timeout": ' + "9" * 400 + "}", "[" * 100_000, '{"username": "\\ud800", "client_id": "1"}'],
    ids=["digits", "depth", "half a character"],
)
def test_an_extra_that_cannot_be_used_is_an_error_of_the_connection(extra):
    fields = {"conn_id": "x", "host": "", "schema": "", "port": None, "login": "org", "password": "secret"}
    with pytest.raises(TallyfyConfigurationError, match="connection 'x'"):
        read_connection(SimpleNamespace(**fields, extra=extra))


READERS = {
    "text": lambda value: arguments.text("name", value),
    "run_id": arguments.run_id,
    "run_ids": arguments.run_ids,
    "step": arguments.step,
    "checklist_id": arguments.checklist_id,
    "timestamp": lambda value: arguments.timestamp("created_after", value),
    "choice": lambda value: arguments.choice("on_empty", value, ("pass", "fail")),
    "boolean": lambda value: arguments.boolean("claim", value),
    "user_ids": lambda value: arguments.user_ids("users", [value]),
    "statuses": lambda value: StatusRule.build(failed=[value]),
    "method": arguments.http_method,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_number_that_python_does_not_write_is_refused_as_any_other(read):
    with pytest.raises(TallyfyInputError):
        read(10**5000)


IDS = {
    "true": [True],
    "a fraction": [1.5],
    "a user as Tallyfy gives it": [{"id": 7}],
    "a list within": [[7]],
    "bytes": [b"7"],
    "a set": {7, 8},
    "a generator": (each for each in (7, 8)),
}


@pytest.mark.parametrize("value", IDS.values(), ids=IDS)
@pytest.mark.parametrize("argument", ["users", "groups", "tags", "folders"])
def test_what_are_no_ids_launches_nothing(connect, sent, argument, value, task_context):
    operator = LaunchRunOperator(task_id="launch", checklist_id=RUN, lookup_timeout=0, **{argument: value})
    with pytest.raises(TallyfyInputError, match=f"^{argument} "):
        operator.execute(task_context())
    assert not [path for path in sent if path.endswith("/runs")]


@pytest.mark.parametrize("value", [True, 1.5, float("nan"), "7,8", "['7']", [7], date(2026, 1, 2)], ids=range(7))
@pytest.mark.parametrize("operator", [LaunchRunOperator, UpdateRunOperator])
def test_an_owner_is_one_id(connect, sent, operator, value, task_context):
    options = {"checklist_id": RUN, "lookup_timeout": 0} if operator is LaunchRunOperator else {"run_id": RUN}
    with pytest.raises(TallyfyInputError, match=r"^owner_id "):
        operator(task_id="task", owner_id=value, **options).execute(task_context())


@pytest.mark.parametrize("operator", [LaunchRunOperator, UpdateRunOperator])
def test_a_guest_is_no_user(connect, sent, operator, task_context):
    name = "users" if operator is LaunchRunOperator else "add_users"
    options = {"checklist_id": RUN, "lookup_timeout": 0} if operator is LaunchRunOperator else {"run_id": RUN}
    with pytest.raises(TallyfyInputError, match=f"{name} takes numbers of users, not 'guest@example.com'; a guest's"):
        operator(task_id="task", **{name: ["guest@example.com"]}, **options).execute(task_context())


@pytest.mark.parametrize("value", [1.5, float("inf"), True, date(2026, 1, 2)], ids=range(4))
def test_what_native_rendering_makes_of_an_id_is_no_checklist(value):
    with pytest.raises(TallyfyInputError, match="checklist_id takes one id"):
        arguments.checklist_id(value)


class Name(str, Enum):  # noqa: UP042 - one that is written by its name
    """Texts with names, as Airflow's own states are."""

    MONTHLY = "monthly report"


def test_an_enumeration_of_texts_is_its_text():
    assert arguments.text("name", Name.MONTHLY) == "monthly report"


def test_no_number_is_no_text():
    with pytest.raises(TallyfyInputError, match="name takes text, not nan"):
        arguments.text("name", float("nan"))


@pytest.mark.parametrize("argument", ["allowed_statuses", "failed_statuses", "skipped_statuses", "run_id"])
@pytest.mark.parametrize("unstable", [lambda: {"problem", "issue"}, lambda: iter(["problem", "issue"])])
def test_what_is_empty_or_another_at_the_second_reading_is_refused_when_the_dag_is_parsed(argument, unstable):
    with pytest.raises(TallyfyInputError, match=f"^{argument} is a .* use a list"):
        RunStatusSensor(task_id="wait", **{"run_id": RUN, argument: unstable()})


@pytest.mark.parametrize("status", [None, True, 1, b"problem"])
def test_what_is_no_status_is_not_waited_for(status):
    with pytest.raises(TallyfyInputError, match=r"failed_statuses: .* is not a status of a run"):
        StatusRule.build(failed=["archived", status])


def test_statuses_as_text_may_end_with_a_comma():
    assert StatusRule.build(failed="archived, problem, ").failed == ("archived", "problem")


def test_bounds_of_a_list_may_be_what_operators_take(client_of, monkeypatch):
    created = ["2026-10-30T23:59:59Z", "2026-10-31T00:00:00Z", "2026-10-31T00:00:01Z"]
    rows = [{"id": f"{number}" * 32, "created_at": time} for number, time in enumerate(created, 1)]
    answer_with(monkeypatch, lambda *_: (200, {"data": rows}, {}))
    for bound in ("2026-10-31", date(2026, 10, 31), datetime(2026, 10, 31), datetime(2026, 10, 31, tzinfo=UTC)):
        found = list(client_of().runs.list(created_after=bound))
        assert [run["id"][0] for run in found] == ["2", "3"], bound
    for bound in (5, True, "tomorrow", b"2026-10-31"):
        with pytest.raises(TallyfyInputError, match="created_before takes a time"):
            client_of().runs.list(created_before=bound)


def test_a_misspelt_demand_for_completeness_is_refused(client_of, sent):
    with pytest.raises(TallyfyInputError, match="on_incomplete is 'Fail'; it takes 'warn' or 'fail'; did you mean"):
        client_of().runs.list(on_incomplete="Fail")


UNFIT = {
    "body": lambda client, value: client.runs.launch(value),
    "params": lambda client, value: client.request("GET", "runs", params=value),
    "rows": lambda client, value: list(client.paginate("runs", value)),
    "include": lambda client, value: client.runs.get(RUN, include=value),
    "tasks": lambda client, value: list(client.tasks.list_of_run(RUN, include=value)),
    "events": lambda client, value: RunEventTrigger(events=value),
}


@pytest.mark.parametrize("value", [5, 1.5, True, Path("/a"), [None], [7], b"tasks", object()], ids=range(8))
@pytest.mark.parametrize("way", UNFIT)
def test_what_has_another_type_than_is_asked_for_is_refused_by_name(client_of, sent, way, value):
    with pytest.raises(TallyfyInputError, match=r"^(body|params|include|events)"):
        UNFIT[way](client_of(), value)
    assert sent == []


def test_a_variable_that_does_not_exist_is_no_filter_that_lets_everything_through(client_of, sent):
    missing = Undefined(name="status")
    for options in ({"params": {"status": missing}}, {"params": {"status": [missing]}}, {"json": {"a": [missing]}}):
        with pytest.raises(TallyfyInputError, match="'status' is undefined"):
            client_of().request("POST", "runs", **options)
    with pytest.raises(TallyfyInputError, match="'status' is undefined"):
        client_of().runs.list({"status": [missing]})
    assert sent == []
