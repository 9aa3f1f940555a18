"""Launching a run: checked before, once, found again by a retry, and waited for."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred
from jinja2 import StrictUndefined

from tallyfy_emulator import Emulator, Fault, Quirks
from tallyfy_provider.client.runs.launch_request import prepare_launch
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyInputError,
    TallyfyRunFailedError,
    TallyfyWaitTimeoutError,
)
from tallyfy_provider.operators.runs import LaunchRunOperator
from tests.virtual_time import follow_manual_clock

FAILED = {"allowed_statuses": ["archived"], "failed_statuses": ["complete"]}
SKIPPED = {"allowed_statuses": ["archived"], "skipped_statuses": ["complete"]}
KICKOFF = [
    {"label": "Customer", "field_type": "text", "required": True},
    {"label": "Region", "field_type": "dropdown", "options": ["North", "South"]},
    {"label": "Start", "field_type": "date"},
]


class Store(dict):
    """A task state store as Airflow 3.3 has it."""

    def set(self, key, value):
        self[key] = value


@pytest.fixture
def clock(monkeypatch):
    """The one clock of the operator and of its Tallyfy."""
    return follow_manual_clock(monkeypatch)


@pytest.fixture
def emulator(clock):
    """A Tallyfy without runs that follows the clock."""
    with Emulator(seed=False, clock=clock) as emulator:
        yield emulator


@pytest.fixture
def context_of(task_context):
    def context_of(*, store=None, max_tries=2, **attributes):
        context = task_context(dag_id="onboarding", task_id="launch", max_tries=max_tries, **attributes)
        return context if store is None else {**context, "task_state_store": store}

    return context_of


@pytest.fixture
def checklist(emulator, connect):
    connect()
    return emulator.add_checklist("Onboarding", kickoff=KICKOFF, steps=[{"title": "Sign", "alias": "sign"}])


@pytest.fixture
def build(checklist):
    """Build an operator that waits for the run that it launches."""

    def build(**arguments):
        options = {"kickoff": {"Customer": "Acme"}, "wait_for_completion": True, **arguments}
        return LaunchRunOperator(task_id="launch", checklist_id=checklist["id"], **options)

    return build


@pytest.fixture
def complete_when_asked(emulator):
    """Complete each run at the next request."""
    emulator.listen(lambda request: [emulator.complete_run(run["id"]) for run in emulator.launched])


@pytest.fixture
def launch(checklist, context_of):
    def launch(context=None, **arguments):
        options = {"kickoff": {"customer": "Acme"}, "lookup_timeout": 0.2, "poke_interval": 0.05, **arguments}
        options["kickoff"] = {
            next((field["alias"] for field in checklist["prerun"] if field["label"].lower() == key), key): value
            for key, value in (options["kickoff"] or {}).items()
        }
        operator = LaunchRunOperator(task_id="launch", **{"checklist_id": checklist["id"], **options})
        return operator.execute(context=context or context_of())

    return launch


def test_a_run_is_launched_with_its_form_and_its_reference(emulator, checklist, launch, context_of):
    context = context_of()
    run_id = launch(context, name="Onboarding of Acme", kickoff={"customer": "Acme", "region": "south"}, summary="Soon")
    (run,) = emulator.launched
    assert run["id"] == run_id
    assert run["name"] == "Onboarding of Acme"
    assert "Launched by Airflow: dag 'onboarding', task 'launch', run 'manual__1'" in run["summary"]
    assert run["summary"].startswith("[airflow:")
    assert run["summary"].endswith("\n\nSoon")
    fields = {field["label"]: field["id"] for field in checklist["prerun"]}
    assert run["prerun"][fields["Customer"]] == "Acme"
    assert run["prerun"][fields["Region"]]["text"] == "South"
    assert context["ti"].pushed["run"]["id"] == run_id
    assert context["ti"].pushed["_link_TallyfyRunLink"].endswith(f"/tracker/{run_id}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kickoff": {}}, "Customer"),
        ({"kickoff": {"customer": "Acme", "color": "red"}}, "color"),
        ({"kickoff": {"customer": "Acme", "region": "East"}}, "North"),
        ({"name": "x" * 551}, "551 characters"),
        ({"steps": {"sing": {"deadline": "2026-12-01"}}}, "did you mean 'sign'"),
        ({"options": {"stared": True}}, "did you mean 'starred'"),
        ({"tags": {"a": 1}}, "tags takes a list of ids"),
        ({"tags": "['a', 'b']"}, "tags is the text of a list"),
        ({"name": {"a": 1}}, "name takes text, not a dict"),
        ({"summary": ["a"]}, "summary takes text, not a list"),
        ({"summary": StrictUndefined(name="parms")}, "'parms' is undefined"),
        ({"parent_id": "{'id': 'a'}"}, "parent_id is the text of a dict"),
        ({"owner_id": {"id": 1}}, "owner_id takes text, not a dict"),
    ],
)
def test_what_cannot_be_launched_is_refused_before_anything_is(emulator, launch, arguments, message):
    with pytest.raises(TallyfyInputError, match=message):
        launch(**arguments)
    assert emulator.launched == []


def test_what_native_rendering_makes_of_text_is_sent_as_text(emulator, launch):
    parent = emulator.add_run()["id"]
    launch(name=12345, summary=67890, parent_id={"id": parent})
    (run,) = emulator.launched
    assert (run["name"], run["parent_id"]) == ("12345", parent)
    assert run["summary"].endswith("67890")


def prepared(**given):
    """The body of a launch, for what a Dag author wrote."""
    checklist = {"id": "c", "title": "Contract", "steps": [{"id": "s", "alias": "sign"}, {"id": "f", "alias": "file"}]}
    checklists = SimpleNamespace(get=lambda *_, **__: checklist)
    options = given.pop("options", None)
    return prepare_launch(checklists, "c", name=None, kickoff=None, given=given, options=options).body


@pytest.mark.parametrize("nothing", ["None", "null", "", " ", None])
def test_what_renders_to_nothing_within_an_argument_is_not_sent(nothing):
    body = prepared(
        options={"user_id": nothing, "starred": True, "publicly_hidden_fields": []},
        roles={"buyer": {"users": nothing, "groups": ["g"]}, "seller": {"users": nothing}},
        steps={"sign": {"deadline": nothing}, "file": {"position": 2, "owners": {"users": nothing, "guests": []}}},
    )
    assert "user_id" not in body
    assert (body["starred"], body["publicly_hidden_fields"]) == (True, [])
    assert body["roles"] == {"buyer": {"groups": ["g"]}}
    assert body["tasks"] == {"f": {"position": 2, "owners": {"guests": []}}}


def test_people_of_roles_and_steps_may_come_out_of_a_template_as_text():
    body = prepared(roles={"buyer": {"users": "12, 13"}}, steps={"sign": {"owners": '{"users": ["14"]}'}})
    assert body["roles"] == {"buyer": {"users": [12, 13]}}
    assert body["tasks"] == {"s": {"owners": {"users": [14]}}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"roles": {"buyer": {"users": "jo"}}}, r"roles\['buyer'\]\['users'\] takes numbers of users"),
        ({"roles": {"buyer": {"people": [1]}}}, r"roles\['buyer'\] takes a dict of lists"),
        ({"roles": {"buyer": [1]}}, r"roles\['buyer'\] takes a dict of lists"),
        ({"steps": {"sign": {"owners": {"users": "<generator object x at 0x7f>"}}}}, r"\['users'\] is the text of a g"),
        ({"summary": "<generator object sync_do_map at 0x7f0e09df4bd0>"}, "summary is the text of a generator"),
    ],
)
def test_people_that_are_none_are_refused(given, words):
    with pytest.raises(TallyfyInputError, match=words):
        prepared(**given)


def test_a_checklist_may_be_given_by_its_address(emulator, checklist, launch):
    launch(checklist_id=f"https://go.tallyfy.com/{emulator.organization_id}/{checklist['id']}?tab=steps")
    assert emulator.launched[0]["checklist_id"] == checklist["id"]


@pytest.mark.parametrize("flag", ["wait_for_completion", "deferrable", "archive_on_kill"])
def test_the_text_false_is_not_taken_for_true(flag):
    with pytest.raises(TallyfyInputError, match=f"{flag} takes True or False, not 'False'"):
        LaunchRunOperator(task_id="launch", checklist_id="c", **{flag: "False"})


def test_statuses_may_be_text_with_commas_or_templates(emulator, launch):
    with pytest.raises(TallyfyInputError, match="did you mean 'problem'"):
        LaunchRunOperator(task_id="launch", checklist_id="c", failed_statuses="archived,problm")
    LaunchRunOperator(task_id="launch", checklist_id="c", failed_statuses="{{ params.failed }}")
    assert "failed_statuses" in LaunchRunOperator.template_fields
    emulator.listen(lambda request: [emulator.archive_run(run["id"]) for run in emulator.launched])
    options = {"wait_for_completion": True, "deferrable": False, "poke_interval": 0.1}
    with pytest.raises(AirflowSkipException):
        launch(failed_statuses="problem", skipped_statuses="issue, archived", **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timeout": "1h"}, "timeout takes seconds or a timedelta, not '1h'"),
        ({"fault_tolerance": -1}, "fault_tolerance takes seconds or a timedelta, not -1"),
        ({"lookup_timeout": None}, "lookup_timeout takes seconds or a timedelta, not None"),
        ({"lookup_timeout": float("inf")}, "lookup_timeout takes seconds or a timedelta, not inf"),
        ({"timeout": float("nan")}, "timeout takes seconds or a timedelta, not nan"),
        ({"poke_interval": "60"}, "poke_interval takes seconds or a timedelta, not '60'"),
        ({"poke_interval": timedelta(0)}, r"poke_interval is datetime\.timedelta\(0\); it takes more than 0 seconds"),
    ],
)
def test_a_duration_that_is_none_is_refused_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(TallyfyInputError, match=message):
        LaunchRunOperator(task_id="launch", checklist_id="c", **arguments)


class ServerError(Exception):
    """An error of Airflow's API server, as a task of Airflow 3.3 sees it."""

    def __init__(self, status, message):
        reason = {"detail": {"reason": "not_found", "message": message}}
        self.error = SimpleNamespace(
            detail={"status_code": status, "message": "Server returned error", "detail": reason}
        )


