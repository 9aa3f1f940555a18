"""TallyfyNotifier: tells people once of each event, and makes no failure worse."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowNotFoundException
from jinja2 import StrictUndefined

from tallyfy_emulator import Fault
from tallyfy_provider.exceptions import TallyfyConnectionError, TallyfyInputError
from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tallyfy_provider.notifications.delivery import deliver
from tallyfy_provider.notifications.event import event_of
from tallyfy_provider.notifications.message import Message
from tallyfy_provider.notifications.tallyfy import TallyfyNotifier
from tests.conftest import build_task_context

KICKOFF = [
    {"label": "What failed", "alias": "what-failed", "required": True},
    {"label": "Severity", "alias": "severity", "field_type": "radio", "options": ["low", "high"]},
]
SECRET = "swordfish"


def broken():
    raise ValueError(SECRET)


def failure(*, task_id="load", try_number=1, map_index=-1, **more):
    attributes = {"dag_id": "sales", "task_id": task_id, "run_id": "monthly", "state": "failed"}
    details = {"start_date": datetime.now(UTC), "log_url": "https://airflow.example/log?a=1&b=2"}
    return {
        "dag": DAG("sales", schedule=None),
        "run_id": "monthly",
        "ti": build_task_context(try_number, map_index, **attributes, **details)["ti"],
        "exception": ValueError(SECRET),
        "params": {"severity": "high"},
        "broken": broken,
        **more,
    }


def missed_deadline():
    return {
        "dag_run": {"dag_id": "sales", "dag_run_id": "monthly"},
        "deadline": {"id": "d1", "deadline_time": datetime.now(UTC)},
    }


@pytest.fixture
def checklist_id(emulator, connect):
    connect()
    steps = [{"title": "Repair", "alias": "repair"}]
    return emulator.add_checklist("Incident", kickoff=KICKOFF, steps=steps)["id"]


@pytest.fixture
def notifier(checklist_id):
    def notifier(**arguments):
        return TallyfyNotifier(
            **{"checklist_id": checklist_id, "kickoff": {"what-failed": "{{ ti.task_id }}"}, **arguments}
        )

    return notifier


@pytest.fixture
def run_id(emulator, checklist_id):
    return emulator.add_run(checklist_id=checklist_id, name="A close")["id"]


def form_of(emulator, run):
    """The values of a run's kick-off form by their labels."""
    fields = {field["id"]: field["label"] for field in emulator.checklist("Incident")["prerun"]}
    return {fields[field_id]: value for field_id, value in run["prerun"].items()}


def test_a_failed_task_launches_a_run(emulator, notifier):
    tell = notifier(
        name="{{ ti.task_id }} of {{ run_id }} is down",
        summary="Look at it.",
        kickoff={"what-failed": "{{ ti.dag_id }}.{{ ti.task_id }}", "severity": "{{ params.severity }}"},
        owner_id=emulator.people["mei.tanaka@brightwater.example"],
    )
    tell(failure())
    (run,) = emulator.launched
    assert run["name"] == "load of monthly is down"
    assert run["owner_id"] == emulator.people["mei.tanaka@brightwater.example"]
    assert form_of(emulator, run) == {"What failed": "sales.load", "Severity": "high"}
    assert run["summary"].endswith("\n\nLook at it.")
    assert "] From Airflow: task 'load' of Dag 'sales' failed, run 'monthly', try '1'\n" in run["summary"]


def test_arguments_that_are_not_given_come_from_the_event(emulator, notifier):
    notifier()(failure())
    (run,) = emulator.launched
    assert run["name"] == "Task 'load' of Dag 'sales' failed"
    assert "Run: monthly<br>Try: 1<br>Exception: ValueError<br>Log: <a href=" in run["summary"]
    assert 'href="https://airflow.example/log?a=1&amp;b=2"' in run["summary"]
    assert SECRET not in str(run)


def test_a_callback_that_comes_twice_launches_one_run(emulator, notifier, said):
    notifier()(failure())
    notifier()(failure())
    assert len(emulator.launched) == 1
    assert "has been launched for it before" in said()


