"""ListRunsOperator: requests, results and log lines."""

from __future__ import annotations

import pickle
import re
from datetime import datetime
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException

from tallyfy_emulator import Fault
from tallyfy_provider.exceptions import TallyfyError, TallyfyInputError, TallyfyResponseError
from tallyfy_provider.operators.runs import GetRunOperator, ListRunsOperator
from tallyfy_provider.operators.tasks import ListTasksOperator


@pytest.fixture
def run_operator(connect, task_context):
    connect()

    def run(**arguments):
        context = task_context()
        result = ListRunsOperator(task_id="list_runs", **arguments).execute(context=context)
        return SimpleNamespace(result=result, **context["ti"].pushed)

    return run


def test_all_runs_are_returned_with_their_ids_and_count_beside_them(emulator, run_operator):
    ids = emulator.add_runs(250)
    done = run_operator()
    assert [run["id"] for run in done.result] == ids
    assert done.run_ids == ids
    assert done.count == 250
    assert done.result[0].items() >= emulator.run(ids[0]).items()


def test_only_runs_created_in_the_window_are_returned_from_the_pages_that_hold_it(emulator, run_operator, said):
    for day in (10, 11, 12):
        emulator.add_run(name=str(day), created_at=f"2026-10-{day}T12:00:00Z")
    done = run_operator(created_after="2026-10-11", created_before="2026-10-12 00:00:00")
    assert [run["name"] for run in done.result] == ["11"]
    assert '"created_after": "2026-10-11T00:00:00+00:00"' in said()
    assert [run["name"] for run in run_operator(created_after="2026-10-12", created_before="None").result] == ["12"]


@pytest.mark.parametrize(
    ("after", "message"), [("2026-10-11", "unless its timetable is CronDataIntervalTimetable"), ("x", "created_after")]
)
def test_a_window_that_holds_nothing_is_refused_before_any_request(emulator, run_operator, after, message):
    with pytest.raises(TallyfyInputError, match=message):
        run_operator(created_after=after, created_before="2026-10-11")
    assert emulator.requests == []


def test_guest_links_are_not_returned(emulator, connect, run_operator):
    checklist = emulator.add_checklist("Onboarding", steps=[{"title": "Sign"}])
    connect().launch_run({"checklist_id": checklist["id"], "name": "Acme"})
    (run,) = run_operator(filters={"with": "tasks", "checklist_id": checklist["id"]}).result
    assert run["tasks"]["data"][0]["title"] == "Sign"
    assert emulator.guest_secret not in repr(run)
    assert emulator.guest_secret in repr(list(connect().list_runs({"with": "tasks"})))


def test_only_the_named_fields_are_kept(emulator, run_operator):
    run = emulator.add_run(name="One")
    done = run_operator(fields=["id", "name", "no_such_field"])
    assert done.result == [{"id": run["id"], "name": "One", "no_such_field": None}]
    assert run_operator(fields="name, status").result == [{"name": "One", "status": "active"}]
    assert run_operator(fields=["name"]).run_ids == [run["id"]]


def test_a_misspelt_field_is_warned_of(emulator, run_operator, said):
    emulator.add_run()
    run_operator(fields=["id", "nmae"])
    assert "fields: no run has 'nmae', so it is None for all; did you mean 'name'?" in said()


def test_filters_are_sent_in_tallyfys_form(emulator, run_operator):
    run_operator(filters={"status": "active", "owners": [1, 2], "starred": True, "with": ["tags"], "tag": ""})
    assert emulator.requests[-1].query == {
        "status": "active",
        "owners": "1,2",
        "starred": "true",
        "with": "tags",
        "sort": "created_at",
        "per_page": "100",
        "page": "1",
    }


def test_a_filter_that_is_not_sent_is_logged(run_operator, said):
    run_operator(filters={"owners": ""})
    assert "filters['owners'] is '', which asks for nothing: it is not sent." in said()


def test_archived_runs_are_found(emulator, run_operator):
    emulator.add_run(name="Live")
    shelved = emulator.add_run(name="Shelved")
    emulator.archive_run(shelved["id"])
    assert run_operator(filters={"status": "archived"}).run_ids == [shelved["id"]]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"owner": "{{ params.owner }}"}, "'owner'] is not a Tallyfy filter of this list; did you mean 'owners'?"),
        ({"status": "finished"}, ""),
        ({"owners": ["jo@example.com"]}, ""),
        ({"per_page": 500}, ""),
    ],
)
def test_a_wrong_filter_that_is_no_template_fails_when_the_dag_is_parsed(filters, message):
    with pytest.raises(TallyfyInputError, match=re.escape(f"filters[{message}")):
        ListRunsOperator(task_id="x", filters=filters)


def test_templates_are_not_checked_when_the_dag_is_parsed():
    ListRunsOperator(task_id="x", filters={"status": "{{ params.status }}", "owners": ["{{ params.owner }}", 1]})


def test_a_template_that_renders_to_a_wrong_value_fails_before_any_request(emulator, connect):
    operator = ListRunsOperator(task_id="x", filters={"status": "{{ params.status }}"})
    operator.filters = {"status": "finished"}
    with pytest.raises(TallyfyInputError, match="filters\\['status'\\] cannot be 'finished'"):
        operator.execute(context={})
    assert emulator.requests == []


@pytest.mark.parametrize(("max_runs", "count"), [(3, 3), ("3", 3), (None, 10), ("", 10), ("None", 10)])
def test_max_runs_stops_early_and_means_all_where_it_renders_to_nothing(emulator, run_operator, max_runs, count):
    emulator.add_runs(10)
    assert run_operator(max_runs=max_runs).count == count


