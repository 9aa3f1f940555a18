"""Answers that would stop a connection if they were believed: each is a result or an error, in time and in bounds."""

from __future__ import annotations

import gzip
import itertools
import json
import time
import tracemalloc
from contextlib import suppress

import pytest

from tallyfy_provider.client.http import body as bodies
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConnectionError,
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyNotFoundError,
    TallyfyRateLimitError,
    TallyfyResponseError,
    TallyfyServerError,
)
from tests.raw_server import dripped, raw_server, response

RUN = "a" * 32
FOUND = json.dumps({"data": {"id": RUN, "name": "x"}}).encode()


@pytest.fixture
def client_of(client_of):
    """Build a client of a raw server."""

    def build(server, **changes):
        return client_of(**{"base_url": server.base_url, "timeout": 5, "max_attempts": 1, **changes})

    return build


def endless_continue(request):
    while True:
        yield b"HTTP/1.1 100 Continue\r\n\r\n"
        time.sleep(0.01)


def endless_gzip_header(request):
    yield response(headers={"Content-Encoding": "gzip", "Content-Length": 10_000_000})
    yield b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"  # a file name follows, which never ends
    while True:
        yield b"x"
        time.sleep(0.02)


def endless_chunks(request):
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"1\r\n \r\n"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: dripped(response(200, FOUND, {"X-Filler": "x" * 1000})),
        lambda request: dripped(response(200, FOUND + b" " * 1000)),
        lambda request: dripped(b"HTTP/1.1 " + b"2" * 1000),
        endless_continue,
        endless_gzip_header,
        endless_chunks,
    ],
    ids=["headers", "body", "status", "100 Continue", "gzip header", "chunks"],
)
def test_a_request_ends_at_its_deadline_whatever_drips(client_of, answer):
    with raw_server(answer) as server:
        started = time.monotonic()
        with pytest.raises(TallyfyResponseError, match="still coming in after 1 s"):
            client_of(server, timeout=0.1).runs.get(RUN)
        assert time.monotonic() - started < 15  # what drips ends after 20 s, if ever
        with pytest.raises(TallyfyIndeterminateError):
            client_of(server, timeout=0.1).request("POST", "runs", json={})


def test_a_connection_is_as_patient_as_before_after_a_slow_response(client_of):
    answers = iter([dripped(response(200, FOUND), 0.008), [response(200, FOUND)]])

    def slow_then_late(request):
        pieces = next(answers)
        if isinstance(pieces, list):
            time.sleep(0.05)
        return pieces

    with raw_server(slow_then_late) as server:
        client = client_of(server, timeout=0.2)
        assert client.runs.get(RUN)["id"] == RUN
        assert client.runs.get(RUN)["id"] == RUN


ENCODINGS = {
    "": FOUND,
    "none": FOUND,
    "UTF-8": FOUND,
    "identity": FOUND,
    "GZIP": gzip.compress(FOUND),
    "gzip, identity": gzip.compress(FOUND),
}


@pytest.mark.parametrize(("encoding", "body"), ENCODINGS.items(), ids=ENCODINGS)
def test_what_is_no_encoding_is_read_as_it_is(client_of, encoding, body):
    with raw_server(lambda request: [response(200, body, {"Content-Encoding": encoding})]) as server:
        assert client_of(server).runs.get(RUN)["id"] == RUN


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "br, identity"])
def test_an_encoding_that_was_not_asked_for_is_refused(client_of, encoding):
    with raw_server(lambda request: [response(200, FOUND, {"Content-Encoding": encoding})]) as server:
        with pytest.raises(TallyfyResponseError, match="was not asked for"):
            client_of(server).runs.get(RUN)
        with pytest.raises(TallyfyIndeterminateError):
            client_of(server).request("POST", "runs", json={})


