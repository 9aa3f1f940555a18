"""Each fault, as a client sees it."""

from __future__ import annotations

import errno
import time

import pytest
import requests

from tallyfy_emulator import Emulator, Fault


def reset_error(error: BaseException | None) -> bool:
    """Whether a connection reset is behind an error."""
    while error is not None:
        if isinstance(error, ConnectionResetError) and error.errno == errno.ECONNRESET:
            return True
        reason = error.args[-1] if error.args and isinstance(error.args[-1], BaseException) else None
        error = reason or error.__cause__ or error.__context__
    return False


def test_a_status_a_number_of_times(emulator, caller):
    emulator.order(Fault(kind="status", status=503, times=2, path="/runs", headers={"Retry-After": "2"}))

    answers = [caller.get(caller.runs_path) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "2"
    assert answers[0].json() == {"error": True, "message": "Service Unavailable"}
    assert answers[0].headers["X-Request-Id"]
    assert [record.status for record in emulator.requests] == [503, 503, 200]


def test_the_usual_bodies_of_statuses(emulator, caller):
    for status in (401, 429, 500):
        emulator.order(Fault(kind="status", status=status, times=1))

    assert caller.get("/me").json() == {"error": True, "message": "unauthenticated"}
    assert caller.get("/me").json()["code"] == "RATE_LIMIT_EXCEEDED"
    assert caller.get("/me", headers={}).text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("status", "body", "content"), [(204, None, b""), (304, None, b""), (200, "[]", b"[]"), (200, [], b"[]")]
)
def test_a_status_with_a_given_body_or_none(emulator, caller, status, body, content):
    emulator.order(Fault(kind="status", status=status, body=body))

    answer = caller.get("/me")
    assert (answer.status_code, answer.content) == (status, content)


def test_only_matching_requests_fail(emulator, caller):
    emulator.order(Fault(kind="status", path=r"/runs\?.*page=2$", method="get", after=1))

    for query, expected in (("page=2", 200), ("page=1", 200), ("page=22", 200), ("page=2", 503), ("page=2", 503)):
        assert caller.get(caller.runs_path, query).status_code == expected, query
    assert caller.ask("DELETE", caller.runs_path + "/x", "page=2").status_code == 404


def test_several_faults_apply_in_order_until_cleared(emulator, caller):
    emulator.order(Fault(kind="status", status=500, times=1))
    emulator.order(Fault(kind="status", status=502))

    assert [caller.get("/me").status_code for _ in range(3)] == [500, 502, 502]
    emulator.clear_faults()
    assert caller.get("/me").status_code == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reset_connection_before_or_after_the_effect(emulator, caller, when):
    run_id = emulator.add_run()["id"]
    emulator.order(Fault(kind="reset", when=when, times=1))

    with pytest.raises(requests.ConnectionError) as failure:
        caller.ask("DELETE", f"{caller.runs_path}/{run_id}")

    assert reset_error(failure.value)
    assert (emulator.run(run_id)["archived_at"] is None) is (when == "before")
    assert emulator.requests[0].status is None
    assert caller.get("/me").status_code == 200


def test_a_status_after_the_effect(emulator, caller):
    run_id = emulator.add_run()["id"]
    emulator.order(Fault(kind="status", status=504, when="after", times=1))

    assert caller.ask("DELETE", f"{caller.runs_path}/{run_id}").status_code == 504
    assert emulator.run(run_id)["archived_at"] is not None


def test_a_body_that_is_cut_off(emulator, caller):
    emulator.add_runs(3)
    emulator.order(Fault(kind="truncate", times=1))

    answer = caller.get(caller.runs_path, stream=True)

    assert answer.status_code == 200
    announced = int(answer.headers["Content-Length"])
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=f"{announced // 2} bytes read"):
        answer.content  # noqa: B018


def test_invalid_json(emulator, caller):
    emulator.order(Fault(kind="unreadable"))

    answer = caller.get(caller.runs_path)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.text.startswith('{"data":')
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize(
    ("fault", "status", "header", "text"),
    [
        ({"kind": "html"}, 200, ("Content-Type", "text/html"), "Sign in"),
        ({"kind": "redirect", "location": "https://x.example/login"}, 302, ("Location", "https://x.example/login"), ""),
    ],
)
def test_a_page_in_place_of_json(emulator, caller, fault, status, header, text):
    emulator.order(Fault(**fault))

    answer = caller.get(caller.runs_path)

    assert answer.status_code == status
    assert answer.headers[header[0]].startswith(header[1])
    assert text in answer.text


def test_a_token_that_expires_in_the_middle(emulator, caller, caller_with, application_token):
    first = caller_with(emulator, application_token())
    emulator.order(Fault(kind="expired_token", times=1, after=1, path="/runs"))

    assert [first.get(first.runs_path).status_code for _ in range(3)] == [200, 401, 401]
    second = caller_with(emulator, application_token())
    assert second.get(second.runs_path).status_code == 200
    assert caller.get("/me").status_code == 200, "other tokens are not touched"


def test_a_late_response(emulator, caller):
    emulator.order(Fault(kind="delay", delay=0.1, times=1))

    began = time.monotonic()
    assert caller.get("/me").status_code == 200
    assert time.monotonic() - began >= 0.1


def test_a_request_without_response_blocks_neither_others_nor_the_stop(caller_with):
    with Emulator(seed=False) as emulator:
        caller = caller_with(emulator)
        emulator.order(Fault(kind="delay", delay=3600, path="/runs"))
        with pytest.raises(requests.ReadTimeout):
            caller.get(caller.runs_path, timeout=0.2)
        assert caller.get("/me").status_code == 200
        began = time.monotonic()
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "explode"},
        {"status": 99},
        {"status": "503"},
        {"delay": -1},
        {"delay": float("inf")},
        {"kind": "delay", "delay": 0},
        {"times": 0},
        {"after": -1},
        {"path": "("},
        {"kind": "redirect", "location": ""},
        {"when": "never"},
        {"headers": {"Retry-After": 2}},
        {"method": None},
    ],
)
def test_an_invalid_fault_names_the_field(wrong):
    with pytest.raises(ValueError, match=f"Fault.{list(wrong)[-1]} is"):
        Fault(**{"kind": "status", **wrong})
