"""What Tallyfy gives is shown on one printable line, without secrets and guest links."""

from __future__ import annotations

import json

import pytest

from tallyfy_emulator import Fault
from tallyfy_provider.client.redaction import Secrets, quoted, shown, without_guest_addresses
from tallyfy_provider.client.runs.status import describe
from tallyfy_provider.client.tasks.status import describe_completion, describe_task
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.operators.runs import LaunchRunOperator

SECRET = "Sup3r-Secret-Token"
GUEST_LINK = "https://go.tallyfy.com/guest/tasks/x?code=Gu3st"
FORGED = "red \x1b[31mx\x1b[0m\r\n2026-01-01 INFO forged \u202e\u2066\x07\x00\u2028" + GUEST_LINK


@pytest.fixture(autouse=True)
def known_secret():
    Secrets().add(SECRET)


def test_what_is_shown_is_printable():
    assert shown(FORGED) == "red x 2026-01-01 INFO forged ***"
    assert shown("\x1b]0;title\x07x") == "x"
    assert shown(["a\nb"]) == "['a\\nb']"
    assert len(shown("x" * 10_000)) == 300
    assert shown(10**5000) == "int"


@pytest.mark.parametrize(
    "text", [SECRET, f"a{SECRET}b", SECRET[:5] + "\x00" + SECRET[5:], SECRET[:5] + "\x1b[0m" + SECRET[5:]]
)
def test_no_secret_is_shown(text):
    assert SECRET not in shown(text)
    assert "***" in quoted(text)


@pytest.mark.parametrize("value", [FORGED, SECRET, [FORGED], {"a": SECRET}], ids=["forged", "secret", "list", "dict"])
def test_runs_and_tasks_are_described_without_them(value):
    item = {"id": value, "name": value, "title": value, "status": value, "completed_at": value}
    item |= {"completer": {"id": value, "full_name": value}, "decision": value}
    for text in (describe(item), describe_task(item), describe_completion(item)):
        assert text.isprintable()
        assert SECRET not in text
        assert "Gu3st" not in text


def test_the_error_and_the_log_of_an_answer_are_printable(emulator, connect, task_context, said):
    body = {"message": FORGED, "code": FORGED + SECRET, "errors": {FORGED: [FORGED]}}
    emulator.order(Fault(kind="status", status=422, body=body, headers={"X-Request-Id": "a\x1bb"}))
    with pytest.raises(TallyfyError) as raised:
        connect().get_run("a" * 32)
    assert str(raised.value).isprintable()
    assert "Gu3st" not in str(raised.value) + json.dumps(raised.value.to_dict())
    assert all(f"{name}{text}".isprintable() for name, text in raised.value.fields.items())
    assert raised.value.code.isprintable()


def test_the_name_of_a_launched_run_is_logged_on_one_line(emulator, connect, task_context, said):
    checklist = emulator.add_checklist("Onboarding")
    connect()
    LaunchRunOperator(task_id="x", checklist_id=checklist["id"], name=FORGED).execute(task_context())
    log = said()
    assert "forged" in log
    assert not any(line.startswith("2026-01-01 INFO forged") for line in log.splitlines())
    assert "Gu3st" not in log


def test_the_text_of_a_connection_that_works_is_printable(emulator, connect):
    emulator.order(Fault(kind="status", status=200, body={"data": {"id": "a", "name": FORGED, "first_name": FORGED}}))
    works, text = connect().test_connection()
    assert works
    assert text.isprintable()
    assert "Gu3st" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://go.tallyfy.com/guest?code=open-sesame now", "see *** now"),
        ("https://a.example/report,https://go.tallyfy.com/guest/x", "https://a.example/report,***"),
        ("https://go.tallyfy.com/guest", "***"),
        (r"https:\/\/go.tallyfy.com\/guests\/x", "***"),
        ("https://a.example/guestbook?a=1", "https://a.example/guestbook?a=1"),
    ],
)
def test_addresses_of_guests_are_hidden_and_no_others(text, expected):
    assert without_guest_addresses(text) == expected