@pytest.mark.parametrize("layers", [1, 2])
def test_a_body_that_grows_is_refused_before_it_is_in_memory(client_of, layers):
    bomb = b" " * 378_000_000
    for _ in range(layers):
        bomb = gzip.compress(bomb, mtime=0, compresslevel=1)
    encoding = ", ".join(["gzip"] * layers)
    with raw_server(lambda request: [response(200, bomb, {"Content-Encoding": encoding})]) as server:
        client = client_of(server)
        tracemalloc.start()
        try:
            with pytest.raises(TallyfyResponseError, match=r"longer than 64 MiB|was not asked for"):
                client.runs.get(RUN)
            assert tracemalloc.get_traced_memory()[1] < 3 * bodies.MAX_BODY_BYTES
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("status", [200, 302, 500])
def test_nothing_is_read_beyond_its_bound_whatever_the_status(client_of, status, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 1024**2)
    bomb = gzip.compress(b" " * 5_000_000, mtime=0)
    headers = {"Content-Encoding": "gzip", "Location": "https://elsewhere.example"}
    with (
        raw_server(lambda request: [response(status, bomb, headers)]) as server,
        pytest.raises(TallyfyResponseError, match="longer than 1 MiB"),
    ):
        client_of(server).runs.get(RUN)


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(FOUND, mtime=0),
        gzip.compress(FOUND[:9], mtime=0) + gzip.compress(FOUND[9:], mtime=0),
        gzip.compress(FOUND, mtime=0) + b"\0" * 50,
        gzip.compress(FOUND + b" " * 1_000_000, mtime=0),
    ],
    ids=["one member", "two members", "padding", "many steps"],
)
def test_gzip_is_decoded(client_of, body):
    with raw_server(lambda request: [response(200, body, {"Content-Encoding": "gzip"})]) as server:
        assert client_of(server).runs.get(RUN)["id"] == RUN
        assert b"Accept-Encoding: gzip\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (gzip.compress(FOUND, mtime=0)[:-12], "was cut off"),
        (b"\x1f\x8bnonsense", "cannot be decoded"),
        (gzip.compress(FOUND, mtime=0) + b"\x1f\x8bnonsense", "cannot be decoded"),
    ],
)
def test_gzip_that_is_none_is_an_error(client_of, body, words):
    with (
        raw_server(lambda request: [response(200, body, {"Content-Encoding": "gzip"})]) as server,
        pytest.raises(TallyfyResponseError, match=words),
    ):
        client_of(server).runs.get(RUN)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "86400"}, 3600),
        ({"Retry-After": "1e9"}, 3600),
        ({"Retry-After": "Thu, 01 Jan 2099 00:00:00 GMT"}, 3600),
        ({"Retry-After": "Thu, 01 Jan 2099 00:00:00 GMT", "Date": "Mon, 01 Jan 0001 00:00:00 GMT"}, 3600),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1, 5"}, 5),
        ({"Retry-After": "1, 99999"}, 3600),
        ({"Retry-After": "1, soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "9" * 60}, 3600),
        ({"Retry-After": "Thu, 31 Feb 2099 25:61:61 GMT"}, None),
        ({"Retry-After": "Thu, 01 Jan 99999999999999 00:00:00 GMT"}, None),
        ({"Retry-After": "Thu, 01 Jan 2099 00:00:00 +999999"}, None),
        ({"X-RateLimit-Remaining": "9" * 5000, "X-RateLimit-Reset": "9" * 5000}, None),
    ],
)
@pytest.mark.parametrize(("status", "kind"), [(429, TallyfyRateLimitError), (503, TallyfyServerError)])
def test_no_header_asks_for_more_than_the_longest_pause(client_of, headers, pause, status, kind):
    with raw_server(lambda request: [response(status, b"{}", headers)]) as server, pytest.raises(kind) as raised:
        client_of(server).runs.get(RUN)
    if pause or status == 503:
        assert raised.value.retry_after == pause
    else:  # the end of the pause that the client makes by itself
        assert 0 < raised.value.retry_after <= 3600


def test_the_longest_pause_is_a_setting(client_of):
    with (
        raw_server(lambda request: [response(503, b"{}", {"Retry-After": "86400"})]) as server,
        pytest.raises(TallyfyServerError) as raised,
    ):
        client_of(server, max_pause=7).runs.get(RUN)
    assert raised.value.retry_after == 7


@pytest.mark.parametrize("status", [200, 404])
def test_what_needs_no_second_attempt_asks_for_no_pause(client_of, status):
    waits = []
    with raw_server(lambda request: [response(status, FOUND, {"Retry-After": "100"})]) as server:
        client = client_of(server, waits=waits)
        for _ in range(2):
            with suppress(TallyfyNotFoundError):
                client.runs.get(RUN)
    assert waits == []