@pytest.mark.parametrize(
    "error",
    [
        EOFError("Request socket closed before length"),
        BrokenPipeError(32, "Broken pipe"),
        ServerError(404, "Task instance 01a0 not found"),
    ],
)
@pytest.mark.parametrize("fails_at", ["get", "set"])
def test_a_try_that_airflow_has_given_up_launches_nothing(emulator, launch, error, fails_at, context_of, mocker):
    store = Store()
    mocker.patch.object(store, fails_at, side_effect=error, create=True)
    with pytest.raises(TallyfyError, match="Airflow has given up try 1 of this task"):
        launch(context_of(store=store))
    assert emulator.launched == []


@pytest.mark.parametrize(
    "error", [ServerError(404, "Not Found"), ServerError(500, "Database error"), OSError(5, "I/O")]
)
def test_a_try_of_which_the_store_says_nothing_launches(emulator, launch, error, context_of, mocker):
    store = Store()
    mocker.patch.object(store, "set", side_effect=error, create=True)
    launch(context_of(store=store))
    assert len(emulator.launched) == 1


def test_a_try_that_is_given_up_while_it_launches_gives_its_run_to_the_next(emulator, launch, context_of, mocker):
    store = Store()
    write = store.set

    def gone_after_the_launch(key, value):
        if emulator.launched:
            raise EOFError("Request socket closed before length")
        write(key, value)

    mocker.patch.object(store, "set", side_effect=gone_after_the_launch, create=True)
    first = launch(context_of(store=store))
    assert launch(context_of(try_number=2, store=store)) == first
    assert len(emulator.launched) == 1


