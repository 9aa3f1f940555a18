"""What a user sees when Tallyfy, or the way to it, misbehaves: the kind of error, its words, and what was asked."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest
import requests

from tallyfy_emulator import Fault
from tallyfy_provider import __version__
from tallyfy_provider.client import ClientSettings, build_client
from tallyfy_provider.client.http.deadline import Deadline
from tallyfy_provider.client.http.failures import failure_from_exception
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConfigurationError,
    TallyfyConnectionError,
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
    TallyfyRateLimitError,
    TallyfyResponseError,
    TallyfyServerError,
    TallyfyValidationError,
)

RUN = "a" * 32


CASES = [
    (Fault(kind="status", status=401), TallyfyAuthError, "make a new one under Settings", 1),
    (Fault(kind="status", status=403), TallyfyPermissionError, "give it the right in Tallyfy", 1),
    (Fault(kind="status", status=404), TallyfyNotFoundError, "Check the id, and the organization id", 1),
    (Fault(kind="status", status=422), TallyfyValidationError, "Correct what was sent", 1),
    (Fault(kind="status", status=407), TallyfyConfigurationError, "It is a proxy that wants credentials", 1),
    (Fault(kind="status", status=414), TallyfyValidationError, "ask for fewer ids at once", 1),
    (Fault(kind="status", status=431), TallyfyValidationError, "ask for fewer ids at once", 1),
    (Fault(kind="status", status=409), TallyfyValidationError, "answered 409", 1),
    (Fault(kind="status", status=402), TallyfyValidationError, "look under Billing", 1),
    (Fault(kind="status", status=405), TallyfyValidationError, "check the host of", 1),
    (Fault(kind="status", status=413), TallyfyValidationError, "send less at once", 1),
    (Fault(kind="status", status=500), TallyfyServerError, "Tallyfy failed by itself", 3),
    (Fault(kind="status", status=503), TallyfyServerError, "(after 3 attempts)", 3),
    (Fault(kind="status", status=501), TallyfyServerError, "answered 501", 1),
    (Fault(kind="status", status=429), TallyfyRateLimitError, "Ask less often", 10),
    (Fault(kind="status", status=429, headers={"Retry-After": "3600"}), TallyfyRateLimitError, "wait 3600 s", 1),
    (Fault(kind="html"), TallyfyResponseError, "an HTML page instead of JSON", 1),
    (Fault(kind="truncate"), TallyfyResponseError, "was cut off", 3),
    (Fault(kind="unreadable"), TallyfyResponseError, "no valid JSON", 3),
    (Fault(kind="reset"), TallyfyConnectionError, "The connection broke before the response was complete", 3),
    (
        Fault(kind="redirect", location="https://evil.example/steal?x=1"),
        TallyfyResponseError,
        "a redirect to https://evil.example, which is not followed",
        1,
    ),
    (Fault(kind="status", status=200, body="[]"), TallyfyResponseError, "holds no object under 'data'", 1),
    (Fault(kind="status", status=200, body='{"data": []}'), TallyfyResponseError, "holds no object", 1),
    (Fault(kind="status", status=200, body="[" * 100_000), TallyfyResponseError, "JSON", 3),
]


@pytest.mark.parametrize(("fault", "kind", "words", "requests"), CASES, ids=lambda case: getattr(case, "kind", None))
def test_each_fault_is_an_error_of_its_own_kind_that_says_what_to_do(emulator, client, fault, kind, words, requests):
    emulator.order(fault)
    with pytest.raises(TallyfyError) as raised:
        client.runs.get(RUN)
    assert type(raised.value) is kind
    assert words in str(raised.value)
    assert RUN in str(raised.value)
    assert len(emulator.requests) == requests


def test_a_server_that_never_answers_is_given_up_after_the_timeout(emulator, client_of):
    emulator.order(Fault(kind="delay", delay=30))
    started = time.monotonic()
    with pytest.raises(TallyfyConnectionError, match=r"No answer within 0\.2 s \(after 2 attempts\)"):
        client_of(timeout=0.2, max_attempts=2).runs.get(RUN)
    assert time.monotonic() - started < 20


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(client_of):
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_drip, args=(server,), daemon=True).start()
        client = client_of(base_url=f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.1, max_attempts=1)
        with pytest.raises(TallyfyResponseError, match="still coming in after 1 s"):
            client.runs.get(RUN)


def _drip(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        try:
            while True:
                connection.sendall(b" ")
                time.sleep(0.05)
        except OSError:
            return


def test_nobody_at_the_other_end_says_so(client_of):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TallyfyConnectionError, match="No connection could be made"):
        client_of(base_url=f"http://127.0.0.1:{port}").runs.get(RUN)


def test_a_name_that_does_not_resolve_says_so(client_of):
    with pytest.raises(TallyfyConnectionError, match="The host name cannot be resolved"):
        client_of(base_url="https://tallyfy.invalid").runs.get(RUN)


def answering(answer: bytes) -> str:
    """Serve one answer to everybody, as a proxy does, and return the address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            for _ in range(3):
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.recv(4096)
                    connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