def test_a_pause_that_only_the_error_tells_of_holds_nobody_else_back(client_of):
    answers = itertools.chain([response(503, b"{}", {"Retry-After": "86400"})], itertools.repeat(response(200, FOUND)))
    waits = []
    with raw_server(lambda request: [next(answers)]) as server:
        client = client_of(server, waits=waits)
        with pytest.raises(TallyfyServerError):
            client.runs.get(RUN)
        assert client.runs.get(RUN)["id"] == RUN
    assert waits == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n{}", "cannot be read"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "answered 101"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", "answered 103"),
        (b"HTTP/1.1 abc\r\n\r\n", "broke"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "broke"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "broke"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", "No answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{" + b"[" * 600, "holds no object"),
    ],
    ids=lambda case: None if isinstance(case, str) else case[9:40],
)
def test_what_was_sent_and_not_answered_properly_is_in_doubt(client_of, answer, words):
    with raw_server(lambda request: iter([answer])) as server:
        client = client_of(server, timeout=1)
        with pytest.raises(TallyfyError, match=words):
            client.runs.get(RUN)
        if words != "holds no object":
            with pytest.raises(TallyfyIndeterminateError):
                client.request("POST", "runs", json={})


def test_what_follows_an_interim_answer_is_not_taken_for_the_next_one(client_of):
    answers = iter([b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(200, FOUND), response(404, b"{}")])
    with raw_server(lambda request: [next(answers)]) as server:
        client = client_of(server)
        with pytest.raises(TallyfyResponseError, match="no final answer"):
            client.runs.get(RUN)
        with pytest.raises(TallyfyNotFoundError):
            client.runs.get(RUN)


@pytest.mark.parametrize("location", ["//[x", "http://[::1", "x" * 5000, "\x7f", ""])
@pytest.mark.parametrize("status", [300, 302, 308])
def test_a_redirect_to_nowhere_is_an_error(client_of, location, status):
    with (
        raw_server(lambda request: [response(status, b"{}", {"Location": location})]) as server,
        pytest.raises(TallyfyResponseError, match="It is a redirect, which is not followed"),
    ):
        client_of(server).runs.get(RUN)


def nested(depth):
    return b'{"errors":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


@pytest.mark.parametrize("depth", [3, 60, 600, 5000, 100_000])
@pytest.mark.parametrize("status", [200, 422])
def test_depth_is_no_trouble(client_of, depth, status):
    with raw_server(lambda request: [response(status, nested(depth))]) as server, pytest.raises(TallyfyError):
        client_of(server).runs.get(RUN)


def test_an_error_keeps_no_more_than_a_few_words(client_of):
    errors = {f"field {n}": "select " * 2000 for n in range(500)}
    body = json.dumps({"message": "select " * 200_000, "errors": errors, "code": "x" * 10_000}).encode()
    with raw_server(lambda request: [response(422, body, {"X-Request-Id": "r" * 1000})]) as server:
        started = time.process_time()
        with pytest.raises(TallyfyError) as raised:
            client_of(server).runs.get(RUN)
    assert time.process_time() - started < 3
    assert len(json.dumps(raised.value.to_dict())) < 200_000
    assert raised.value.request_id is None


def test_no_part_of_an_answer_can_smuggle_a_secret_into_an_error(client_of):
    secret = "Sup3r-Secret-Token"
    headers = {"Content-Type": "text/plain", "X-Request-Id": secret, "Location": f"https://{secret}.example/{secret}"}
    said = {"errors": {secret: secret}, "code": secret, "message": secret}
    for status in (200, 302, 409, 422, 500):
        body = b"no JSON" if status == 200 else json.dumps(said).encode()
        with (
            raw_server(lambda request, status=status, body=body: [response(status, body, headers)]) as server,
            pytest.raises(TallyfyError) as raised,
        ):
            client_of(server, secret=secret).runs.get(RUN)
        assert secret.lower() not in (str(raised.value) + json.dumps(raised.value.to_dict())).lower()


LIFETIMES = [b"9" * 400, b"-1", b"NaN", b"null", b'"x"', b"[]", b"1e400"]


@pytest.mark.parametrize("expires_in", LIFETIMES)
def test_a_token_is_used_whatever_its_lifetime(client_of, expires_in):
    def answer(request):
        if b"/oauth/token" in request:
            return [response(200, b'{"access_token": "abcdef", "expires_in": ' + expires_in + b"}")]
        return [response(200, FOUND)]

    with raw_server(answer) as server:
        assert client_of(server, client_id="1").runs.get(RUN)["id"] == RUN


@pytest.mark.parametrize("token", ["", "a\r\nX: y", "\u2028", "x" * 100_000, 5, ["a"], {"a": 1}])
def test_what_is_no_token_is_never_sent(client_of, token):
    with raw_server(lambda request: [response(200, json.dumps({"access_token": token}).encode())]) as server:
        with pytest.raises(TallyfyResponseError, match="holds no access_token"):
            client_of(server, client_id="1").runs.get(RUN)
        assert len(server.requests) == 1


def test_a_token_endpoint_that_asks_for_a_day_is_an_error_at_once(client_of):
    with raw_server(lambda request: [response(503, b"{}", {"Retry-After": "86400"})]) as server:
        with pytest.raises((TallyfyServerError, TallyfyAuthError, TallyfyConnectionError)) as raised:
            client_of(server, client_id="1").runs.get(RUN)
        assert raised.value.retry_after == 3600


@pytest.mark.parametrize("total", [b"9" * 400, b"-1", b"1e400", b'"' + b"9" * 5000 + b'"', b"NaN"])
def test_a_list_is_read_whatever_its_total_says(client_of, total):
    page = (
        b'{"data": [{"id": "1", "created_at": "2026-01-01 00:00:00"}], "meta": {"pagination": {"total": '
        + total
        + b"}}}"
    )
    empty = b'{"data": []}'
    with raw_server(
        lambda request: [response(200, page if b"page=1&" in request or b"page=1 " in request else empty)]
    ) as server:
        assert [run["id"] for run in client_of(server).runs.list()] == ["1"]


def test_a_launch_whose_answer_cannot_be_read_is_in_doubt(client_of):
    for answer in (
        response(101),
        response(200, b"[" * 600),
        response(201, nested(600)),
        response(503, b"{}", {"Retry-After": "1e9"}),
    ):
        with raw_server(lambda request, answer=answer: [answer]) as server, pytest.raises(TallyfyIndeterminateError):
            client_of(server).request("POST", "runs", json={})
