"""The button that leads from a task to the page of its run in Tallyfy."""

from __future__ import annotations

from datetime import datetime

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow.providers_manager import ProvidersManager
from airflow.serialization import serialized_objects

from tallyfy_provider.get_provider_info import get_provider_info
from tallyfy_provider.links.tallyfy import TallyfyRunLink, run_url
from tallyfy_provider.sensors.runs import RunStatusSensor

RUN = "29f3e1b3ab0a4d0d97a3d0b2a1c2e3f4"


def set_pattern(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    monkeypatch.setenv("AIRFLOW__TALLYFY__RUN_URL", pattern)


def test_the_page_is_in_tallyfys_web_app():
    assert run_url(RUN) == f"https://go.tallyfy.com/tracker/{RUN}"


def test_an_id_never_leads_elsewhere_than_to_its_page():
    assert run_url("../x?y=/#z") == "https://go.tallyfy.com/tracker/..%2Fx%3Fy%3D%2F%23z"


def test_an_address_in_the_place_of_an_id_has_no_page():
    assert run_url("https://go.tallyfy.com/guest/tasks/x?code=secret") == ""


def test_the_address_can_be_set_in_airflows_configuration(monkeypatch):
    set_pattern(monkeypatch, "https://staging.go.tallyfy.com/organizations/abc/runs/{run_id}?at=%20{x}")
    assert run_url(7) == "https://staging.go.tallyfy.com/organizations/abc/runs/7?at=%20{x}"


def test_an_empty_setting_leaves_no_link(monkeypatch):
    set_pattern(monkeypatch, " ")
    assert run_url(RUN) == ""


def test_the_setting_is_described_to_airflow():
    option = get_provider_info()["config"]["tallyfy"]["options"]["run_url"]
    assert option["default"].replace("{run_id}", RUN) == run_url(RUN)


def test_it_is_stored_under_the_key_that_airflow_3_looks_for(task_context):
    context = task_context()
    TallyfyRunLink.persist(context, RUN)
    assert context["ti"].pushed == {TallyfyRunLink().xcom_key: run_url(RUN)}
    assert TallyfyRunLink().xcom_key == f"_link_{TallyfyRunLink.__name__}"


def test_a_task_goes_on_without_its_link(said, task_context):
    def refuse(key, value):
        raise ConnectionError("no API server")

    TallyfyRunLink.persist(task_context(xcom_push=refuse), RUN)
    text = said()
    assert f"The task shows no link to run {RUN}, which could not be stored" in text
    assert "no API server" in text


def test_airflow_knows_the_class():
    assert "tallyfy_provider.links.tallyfy.TallyfyRunLink" in ProvidersManager().extra_links_class_names


def test_a_dag_that_was_stored_and_read_back_has_the_button_also_on_mapped_tasks():
    with DAG("links", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        RunStatusSensor(task_id="plain", run_id=RUN)
        RunStatusSensor.partial(task_id="mapped").expand(run_id=[RUN])
    serializer = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)
    copy = serializer.from_dict(serializer.to_dict(dag))
    for task_id in ("plain", "mapped"):
        assert copy.get_task(task_id).extra_links == ["Tallyfy process"]
