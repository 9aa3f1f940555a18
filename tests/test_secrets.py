"""No secret in a log, an XCom, a rendered field, an exception, a trigger's arguments or its event."""

from __future__ import annotations

import json
import pickle
import pprint
import traceback

import pytest
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred

from tallyfy_emulator import Fault
from tallyfy_provider.operators.runs import ListRunsOperator
from tallyfy_provider.sensors.runs import RunStatusSensor
from tallyfy_provider.triggers.runs import RunStatusTrigger

from .conftest import build_task_context, fire_trigger

FAULTS = [
    None,
    Fault(kind="status", status=401),
    Fault(kind="status", status=403),
    Fault(kind="status", status=503),
    Fault(kind="status", status=429, headers={"Retry-After": "9999"}),
    Fault(kind="html"),
    Fault(kind="truncate"),
    Fault(kind="unreadable"),
    Fault(kind="reset"),
    Fault(kind="redirect", location="https://evil.example/"),
    Fault(kind="delay", delay=30),
    "refused",
    "echo",
]


@pytest.fixture(params=["token", "client credentials", "password", "acting as a user"])
def secrets(request, emulator, connect):
    """A connection with one kind of credentials, and all the secrets that it and Tallyfy hold."""
    extra = {"max_attempts": 1, "max_rate_limit_wait": 0, "timeout": 0.3}
    secret = emulator.token
    if request.param != "token":
        secret = emulator.client_secret
        extra["client_id"] = emulator.client_id
    if request.param == "password":
        extra |= {"username": emulator.username, "user_password": emulator.user_password}
    if request.param == "acting as a user":
        extra["act_as_user"] = emulator.username
    connect(password=secret, extra=extra)
    return [secret, emulator.user_password]


def everything_about(error: BaseException) -> str:
    """Give all that a logger, a debugger or an error tracker could show of an exception, its causes included."""
    shown = ["".join(traceback.format_exception(error)), repr(error)]
    seen = error
    while seen is not None:
        shown.append(repr(vars(seen)) + repr(seen.args))
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, AirflowException):
        shown.append(repr(pickle.dumps(error)))
    return "\n".join(shown)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(getattr(fault, "kind", fault)))
def test_no_secret_leaves(emulator, secrets, said, fault):
    said()
    run = emulator.add_run(name="Contract review")
    _break(emulator, fault, secrets)
    shown = [*_list_runs(), *_wait_in_worker(run["id"]), *_wait_in_triggerer(run["id"]), *_press_test()]
    shown.append(said())
    for secret in {*secrets, *_issued_tokens(emulator)}:
        for text in shown:
            assert secret not in text


def _break(emulator, fault, secrets) -> None:
    if fault == "refused":
        emulator.order(Fault(kind="expired_token"))
    elif fault == "echo":
        # A server that repeats in its error what it was sent.
        words = f"Bearer {secrets[0]} is not welcome"
        emulator.order(Fault(kind="status", status=422, body={"message": words, "errors": {"auth": [words]}}))
    elif fault is not None:
        emulator.order(fault)


def _issued_tokens(emulator) -> set[str]:
    """Give every bearer token that was sent to the emulator."""
    headers = [request.headers.get("authorization", "") for request in emulator.requests]
    return {header.removeprefix("Bearer ") for header in headers if header}


def _list_runs() -> list[str]:
    context = build_task_context()
    operator = ListRunsOperator(task_id="list", filters={"q": "review"})
    rendered = {name: getattr(operator, name) for name in operator.template_fields}
    shown = [repr(rendered)]
    try:
        shown.append(json.dumps(operator.execute(context=context)))
    except AirflowException as error:
        shown.append(everything_about(error))
    return [*shown, json.dumps(context["ti"].pushed), pprint.pformat(operator.__dict__.get("filters"))]


def _wait_in_worker(run_id: str) -> list[str]:
    sensor = RunStatusSensor(task_id="wait", run_id=run_id, poke_interval=0.01, timeout=0.1, fault_tolerance=0)
    try:
        return [repr(sensor.execute(context={}))]
    except AirflowException as error:
        return [everything_about(error)]


def _wait_in_triggerer(run_id: str) -> list[str]:
    options = {"task_id": "wait", "run_id": run_id, "poke_interval": 0.01, "timeout": 0.1, "deferrable": True}
    shown = []
    try:
        RunStatusSensor(**options, fault_tolerance=60).execute(context={})
    except TaskDeferred as deferred:
        arguments = deferred.trigger.serialize()[1]
        event = fire_trigger(RunStatusTrigger(**{**arguments, "fault_tolerance": 0}))
        shown += [json.dumps(arguments), json.dumps(event), repr(vars(deferred.trigger))]
        try:
            shown.append(repr(RunStatusSensor(**options).resume_execution("execute_complete", {"event": event}, {})))
        except AirflowException as error:
            shown.append(everything_about(error))
    except AirflowException as error:
        shown.append(everything_about(error))
    return shown


def _press_test() -> list[str]:
    from tallyfy_provider.hooks.tallyfy import TallyfyHook

    hook = TallyfyHook()
    return [repr(hook.test_connection()), repr(hook)]


def test_what_holds_secrets_does_not_show_them(emulator, secrets):
    from tallyfy_provider.hooks.connection import read_connection
    from tallyfy_provider.hooks.tallyfy import TallyfyHook

    settings = read_connection(TallyfyHook.get_connection("tallyfy_default"))
    client = TallyfyHook().get_conn()
    list(client.runs.list())
    tokens = client.session.tokens
    shown = repr(settings) + repr(client) + repr(tokens) + repr(getattr(tokens, "_grant", None))
    for secret in {*secrets, *_issued_tokens(emulator)}:
        assert secret not in shown


def test_airflow_masks_every_token_that_tallyfy_gave(emulator, secrets):
    from airflow.providers.common.compat.sdk import redact

    from tallyfy_provider.hooks.tallyfy import TallyfyHook

    list(TallyfyHook().list_runs())
    for token in _issued_tokens(emulator):
        assert token not in str(redact(f"the token is {token}"))