def test_a_callback_that_comes_twice_finds_its_run_though_it_renders_to_something_else(emulator, notifier):
    for detail in ("first", "second"):
        notifier(name="{{ detail }}")(failure(detail=detail))
    assert [run["name"] for run in emulator.launched] == ["first"]


def test_each_event_has_a_run_of_its_own(emulator, notifier):
    tell = notifier()
    for context in (failure(), failure(try_number=2), failure(task_id="send"), failure(map_index=0)):
        tell(context)
    assert len(emulator.launched) == 4


def test_two_notifiers_of_one_event_both_tell(emulator, notifier):
    notifier(name="For the people")(failure())
    notifier(name="For the managers")(failure())
    assert [run["name"] for run in emulator.launched] == ["For the people", "For the managers"]


def test_a_notifier_that_is_used_again_renders_anew_and_leaves_the_context_alone(emulator, notifier):
    tell = notifier(name="{{ ti.task_id }} is down")
    for task_id in ("load", "send"):
        context = failure(task_id=task_id)
        before = dict(context)
        tell(context)
        assert context == before
    assert [run["name"] for run in emulator.launched] == ["load is down", "send is down"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_looked_for(emulator, notifier, said, monkeypatch, when):
    monkeypatch.setattr("tallyfy_provider.notifications.delivery._LOOKUP_TIMEOUT", 0.2)
    emulator.order(Fault(kind="reset", method="POST", when=when, times=1))
    notifier()(failure())
    told = said()
    if when == "after":
        assert "Launched run" in told
    else:
        assert "Tallyfy could not be notified" in told
        assert "Look in Tallyfy for [airflow:" in told
    notifier()(failure())
    assert len(emulator.launched) == 1


def test_a_text_that_cannot_be_rendered_is_replaced_by_its_default(emulator, notifier, said):
    notifier(name="{{ dag_run.run_id }} is down", summary="{{ 1 / 0 }}", comment=None)(failure())
    (run,) = emulator.launched
    assert run["name"] == "Task 'load' of Dag 'sales' failed"
    assert "Exception: ValueError" in run["summary"]
    told = said()
    assert "Using the default of name, which cannot be rendered" in told
    assert "'dag_run' is undefined" in told


def test_an_exception_that_airflow_does_not_tell_is_empty(emulator, notifier):
    context = failure()
    del context["exception"]
    notifier(kickoff={"what-failed": "{{ ti.task_id }}: {{ exception }}"}, comment=None)(context)
    (run,) = emulator.launched
    assert "load: " in run["prerun"].values()


@pytest.mark.parametrize(("value", "why"), [({"a": 1}, "a dict"), (StrictUndefined(name="parms"), "'parms'")])
def test_what_is_no_text_keeps_nobody_from_being_told(emulator, notifier, said, mocker, value, why):
    mocker.patch.object(TallyfyNotifier, "render_template", lambda self, written, *rest: written)
    notifier(name=value, summary=12345, comment=None)(failure())
    (run,) = emulator.launched
    assert run["name"] == "Task 'load' of Dag 'sales' failed"
    assert run["summary"].endswith("12345")
    told = said()
    assert "Using the default of name, which cannot be rendered" in told
    assert why in told


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "missing",
    [AirflowNotFoundException("The conn_id `tallyfy_default` isn't defined"), OSError("no way to the backend")],
)
def test_a_secrets_backend_that_is_out_for_a_moment_keeps_nobody_from_being_told(
    emulator, notifier, mocker, monkeypatch, is_async, missing
):
    monkeypatch.setattr("tallyfy_provider.notifications.tallyfy._LOOKUP_PAUSES", (0.01, 0.01))
    found = TallyfyHook.get_connection("tallyfy_default")
    if is_async:
        mocker.patch(
            "airflow.providers.common.compat.connection.get_async_connection", side_effect=[missing, missing, found]
        )
        asyncio.run(notifier().async_notify(failure()))
    else:
        mocker.patch.object(TallyfyHook, "get_connection", side_effect=[missing, missing, found])
        notifier()(failure())
    assert len(emulator.launched) == 1