HERE = "https://tallyfy.invalid"
NO_FILE = {"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (NO_FILE, "REQUESTS_CA_BUNDLE names '/nowhere/ca.pem', which is no file of certificates"),
        ({"HTTPS_PROXY": "socks5://127.0.0.1:1"}, "needs the package PySocks; install requests\\[socks\\]"),
        ({"HTTPS_PROXY": "ftp://127.0.0.1:1"}, "HTTPS_PROXY is no address of a proxy"),
        ({"HTTPS_PROXY": "http:///"}, "HTTPS_PROXY is no address of a proxy"),
        ({"HTTPS_PROXY": b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"}, "The proxy wants credentials"),
    ],
)
def test_a_launch_that_a_setting_of_the_machine_stops_was_not_sent(client_of, monkeypatch, variables, words):
    for name, value in variables.items():
        monkeypatch.setenv(name, answering(value) if isinstance(value, bytes) else value)
    with pytest.raises(TallyfyConfigurationError, match=rf"{words}.* Nothing was sent\."):
        client_of(base_url=HERE).runs.launch({"checklist_id": RUN})


@pytest.mark.parametrize(
    "written",
    [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nMIIB\n",
        "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nMIIBAAAA\n-----END PRIVATE KEY-----\n",
    ],
    ids=["empty", "text", "cut", "damaged", "a key"],
)
def test_a_file_without_certificates_is_named(client_of, monkeypatch, tmp_path, written):
    (tmp_path / "ca.pem").write_text(written)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    address = answering(b"").replace("http://", "https://")
    with pytest.raises(TallyfyConfigurationError, match=r"ca\.pem', which is no file of certificates"):
        client_of(base_url=address).runs.launch({"checklist_id": RUN})


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "The proxy in HTTPS_PROXY answered 503 Service Unavailable"),
        ("http://127.0.0.1:9", r"No connection to the proxy in HTTPS_PROXY could be made \(Connection refused\)"),
        ("http://proxy.invalid:9", "The host name of the proxy in HTTPS_PROXY cannot be resolved"),
    ],
)
def test_a_launch_that_a_proxy_stops_was_not_sent_and_may_be_sent_later(client_of, monkeypatch, proxy, words):
    monkeypatch.setenv("HTTPS_PROXY", answering(proxy) if isinstance(proxy, bytes) else proxy)
    with pytest.raises(TallyfyConnectionError, match=words):
        client_of(base_url=HERE).runs.launch({"checklist_id": RUN})