@pytest.mark.usefixtures("complete_when_asked")
def test_every_duration_can_be_a_timedelta(emulator, launch):
    durations = ("poke_interval", "timeout", "fault_tolerance", "lookup_timeout")
    launch(wait_for_completion=True, deferrable=False, **dict.fromkeys(durations, timedelta(seconds=0.5)))
    assert emulator.launched[0]["status"] == "complete"


@pytest.mark.parametrize("is_archived", [False, True])
def test_a_retry_finds_the_run_of_the_try_before(emulator, launch, said, context_of, is_archived):
    first = launch(context_of(try_number=1))
    if is_archived:
        emulator.archive_run(first)
    assert launch(context_of(try_number=2)) == first
    assert len(emulator.launched) == 1
    assert "which an earlier try has launched" in said()


@pytest.mark.parametrize(("reuse", "launched"), [("retry", 2), ("always", 1), ("never", 2)])
def test_a_cleared_task_launches_anew_unless_it_is_to_reuse_always(emulator, launch, reuse, launched, context_of):
    launch(context_of(try_number=1, max_tries=2), reuse=reuse)
    launch(context_of(try_number=2, max_tries=3), reuse=reuse)
    assert len(emulator.launched) == launched


def test_each_mapped_instance_launches_its_own_run(emulator, launch, context_of):
    ids = {launch(context_of(map_index=number)) for number in range(3)}
    assert len(ids) == len(emulator.launched) == 3
    assert {launch(context_of(map_index=number, try_number=2)) for number in range(3)} == ids


