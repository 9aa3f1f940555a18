"""What a proxy from the environment gets to see, and what it may do to a connection."""

from __future__ import annotations

import time

import pytest

from tallyfy_provider.client.http.urls import is_loopback, parse_base_url
from tallyfy_provider.exceptions import TallyfyConfigurationError, TallyfyConnectionError, TallyfyIndeterminateError
from tests.raw_server import raw_server, response

TOKEN = "Sup3r-Secret-Token"
VARIABLES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy")
FOUND = b'{"data": {"id": "a"}}'


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in (*VARIABLES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("exception", [None, "", "example.com"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_the_token_for_this_machine_goes_to_no_proxy(client_of, monkeypatch, variable, host, exception):
    with raw_server(lambda request: [response(200, FOUND)]) as server, raw_server(lambda request: []) as proxy:
        monkeypatch.setenv(variable, proxy.base_url)
        if exception is not None:
            monkeypatch.setenv("no_proxy", exception)
        base_url = server.base_url.replace("127.0.0.1", host)
        client = client_of(base_url=base_url, secret=TOKEN, timeout=1)
        assert client.runs.get("a")["id"] == "a"
    assert proxy.requests == []
    assert TOKEN.encode() in server.requests[0]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_addresses_of_this_machine(host):
    assert is_loopback(host)


OTHERS = ["x.localhost", "localhost.", "127.0.0.1.example.com", "0.0.0.0", "2130706433", "127.1", "localhost.evil.com"]


@pytest.mark.parametrize("host", [*OTHERS, "[::]", "[fe80::1]", "0x7f000001", "017700000001", "localhost%2eevil.com"])
def test_no_credentials_are_sent_over_http_to_what_may_be_another_machine(host):
    with pytest.raises(TallyfyConfigurationError, match="not sent over plain http"):
        parse_base_url(f"http://{host}:8000", allow_http=False, what="host")


@pytest.mark.parametrize("host", ["https://a\x00b", "https://api\ud800.example.com", "https://a\x1bb/x"])
def test_what_is_no_address_is_refused(host):
    with pytest.raises(TallyfyConfigurationError, match="characters in it that no address has"):
        parse_base_url(host, allow_http=False, what="host")


def closes(request):
    raise OSError


def closes_in_the_middle(request):
    yield b"HTTP/1.1 200 Conn"
    raise OSError


def gives_nonsense(request):
    return [b"\x00\x01nonsense\r\n\r\n"]


def is_silent(request):
    time.sleep(0.3)
    return []


def connects_to_nothing(request):
    yield b"HTTP/1.1 200 Connection established\r\n\r\n"
    raise OSError


@pytest.mark.parametrize(
    "answer",
    [closes, closes_in_the_middle, gives_nonsense, is_silent, connects_to_nothing],
    ids=lambda each: each.__name__,
)
def test_a_proxy_that_ends_in_the_middle_of_connect_has_sent_nothing(client_of, monkeypatch, answer):
    with raw_server(answer) as proxy:
        monkeypatch.setenv("https_proxy", proxy.base_url)
        client = client_of(base_url="https://api.example.com", secret=TOKEN, timeout=0.1, max_attempts=1)
        with pytest.raises(TallyfyConnectionError) as raised:
            client.request("POST", "runs", json={"name": "x"})
    assert not isinstance(raised.value, TallyfyIndeterminateError)
    assert TOKEN.encode() not in b"".join(proxy.requests)


def test_a_server_that_ends_the_handshake_was_sent_nothing(client_of):
    with raw_server(closes) as server:
        base_url = server.base_url.replace("http:", "https:")
        with pytest.raises(TallyfyConnectionError):
            client_of(base_url=base_url, timeout=0.2, max_attempts=1).request("POST", "runs", json={})


def test_a_connection_that_stood_and_broke_leaves_doubt(client_of):
    with raw_server(closes) as server, pytest.raises(TallyfyIndeterminateError):
        client_of(base_url=server.base_url, timeout=0.2, max_attempts=1).request("POST", "runs", json={})