def test_a_long_name_is_cut(emulator, notifier):
    notifier(name="x" * 1000)(failure())
    (run,) = emulator.launched
    assert len(run["name"]) == 550


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kickoff": {"what-failed": "{{ nothing.there }}"}}, "kickoff cannot be rendered: UndefinedError"),
        ({"kickoff": {"what-failed": SECRET, "severity": SECRET}}, "kickoff['severity'] "),
        (
            {"kickoff": {"what-failed": "{{ broken() }}"}},
            f"kickoff cannot be rendered: ValueError in {__file__}, line ",
        ),
        ({"kickoff": {}}, "is required"),
        ({"checklist_id": "0" * 32}, "0" * 32),
        ({"checklist_id": "{{ '' }}"}, "have all rendered to nothing"),
        ({"tallyfy_conn_id": "nowhere"}, "There is no connection 'nowhere'"),
    ],
)
def test_what_goes_wrong_is_logged_and_not_raised(emulator, notifier, said, arguments, message):
    notifier(**arguments)(failure())
    told = said()
    assert "Tallyfy could not be notified that task 'load' of Dag 'sales' failed, run 'monthly'" in told
    assert message in told
    assert SECRET not in told
    assert emulator.launched == []


@pytest.mark.parametrize(
    "context", [None, {}, {"ti": object()}, {"slas": 3}], ids=["None", "empty", "strange", "wrong"]
)
def test_a_context_of_no_known_kind_does_no_harm(notifier, context):
    notifier()(context)
    asyncio.run(notifier().async_notify(context))


@pytest.mark.parametrize("use", ["sync", "async"])
def test_a_tallyfy_that_is_down_does_no_harm(emulator, notifier, said, use):
    emulator.order(Fault(kind="status", status=503))
    if use == "sync":
        notifier()(failure())
    else:
        asyncio.run(notifier().async_notify(failure()))
    told = said()
    assert "Tallyfy could not be notified" in told
    assert "503" in told
    assert emulator.token not in told


def test_a_tallyfy_that_makes_one_wait_is_given_up(emulator, checklist_id):
    emulator.order(Fault(kind="status", status=429, headers={"Retry-After": "100"}))
    message = Message(event_of(failure()), {"checklist_id": checklist_id}, "fingerprint")
    with pytest.raises(TallyfyConnectionError, match="took more than 0 s, which is all the time that a callback has"):
        deliver(TallyfyHook.get_connection("tallyfy_default"), message, time_limit=0.2)
    assert len(emulator.requests) == 1


def test_a_patient_connection_is_hurried(emulator, connect, notifier, said, monkeypatch):
    monkeypatch.setattr("tallyfy_provider.notifications.delivery._REQUEST_TIMEOUT", 0.3)
    connect(extra={"timeout": 600, "max_attempts": 50})
    emulator.order(Fault(kind="delay", delay=600.0, times=1))
    emulator.order(Fault(kind="status", status=503))
    notifier()(failure())
    assert "No answer within 0.3 s; attempt 2 of 3" in said()
    assert len(emulator.requests) == 3


def test_ids_are_escaped_in_html(emulator, notifier):
    context = failure(run_id="a<b>")
    context["ti"].run_id = "a<b>"
    notifier()(context)
    (run,) = emulator.launched
    assert "Run: a&lt;b&gt;<br>" in run["summary"]
    assert "run 'a&lt;b&gt;'" in run["summary"]


def test_values_of_the_form_are_not_logged(emulator, notifier, said):
    notifier(kickoff={"what-failed": SECRET}, name="An incident")(failure())
    assert len(emulator.launched) == 1
    assert SECRET not in said()


def test_a_missed_deadline_is_reported_from_the_triggerer(emulator, checklist_id):
    async def miss():
        await TallyfyNotifier(
            checklist_id=checklist_id,
            kickoff={"what-failed": "{{ dag_run.dag_id }} of {{ run_id }}"},
            context=missed_deadline(),
        )

    asyncio.run(miss())
    (run,) = emulator.launched
    assert run["name"] == "Dag 'sales' missed a deadline"
    assert form_of(emulator, run) == {"What failed": "sales of monthly"}