LOST = {
    "a reset after the effect": Fault(kind="reset", method="POST", path=r"/runs$", times=1, when="after"),
    "a 502 after the effect": Fault(kind="status", status=502, method="POST", path=r"/runs$", times=1, when="after"),
    "an answer that was cut off": Fault(kind="truncate", method="POST", path=r"/runs$", times=1),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
@pytest.mark.parametrize("lag", [0.0, 0.4])
def test_a_lost_answer_is_looked_for(emulator, launch, fault, lag):
    emulator.quirks = Quirks(list_lag=lag)
    emulator.order(fault)
    run_id = launch(lookup_timeout=3.0)
    assert [run["id"] for run in emulator.launched] == [run_id]


def test_a_lost_answer_that_stays_lost_is_in_doubt_and_a_retry_looks_first(emulator, launch, context_of):
    emulator.order(Fault(kind="reset", method="POST", path=r"/runs$", times=1, when="after"))
    emulator.quirks = Quirks(list_lag=3600.0)
    with pytest.raises(TallyfyIndeterminateError, match="A retry of the task looks for it before launching another"):
        launch()
    emulator.quirks = Quirks()
    assert launch(context_of(try_number=2)) == emulator.launched[0]["id"]
    assert len(emulator.launched) == 1


def test_a_launch_that_was_refused_is_no_launch(emulator, launch, context_of):
    emulator.order(Fault(kind="status", status=502, method="POST", path=r"/runs$", times=1))
    with pytest.raises(TallyfyIndeterminateError):
        launch()
    launch(context_of(try_number=2))
    assert len(emulator.launched) == 1


def test_a_store_gives_a_retry_the_run_id_without_a_search(emulator, launch, context_of):
    store = Store()
    first = launch(context_of(store=store))
    emulator.clear_requests()
    assert launch(context_of(try_number=2, store=store)) == first
    assert [request.path.rsplit("/", 1)[1] for request in emulator.requests] == [first]


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(archived_run_status=404, list_lag=0.4)], ids=["live", "archived"])
def test_a_run_that_tallyfy_does_not_give_is_looked_for_before_another_is_launched(
    emulator, launch, quirks, context_of
):
    emulator.quirks = quirks
    store = Store()
    first = launch(context_of(store=store))
    if quirks.list_lag:
        emulator.archive_run(first)
    emulator.order(Fault(kind="status", status=404, method="GET", path=rf"/runs/{first}"))
    assert launch(context_of(try_number=2, store=store), lookup_timeout=3.0) == first
    assert len(emulator.launched) == 1


def test_a_run_that_was_deleted_is_launched_anew(emulator, launch, said, context_of):
    store = Store()
    first = launch(context_of(store=store))
    emulator.delete_run(first)
    assert launch(context_of(try_number=2, store=store)) != first
    assert f"Launching another run: run {first} of an earlier try is gone" in said()


def test_a_store_that_knows_that_no_try_came_so_far_saves_the_patience(emulator, launch, context_of):
    store = Store()
    with pytest.raises(TallyfyInputError):
        launch(context_of(store=store), kickoff={"color": "red"})
    launch(context_of(try_number=2, store=store), lookup_timeout=3600.0)
    # Somebody clears the task: another launch, of which the store knows as well that no try came so far.
    launch(context_of(try_number=3, max_tries=4, store=store), lookup_timeout=3600.0)
    assert len(emulator.launched) == 2


@pytest.mark.parametrize("tries_in_between", [0, 1])
def test_a_store_that_failed_in_the_try_that_launched_proves_nothing(emulator, launch, tries_in_between, context_of):
    store = Store()
    store.set = fails
    emulator.order(Fault(kind="reset", method="POST", path=r"/runs$", times=1, when="after"))
    emulator.quirks = Quirks(list_lag=3600.0)
    with pytest.raises(TallyfyIndeterminateError):
        launch(context_of(store=store))
    del store.set
    for number in range(tries_in_between):
        with pytest.raises(TallyfyInputError):
            launch(context_of(try_number=2 + number, store=store), kickoff={"color": "red"})
    emulator.clear_requests()
    emulator.listen(lambda request: setattr(emulator, "quirks", Quirks(list_lag=3600.0 if looks(emulator) < 3 else 0)))
    launch(context_of(try_number=2 + tries_in_between, store=store), lookup_timeout=60.0)
    assert len(emulator.launched) == 1