@pytest.mark.parametrize("what", ["Hostname mismatch, certificate is not valid for 'a'", "IP address mismatch"])
def test_a_certificate_for_another_name_is_not_called_untrusted(what):
    error = requests.exceptions.SSLError(f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {what}.")
    failure = failure_from_exception(error, timeout=1, connect_timeout=1, deadline=Deadline(1))
    assert failure.reason.startswith("The server's certificate is for another host name")
    assert (failure.sent, failure.permanent) == (False, True)


def test_a_fault_that_passes_is_not_noticed_by_the_caller(emulator, client_of):
    run = emulator.add_run(name="Patience")
    waits = []
    for fault in (
        Fault(kind="reset", times=1),
        Fault(kind="status", status=429, headers={"Retry-After": "9"}, times=1),
    ):
        emulator.order(fault)
    assert client_of(waits).runs.get(run["id"])["name"] == "Patience"
    assert waits == [0.0, pytest.approx(9.0, abs=0.5)]


def test_a_write_is_not_sent_again_when_it_may_have_happened(emulator, client):
    emulator.order(Fault(kind="reset", times=1, method="POST"))
    with pytest.raises(TallyfyIndeterminateError, match=r"may or may not have happened: look in Tallyfy before"):
        client.request("POST", "runs", json={})
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("status", [408, 500, 501, 502, 503, 504, 520, 524, 599])
def test_a_write_answered_by_a_server_error_is_in_doubt(emulator, client, status):
    emulator.order(Fault(kind="status", status=status, method="POST"))
    with pytest.raises(TallyfyIndeterminateError) as raised:
        client.request("POST", "runs", json={})
    assert raised.value.status == status
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("status", [408, 425])
def test_a_request_that_tallyfy_did_not_take_for_now_passes(emulator, client, status):
    emulator.order(Fault(kind="status", status=status))
    with pytest.raises(TallyfyServerError, match="did not take the request now; try again later") as raised:
        client.runs.get(RUN)
    assert raised.value.transient


def test_a_write_that_was_refused_for_its_rate_is_sent_again(emulator, client):
    emulator.order(Fault(kind="status", status=429, times=2, method="POST"))
    emulator.order(Fault(kind="status", status=201, body={"data": {"id": "1"}}, method="POST"))
    answer = client.request("POST", "runs", json={})
    assert answer == {"data": {"id": "1"}}
    assert len(emulator.requests) == 3


def test_a_write_that_was_in_doubt_once_stays_in_doubt(emulator, client):
    emulator.order(Fault(kind="reset", times=1, method="PUT"))
    emulator.order(Fault(kind="status", status=403, method="PUT"))
    with pytest.raises(TallyfyIndeterminateError):
        client.request("PUT", f"runs/{RUN}", json={})


def test_the_request_id_and_the_fields_are_kept(emulator, client):
    body = {"error": True, "errors": {"prerun": {"abc": ["Name is required"]}, "name": ["too long", "odd"]}}
    emulator.order(Fault(kind="status", status=422, body=body))
    with pytest.raises(TallyfyValidationError) as raised:
        client.runs.get(RUN)
    assert raised.value.request_id == "emulator-00000001"
    assert raised.value.fields == {"prerun.abc": "Name is required", "name": "too long, odd"}
    assert "prerun.abc: Name is required" in str(raised.value)
    assert str(raised.value).endswith(f"/runs/{RUN}; Tallyfy request id: emulator-00000001)")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "invalid_client"}, "invalid_client"),
        ({"error": {"code": "SEAT_POOL_EXHAUSTED", "message": "no seats"}}, "no seats"),
        ({"message": "SQLSTATE[42S02]: select * from runs"}, "withheld"),
        ({"message": "x" * 5000}, "…"),
        ([1, 2], "answered 409."),
        ("<html><body>oops</body></html>", "an HTML page"),
    ],
)
def test_what_tallyfy_says_is_quoted_in_whatever_shape_it_comes(emulator, client, body, words):
    emulator.order(Fault(kind="status", status=409, body=body))
    with pytest.raises(TallyfyValidationError) as raised:
        client.runs.get(RUN)
    assert words in str(raised.value)
    assert len(str(raised.value)) < 800
    assert "SQLSTATE" not in str(raised.value)


