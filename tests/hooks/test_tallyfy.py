"""The hook: Airflow's Test button, the form, and the methods that a task calls."""

from __future__ import annotations

import importlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import airflow
import pytest
from airflow.providers.common.compat.sdk import Connection
from airflow.providers_manager import ProvidersManager

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyNotFoundError, TallyfyServerError
from tallyfy_provider.get_provider_info import CONNECTION_FIELDS, get_provider_info
from tallyfy_provider.hooks.connection import EXTRAS
from tallyfy_provider.hooks.tallyfy import TallyfyHook


def test_the_test_button_says_who_was_reached_where(emulator, connect):
    works, message = connect().test_connection()
    assert works
    assert emulator.username in message
    assert emulator.organization_id in message


def test_an_application_is_introduced_as_one(emulator, connect):
    works, message = connect(password=emulator.client_secret, extra={"client_id": emulator.client_id}).test_connection()
    assert (works, message) == (
        True,
        f"Connected to organization {emulator.organization_id} as an application.",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "wrong-token"}, "are not accepted"),
        ({"password": ""}, "has no access token"),
        ({"login": ""}, "names no organization"),
        ({"login": "f" * 32}, "The user's organizations are: "),
        ({"host": "http://127.0.0.1:9"}, "No connection could be made"),
        ({"extra": {"client_id": "1"}}, "No token for connection 'tallyfy_default'"),
    ],
)
def test_the_test_button_says_what_to_fix(connect, changes, words):
    works, message = connect(**changes).test_connection()
    assert not works
    assert words in message


def test_a_task_says_what_the_test_button_says_of_a_wrong_organization(emulator, connect):
    (organization,) = connect().client.organization.list_mine()
    hook = connect(login="f" * 32)
    for ask in (lambda: list(hook.list_runs()), lambda: hook.get_run("a" * 32)):
        with pytest.raises(TallyfyNotFoundError) as refusal:
            ask()
        expected = f"The user's organizations are: {organization['id']} ({organization['name']})."
        assert expected in str(refusal.value)
        assert expected in hook.test_connection()[1]


def test_a_run_that_is_missing_costs_no_question_about_the_organization(emulator, connect):
    with pytest.raises(TallyfyNotFoundError) as refusal:
        connect().get_run("a" * 32)
    assert "organizations are" not in str(refusal.value)
    assert [request.path.rpartition("/")[2] for request in emulator.requests] == ["a" * 32]


def test_the_test_button_says_that_a_connection_may_be_missing_or_its_backend_out():
    works, message = TallyfyHook("nowhere").test_connection()
    assert not works
    assert "There is no connection 'nowhere', or the secrets backend that holds it does not answer" in message


def test_a_wrong_path_is_distinguished_from_a_wrong_organization(emulator, connect):
    works, message = connect(host=f"{emulator.base_url}/wrong").test_connection()
    assert not works
    assert "The address is wrong: check the host" in message


def test_both_of_tallyfys_bases_work(emulator, connect):
    assert connect(host=f"{emulator.base_url}/api").test_connection()[0]


def test_airflow_finds_the_hook_by_the_connections_type(emulator, connect):
    connect()
    hook = TallyfyHook.get_connection("tallyfy_default").get_hook()
    assert isinstance(hook, TallyfyHook)
    assert hook.test_connection()[0]


def test_runs_are_given_exactly_as_tallyfy_gave_them(emulator, connect):
    run = emulator.add_run(name="As it is", prerun=[], progress=[], odd_key={"a": [1]})
    hook = connect()
    assert hook.get_run(run["id"]) == run
    (listed,) = hook.list_runs()
    assert listed.items() >= run.items()


def test_runs_of_a_window_are_listed_its_beginning_included_and_its_end_not(emulator, connect):
    for hour in range(4):
        emulator.add_run(name=str(hour), created_at=f"2026-10-31T0{hour}:00:00Z")
    window = {"created_after": datetime(2026, 10, 31, 1), "created_before": datetime(2026, 10, 31, 3, tzinfo=UTC)}
    assert [run["name"] for run in connect().list_runs(**window)] == ["1", "2"]
    assert [run["name"] for run in connect().list_runs({"sort": "-created_at"}, **window)] == ["2", "1"]


def test_a_window_in_which_no_run_can_be_created_is_refused(emulator, connect):
    noon = datetime(2026, 10, 31, 12, tzinfo=UTC)
    for before in (noon, noon.replace(hour=11)):
        with pytest.raises(TallyfyInputError, match="give a later created_before"):
            list(connect().list_runs(created_after=noon, created_before=before))
    assert emulator.requests == []