@pytest.mark.parametrize("max_runs", [0, -1, "many", True, 1.5])
def test_max_runs_must_be_a_number(run_operator, max_runs):
    with pytest.raises(TallyfyInputError, match="max_runs takes a whole number from 1"):
        run_operator(max_runs=max_runs)


def test_when_nothing_matches(run_operator):
    done = run_operator(on_empty="pass")
    assert (done.result, done.run_ids, done.count) == ([], [], 0)
    for on_empty, error in (("skip", AirflowSkipException), ("fail", TallyfyError)):
        with pytest.raises(error, match="No run matches the filters"):
            run_operator(on_empty=on_empty)
    with pytest.raises(TallyfyInputError, match="it takes 'pass', 'skip' or 'fail'"):
        ListRunsOperator(task_id="x", on_empty="ignore")


def test_rows_that_do_not_match_are_logged_and_returned(run_operator, ignores_filters, said):
    done = run_operator(filters={"status": "complete"})
    assert done.run_ids == [ignores_filters["id"]]
    warning = said()
    assert "1 of the runs came back although filters['status'] does not allow them" in warning
    assert "'Stray'" in warning


def test_rows_that_do_not_match_are_an_error_with_strict_filters(run_operator, ignores_filters):
    with pytest.raises(TallyfyResponseError, match="strict_filters=True"):
        run_operator(filters={"checklist_id": "another"}, strict_filters=True)


def test_a_result_too_large_for_xcom_is_warned_of_with_the_ways_out(emulator, run_operator, said):
    emulator.add_runs(300, summary="x" * 5000)
    run_operator()
    warning = said()
    assert "which is large for an XCom" in warning
    assert "Write it to a file with TallyfyToObjectStorageOperator" in warning
    assert "fields=[…]" in warning
    run_operator(fields=["id"])
    assert "large for an XCom" not in said()


def test_a_page_that_cannot_be_read_fails_the_task(emulator, run_operator):
    emulator.add_runs(150)
    emulator.order(Fault(kind="unreadable", path="page=2"))
    with pytest.raises(TallyfyResponseError, match="no valid JSON"):
        run_operator()


def test_nothing_is_pushed_where_xcoms_are_not_wanted(emulator, run_operator):
    emulator.add_run()
    done = run_operator(do_xcom_push=False)
    assert vars(done).keys() == {"result"}


@pytest.mark.parametrize("fields", [None, "None", "", [], [None, ""], " , "])
def test_fields_that_name_nothing_keep_all(emulator, run_operator, fields):
    emulator.add_run(name="One")
    assert run_operator(fields=fields).result[0]["name"] == "One"


@pytest.mark.parametrize("argument", ["filters", "strict_filters", "on_empty", "on_incomplete"])
def test_a_wrong_literal_of_a_mapped_task_is_refused_when_it_runs(emulator, connect, task_context, argument):
    mapped = ListRunsOperator.partial(task_id="list_runs").expand(**{argument: [{"stats": "active"}]})
    operator = mapped.unmap({argument: {"stats": "active"}})  # outside of execute, Airflow 2 would call no callback
    with pytest.raises(TallyfyInputError, match=argument):
        operator.execute(context=task_context())
    assert emulator.requests == []


def test_filters_may_be_json_text(emulator, run_operator):
    emulator.add_runs(2)
    emulator.add_run(status="complete")
    assert run_operator(filters='{"status": "complete"}').count == 1
    assert run_operator(filters="None").count == 3


@pytest.fixture
def dag():
    with DAG("mapping", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        yield dag


COMBINED = {
    "map": lambda ids: ids.map(str.upper),
    "zip": lambda ids: ids.zip(ids),
    "concat": lambda ids: ids.concat(ids),
    "itself": lambda ids: ids,
}


@pytest.mark.parametrize("how", COMBINED)
@pytest.mark.parametrize(("lister", "key"), [(ListRunsOperator, "run_ids"), (ListTasksOperator, "task_ids")])
def test_ids_can_be_mapped_over_zipped_and_joined(dag, lister, key, how):
    given = {"run_id": "a"} if lister is ListTasksOperator else {}
    output = lister(task_id="list", **given).output
    for arg in (COMBINED[how](output[key]), COMBINED[how](output)):
        assert {reference for _, reference in arg.iter_references()} == {"return_value"}
    GetRunOperator.partial(task_id="get").expand(run_id=COMBINED[how](output[key]))
    assert dag.get_task("get").upstream_task_ids == {"list"}


def test_the_count_cannot_be_mapped_over(dag):
    count = ListRunsOperator(task_id="list_runs").output["count"]
    assert count.key == "count"
    with pytest.raises(ValueError, match="count"):
        GetRunOperator.partial(task_id="get").expand(run_id=count)


@pytest.mark.parametrize(
    ("key", "words"), [("runids", "did you mean 'run_ids'"), ("x", "the keys are return_value, run_ids, count")]
)
def test_a_misspelt_key_is_refused_when_the_dag_is_parsed(key, words):
    with pytest.raises(TallyfyInputError, match=rf"output\['{key}'\]: ListRunsOperator pushes no such XCom; {words}"):
        ListRunsOperator(task_id="list_runs").output[key]


def test_the_output_survives_a_pickle():
    output = ListRunsOperator(task_id="list_runs").output["run_ids"]
    copy = pickle.loads(pickle.dumps(output))  # noqa: S301
    assert (copy.key, copy.operator.task_id) == ("run_ids", "list_runs")
    assert list(copy.iter_references()) == [(copy.operator, "return_value")]