def test_the_headers_that_tallyfy_insists_on_are_sent(emulator, client):
    run = emulator.add_run()
    client.runs.get(run["id"])
    headers = emulator.requests[0].headers
    assert headers["accept"] == "application/json"
    assert headers["x-tallyfy-client"] == "APIClient"
    assert headers["user-agent"].startswith(f"airflow-provider-tallyfy/{__version__}")
    assert "content-type" not in headers
    assert "cookie" not in headers


def test_spaces_in_a_query_are_sent_as_tallyfy_wants_them(emulator, client):
    emulator.add_run(name="Quarter end + close")
    emulator.add_run(name="Another")
    assert [run["name"] for run in client.runs.list({"q": "Quarter end + close"})] == ["Quarter end + close"]


@pytest.mark.parametrize("run_id", ["", " ", ".", ".."])
def test_a_path_cannot_be_led_astray(emulator, client, run_id):
    with pytest.raises(TallyfyError, match="is no id"):
        client.runs.get(run_id)
    assert emulator.requests == []


@pytest.mark.parametrize("run_id", ["a/b", "../../me", "x?y=z", "a%2Fb", "ü#"])
def test_odd_ids_stay_in_their_place_in_the_path(emulator, client, run_id):
    with pytest.raises(TallyfyNotFoundError):
        client.runs.get(run_id)
    assert emulator.requests[0].path.startswith(f"/organizations/{emulator.organization_id}/runs/")


def test_credentials_in_a_netrc_do_not_replace_the_token(emulator, client, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    run = emulator.add_run()
    client.runs.get(run["id"])
    assert emulator.requests[0].headers["authorization"] == f"Bearer {emulator.token}"


def test_an_address_of_another_protocol_says_so_at_once(emulator, client_of):
    with pytest.raises(TallyfyConnectionError, match="does not speak https here"):
        client_of(base_url=emulator.base_url.replace("http://", "https://")).runs.get(RUN)


def test_a_failed_connection_names_the_address_and_where_it_is_from(client_of):
    with pytest.raises(TallyfyConnectionError, match=r"Check the host of connection 'x' \(http://127\.0\.0\.1:9\)"):
        client_of(base_url="http://127.0.0.1:9").runs.get(RUN)


def test_a_secret_is_blanked_out_before_a_message_is_cut(emulator, client_of):
    secret = "eyJ0eXAiOiJKV1Qi" + "s" * 1000
    emulator.order(Fault(kind="status", status=403, body={"message": f"The token {secret} may not"}))
    with pytest.raises(TallyfyPermissionError) as raised:
        client_of(secret=secret).runs.get(RUN)
    assert "eyJ0" not in str(raised.value)


def test_a_closed_client_asks_nothing_and_does_not_wait_on(emulator):
    client = build_client(ClientSettings(emulator.organization_id, emulator.token, base_url=emulator.base_url))
    emulator.order(Fault(kind="status", status=429, headers={"Retry-After": "60"}))
    timer = threading.Timer(0.3, client.close)
    timer.start()
    started = time.monotonic()
    with pytest.raises(TallyfyConnectionError, match="the client is closed"):
        client.runs.get(RUN)
    assert time.monotonic() - started < 50
    assert len(emulator.requests) == 1


def test_a_request_that_is_cancelled_is_not_sent_again(emulator):
    cancelled = threading.Event()
    settings = ClientSettings(emulator.organization_id, emulator.token, base_url=emulator.base_url)
    client = build_client(settings, sleep=lambda seconds: cancelled.set())
    emulator.order(Fault(kind="status", status=429, headers={"Retry-After": "60"}))
    with pytest.raises(TallyfyConnectionError, match="The request was not sent: it was cancelled"):
        client.session.request("GET", ("me",), cancelled=cancelled)
    assert len(emulator.requests) == 1


def test_nothing_of_the_request_hangs_on_an_error(client, emulator):
    emulator.order(Fault(kind="reset"))
    with pytest.raises(TallyfyConnectionError) as raised:
        client.runs.get(RUN)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