def test_no_more_is_requested_after_the_list_is_closed(emulator, connect):
    emulator.add_runs(30)
    runs = connect(extra={"page_size": 2, "concurrency": 1}).list_runs()
    next(runs)
    asked = len(emulator.requests)
    runs.close()
    assert len(emulator.requests) == asked == 1


def test_includes_are_requested(emulator, connect):
    run = emulator.add_run()
    connect().get_run(run["id"], include=["checklist", "tags"])
    assert emulator.requests[-1].query == {"with": "checklist,tags"}


@pytest.mark.parametrize("answer", [200, 404])
def test_an_archived_run_is_found_whichever_way_tallyfy_answers(emulator, connect, answer):
    run = emulator.add_run(name="Shelved")
    emulator.archive_run(run["id"])
    emulator.quirks = Quirks(archived_run_status=answer)
    assert connect().find_run(run["id"])["name"] == "Shelved"


def test_a_missing_run_is_distinguished_from_an_archived_one(emulator, connect):
    emulator.archive_run(emulator.add_run()["id"])
    emulator.quirks = Quirks(archived_run_status=404)
    with pytest.raises(TallyfyNotFoundError, match=r"There is no run 'b{32}' .*nor is it among its 1 newest archived"):
        connect().find_run("b" * 32)


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [(403, TallyfyNotFoundError, "its archived runs could not be searched"), (503, TallyfyServerError, "")],
)
def test_a_search_of_archived_runs_that_fails_says_so(emulator, connect, status, error, message):
    emulator.order(Fault(kind="status", status=status, path="archived=only"))
    with pytest.raises(error, match=message):
        connect().find_run("b" * 32)


def schema(name):
    return json.loads((Path(airflow.__file__).parent / name).read_text())


def test_the_provider_info_is_what_airflow_expects():
    jsonschema = importlib.import_module("jsonschema")
    jsonschema.validate(get_provider_info(), schema("provider_info.schema.json"))
    behaviour = TallyfyHook.get_ui_field_behaviour()
    jsonschema.validate(behaviour, schema("customized_form_field_behaviours.schema.json"))


def test_every_module_and_class_of_the_provider_info_exists():
    info = get_provider_info()
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                importlib.import_module(module)
    for path in info["extra-links"]:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name)
    module, _, name = info["connection-types"][0]["hook-class-name"].rpartition(".")
    assert getattr(importlib.import_module(module), name) is TallyfyHook


def test_the_form_has_a_field_for_every_extra():
    assert set(CONNECTION_FIELDS) == set(EXTRAS)


@pytest.fixture
def manager(monkeypatch):
    """Airflow's manager of providers, before it has read any; Airflow 3.0 and 3.1 read labels only beside wtforms."""
    fields = dict.fromkeys(("BooleanField", "IntegerField", "PasswordField", "StringField"))
    monkeypatch.setitem(sys.modules, "wtforms", SimpleNamespace(**fields))
    manager = ProvidersManager()
    manager._cleanup()
    yield manager
    manager._cleanup()


def test_airflow_discovers_the_provider(manager):
    assert "airflow-provider-tallyfy" in manager.providers
    assert manager.hooks["tallyfy"].hook_class_name == "tallyfy_provider.hooks.tallyfy.TallyfyHook"
    assert manager.hooks["tallyfy"].hook_name == "Tallyfy"
    assert manager.field_behaviours["tallyfy"]["relabeling"]["login"] == "Organization id"


def test_airflow_masks_the_extra_that_holds_a_password():
    connection = Connection(conn_id="c", conn_type="tallyfy", extra='{"user_password": "word-of-jo"}')
    from airflow.providers.common.compat.sdk import redact

    assert "word-of-jo" not in str(redact(connection.extra_dejson))


def test_a_run_is_got_by_the_address_of_its_page(emulator, connect):
    run = emulator.add_run()
    address = f"https://go.tallyfy.com/tracker/{run['id']}"
    assert connect().get_run(address)["id"] == connect().find_run(address)["id"] == run["id"]


@pytest.mark.parametrize("unfit", ["\ud800", "https://go.tallyfy.com/guest/tasks/1?code=secret", ""])
def test_what_names_no_run_is_refused(connect, unfit):
    with pytest.raises(TallyfyInputError):
        connect().get_run(unfit)
