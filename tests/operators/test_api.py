"""TallyfyAPIOperator requests any endpoint, and returns the response."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Fault
from tallyfy_provider.exceptions import TallyfyIndeterminateError, TallyfyInputError, TallyfyNotFoundError
from tallyfy_provider.operators.api import TallyfyAPIOperator


@pytest.fixture
def ask(connect):
    connect()
    return lambda **arguments: TallyfyAPIOperator(task_id="ask", **arguments).execute(context={})


def test_the_data_of_a_response_is_returned(emulator, ask):
    assert ask(path="/me")["email"] == emulator.username
    assert ask(path=f"checklists/{min(emulator.checklists.values())}")["id"] == min(emulator.checklists.values())


def test_the_query_and_the_body_are_put_into_tallyfys_form(emulator, ask):
    emulator.add_runs(3)
    rows = ask(
        path="runs", query={"status": ["active"], "starred": False, "owners": None, "tag": "None", "per_page": 2}
    )
    assert len(rows) == 2
    assert emulator.requests[-1].query == {"status": "active", "starred": "false", "per_page": "2"}
    checklist = min(emulator.checklists.values())
    run = ask(path="runs", method="post", json={"checklist_id": checklist, "name": "By hand"})
    assert emulator.launched[0]["id"] == run["id"]


def test_a_query_and_a_body_may_come_out_of_a_template_as_text(emulator, ask):
    body = '{"checklist_id": "%s", "name": "By hand"}'
    ask(path="runs", method="POST", json=body % min(emulator.checklists.values()))
    assert emulator.launched[0]["name"] == "By hand"
    assert ask(path="runs", query='{"q": "By hand"}')[0]["name"] == "By hand"


def test_all_pages_are_read_or_only_so_many_rows(emulator, ask):
    ids = emulator.add_runs(250)
    assert [row["id"] for row in ask(path="runs", paginate=True, query={"sort": "created_at"})] == ids
    assert len(ask(path="runs", paginate=True, max_rows="120")) == 120
    assert len(ask(path="runs", query={"per_page": 100})) == 100


def test_a_response_without_data_is_returned_unchanged(emulator, ask):
    run = emulator.add_run()["id"]
    emulator.order(Fault(kind="status", status=204, body="", path="export"))
    assert ask(path=f"runs/{run}/export", method="POST") is None
    emulator.order(Fault(kind="status", status=200, body={"process": []}, path="search"))
    assert ask(path="search", query={"search": "x", "on": "process"}) == {"process": []}


def test_guest_links_are_left_out(emulator, ask):
    run = emulator.add_run()["id"]
    assert emulator.guest_secret in repr(emulator.tasks(run))
    assert emulator.guest_secret not in repr(ask(path=f"runs/{run}/tasks", paginate=True))
    assert emulator.guest_secret not in repr(ask(path=f"runs/{run}/tasks"))


def test_a_change_whose_answer_was_lost_is_in_doubt_and_was_sent_once(emulator, ask):
    emulator.order(Fault(kind="reset", method="POST", when="after"))
    with pytest.raises(TallyfyIndeterminateError):
        ask(path="runs", method="POST", json={"checklist_id": min(emulator.checklists.values()), "name": "By hand"})
    assert len(emulator.launched) == 1


def test_errors_are_those_of_all_others(ask):
    with pytest.raises(TallyfyNotFoundError):
        ask(path="runs/" + "0" * 32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": ""}, "path is empty"),
        ({"path": {"a": 1}}, "path takes text, not a dict"),
        ({"path": "runs", "query": "{'status': 'active'}"}, "query is the text of a dict"),
        ({"path": "runs", "paginate": "False"}, "paginate takes True or False, not 'False'"),
        ({"path": "runs", "query": "status=active"}, "query takes a dict"),
        ({"path": "runs", "paginate": True, "method": "POST"}, "paginate reads a list"),
        ({"path": "runs", "paginate": True, "json": {"a": 1}}, "paginate reads a list"),
        ({"path": "runs", "paginate": True, "max_rows": "many"}, "max_rows takes a whole number"),
        ({"path": "https://evil.example/"}, "path"),
    ],
)
def test_invalid_arguments_are_refused_before_any_request(emulator, ask, arguments, message):
    with pytest.raises(TallyfyInputError, match=message):
        ask(**arguments)
    assert emulator.requests == []


def test_a_wrong_method_fails_when_the_dag_is_parsed():
    with pytest.raises(TallyfyInputError, match="method is 'FETCH'; it takes 'GET', 'POST'"):
        TallyfyAPIOperator(task_id="x", path="runs", method="FETCH")
    TallyfyAPIOperator(task_id="x", path="runs", method="{{ params.method }}")


def test_neither_a_body_nor_a_query_is_logged(ask, emulator, said):
    said()
    checklist = min(emulator.checklists.values())
    ask(path="runs", method="POST", json={"checklist_id": checklist, "name": "x", "summary": "a secret remark"})
    assert "a secret remark" not in said()


def test_text_of_a_dict_as_python_writes_it_is_no_body(emulator, ask):
    with pytest.raises(TallyfyInputError, match="json is the text of a dict"):
        ask(path="tags", method="POST", json="{'title': 'new'}")
    assert emulator.requests == []