def fails(key, value):
    raise RuntimeError("no store today")


def looks(emulator):
    return sum(request.path.endswith("/runs") for request in emulator.requests)


def test_a_store_that_fails_is_done_without(emulator, launch, said, context_of):
    store = Store()
    store.set = fails
    launch(context_of(store=store))
    assert len(emulator.launched) == 1
    assert "Looking for the run in Tallyfy instead of Airflow's task state store" in said()


@pytest.mark.usefixtures("complete_when_asked")
def test_waiting_in_place_ends_with_the_run(launch, context_of):
    context = context_of()
    launch(context, wait_for_completion=True, deferrable=False)
    assert context["ti"].pushed["run"]["status"] == "complete"


def test_waiting_for_a_run_that_is_archived_fails(emulator, launch):
    emulator.listen(
        lambda request: [emulator.archive_run(run["id"]) for run in emulator.launched if not run["archived_at"]]
    )
    with pytest.raises(TallyfyRunFailedError, match="archived"):
        launch(wait_for_completion=True, deferrable=False)


@pytest.mark.parametrize(
    ("is_refused", "message"),
    [
        (False, r"active.*It was archived \(archive_on_kill\)"),
        (True, r"It could not be archived \(archive_on_kill\)"),
    ],
)
def test_a_wait_that_times_out_archives_the_run_if_asked_to(emulator, launch, is_refused, message):
    if is_refused:
        emulator.order(Fault(kind="status", status=403, method="DELETE"))
    with pytest.raises(TallyfyWaitTimeoutError, match=message):
        launch(wait_for_completion=True, deferrable=False, timeout=0.1, archive_on_kill=True)
    assert bool(emulator.launched[0]["archived_at"]) is not is_refused


@pytest.mark.usefixtures("complete_when_asked")
@pytest.mark.parametrize(
    ("statuses", "end"),
    [({}, None), (FAILED, TallyfyRunFailedError), (SKIPPED, AirflowSkipException)],
    ids=["success", "failure", "skip"],
)
def test_a_task_that_is_killed_when_its_run_is_over_does_not_archive_it(emulator, build, statuses, end, context_of):
    operator = build(deferrable=False, poke_interval=0.05, archive_on_kill=True, **statuses)
    with pytest.raises(end) if end else nullcontext():
        operator.execute(context=context_of())
    operator.on_kill()
    (run,) = emulator.launched
    assert run["status"] == "complete"
    assert not run["archived_at"]


def test_a_task_that_is_killed_while_it_waits_archives_its_run(emulator, build, context_of):
    operator = build(deferrable=True, archive_on_kill=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context=context_of())
    operator.on_kill()
    (run,) = emulator.launched
    assert run["archived_at"]
    assert deferred.value.trigger.serialize()[1]["archive_on_kill"] is True


def test_a_deferred_wait_ends_as_one_in_place(emulator, build, context_of):
    operator = build(deferrable=True)
    with pytest.raises(TaskDeferred):
        operator.execute(context=context_of())
    (run,) = emulator.launched
    done = {"id": run["id"], "name": run["name"], "status": "complete", "completed_at": "2026-11-24 12:00:00"}
    emulator.complete_run(run["id"])
    context = context_of()
    assert operator.execute_complete(context, {"status": "ended", "seen": [done], "run_ids": [run["id"]]}) == run["id"]
    assert context["ti"].pushed["run"]["status"] == "complete"
    archived = {**done, "status": "active", "completed_at": None, "archived_at": "2026-11-24 12:00:00"}
    with pytest.raises(TallyfyRunFailedError):
        operator.execute_complete(context, {"status": "ended", "seen": [archived], "run_ids": [run["id"]]})
    with pytest.raises(TallyfyWaitTimeoutError):
        operator.execute_complete(context, {"status": "timeout", "seen": [], "run_ids": [run["id"]]})


def test_no_form_value_is_logged_and_no_guest_link_pushed(emulator, launch, said, context_of):
    context = context_of()
    launch(context, kickoff={"customer": "Acme Secret Holding"})
    assert "Acme Secret Holding" not in said()
    assert "taskUrls" not in repr(context["ti"].pushed)