def test_the_event_loop_goes_on_while_tallyfy_takes_its_time(emulator, notifier):
    async def tell():
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        emulator.listen(lambda request: loop.call_soon_threadsafe(asked.set))
        emulator.order(Fault(kind="delay", delay=1.0, after=1, times=1))
        telling = asyncio.create_task(notifier().async_notify(failure()))
        await asked.wait()
        assert not telling.done()
        await telling

    asyncio.run(tell())
    emulator.listen(None)
    assert len(emulator.launched) == 1


def test_a_missed_sla_is_reported(emulator, checklist_id):
    sla = SimpleNamespace(task_id="load", execution_date=datetime.now(UTC), timestamp=datetime.now(UTC))
    tell = TallyfyNotifier(checklist_id=checklist_id, kickoff={"what-failed": "{{ task_list }}"})
    for _ in range(2):
        tell(DAG("sales", schedule=None), "load on Monday", "", [sla], [])
    (run,) = emulator.launched
    assert run["name"] == "Dag 'sales' missed an SLA"
    assert form_of(emulator, run) == {"What failed": "load on Monday"}


def test_a_run_is_commented_on(emulator, run_id):
    TallyfyNotifier(run_id="{{ close }}", comment="{{ ti.task_id }} is down")(failure(close=run_id))
    TallyfyNotifier(run_id=run_id, kind="problem")(failure())
    comment, problem = emulator.threads(run_id)
    assert comment["content"].endswith("\n\nload is down")
    assert "From Airflow: task 'load' of Dag 'sales' failed" in comment["content"]
    assert "Exception: ValueError" in problem["content"]
    assert (comment["label"], problem["label"]) == ("comment", "problem")


@pytest.mark.parametrize("step", [{}, {"step": "Repair"}])
@pytest.mark.parametrize("kind", ["comment", "problem"])
@pytest.mark.parametrize("asked_for", [{}, {"state": "open"}])
def test_guests_see_nothing_unless_asked(emulator, run_id, step, kind, asked_for):
    TallyfyNotifier(run_id=run_id, kind=kind, **step, **asked_for)(failure())
    (thread,) = emulator.threads(run_id)
    assert (thread["label"], thread["state"]) == (kind, asked_for.get("state", "hide-for-guests"))


def test_a_state_that_there_is_not_is_refused_when_the_dag_is_parsed():
    with pytest.raises(TallyfyInputError, match="state is 'hidden'"):
        TallyfyNotifier(run_id="x", state="hidden")


@pytest.mark.parametrize("kind", ["comment", "problem"])
def test_a_task_is_commented_on_once(emulator, run_id, said, kind):
    for _ in range(2):
        TallyfyNotifier(run_id=run_id, step="Repair", kind=kind)(failure())
    (thread,) = emulator.threads(run_id)
    assert thread["task_id"] is not None
    assert thread["label"] == kind
    assert "has been commented on for it before" in said()
    TallyfyNotifier(step=thread["task_id"], kind=kind)(failure(try_number=2))
    assert len(emulator.threads(run_id)) == 2


def test_a_run_that_is_not_there_is_logged_and_not_raised(connect, said):
    TallyfyNotifier(run_id="0" * 32)(failure())
    told = said()
    assert "Tallyfy could not be notified" in told
    assert "0" * 32 in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Give what to launch"),
        ({"comment": "Down"}, "Give what to launch"),
        ({"checklist_id": "{{ a }}", "run_id": "{{ b }}"}, "checklist_id launches a run, run_id is for comments"),
        ({"checklist_id": "a", "comment": "b"}, "comment is for comments"),
        ({"run_id": "a", "kickoff": {}}, "kickoff is for a run that is launched"),
        ({"run_id": "a", "kind": "issue"}, "kind is 'issue'; it takes 'comment' or 'problem'"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused_while_the_dag_is_parsed(arguments, message):
    with pytest.raises(TallyfyInputError, match=message):
        TallyfyNotifier(**arguments)


def test_arguments_that_rendered_to_both_are_refused(emulator, notifier, said, checklist_id):
    tell = notifier()
    tell.run_id = "{{ ti.run_id }}"
    tell(failure())
    assert "checklist_id and run_id are both given" in said()
    assert emulator.launched == []
