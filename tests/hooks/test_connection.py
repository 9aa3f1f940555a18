"""The connection: read from a form, from JSON and from a URI, and explained when it is wrong."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_2_PLUS

from tallyfy_provider.client import ClientSettings
from tallyfy_provider.exceptions import TallyfyConfigurationError, TallyfyError
from tallyfy_provider.get_provider_info import CONNECTION_FIELDS
from tallyfy_provider.hooks.connection import misspelt_extras, read_connection
from tallyfy_provider.hooks.tallyfy import TallyfyHook

ORG = "0" * 32
TOKEN = "a-token-of-tallyfy"


@pytest.fixture
def read(monkeypatch):
    def read(connection):
        text = connection if isinstance(connection, str) else json.dumps({"conn_type": "tallyfy", **connection})
        monkeypatch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", text)
        return read_connection(TallyfyHook.get_connection("tallyfy_default"))

    return read


def test_the_least_that_is_needed(read):
    settings = read({"login": ORG, "password": TOKEN})
    assert settings.base_url == "https://api.tallyfy.com"
    assert (settings.organization_id, settings.secret) == (ORG, TOKEN)
    assert (settings.timeout, settings.max_attempts, settings.concurrency, settings.page_size) == (60, 5, 4, 100)
    assert settings.where == "connection 'tallyfy_default'"


def test_everything_as_json(read):
    extra = {
        "client_id": 1234,
        "token_url": "https://account.tallyfy.com/oauth/token",
        "username": "jo@example.com",
        "user_password": "word-of-jo",
        "act_as_user": "max@example.com",
        "timeout": 5.5,
        "max_attempts": 2,
        "concurrency": 1,
        "page_size": 50,
    }
    settings = read({"host": "https://go.tallyfy.com/api/", "login": ORG, "password": TOKEN, "extra": extra})
    assert settings.base_url == "https://go.tallyfy.com/api"
    assert settings.client_id == "1234"
    assert settings.token_url == "https://account.tallyfy.com/oauth/token"
    assert (settings.username, settings.user_password) == ("jo@example.com", "word-of-jo")
    assert settings.act_as_user == "max@example.com"
    assert (settings.timeout, settings.max_attempts, settings.concurrency, settings.page_size) == (5.5, 2, 1, 50)


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        (f"tallyfy://{ORG}:{TOKEN}@", "https://api.tallyfy.com"),
        (f"tallyfy://{ORG}:{TOKEN}@/?timeout=5", "https://api.tallyfy.com"),
        (f"tallyfy://{ORG}:{TOKEN}@go.tallyfy.com/api", "https://go.tallyfy.com/api"),
        (f"tallyfy://{ORG}:{TOKEN}@https%3A%2F%2Fgo.tallyfy.com%2Fapi", "https://go.tallyfy.com/api"),
        (f"tallyfy://https://{ORG}:{TOKEN}@go.tallyfy.com/api", "https://go.tallyfy.com/api"),
        (f"tallyfy://http://{ORG}:{TOKEN}@127.0.0.1:8123", "http://127.0.0.1:8123"),
        (f"tallyfy://{ORG}:{TOKEN}@localhost:8123/http", "http://localhost:8123"),
        (f"tallyfy://{ORG}:{TOKEN}@[::1]:8123/http", "http://[::1]:8123"),
        (f"tallyfy://{ORG}:{TOKEN}@staging-api.tallyfy.com:8443", "https://staging-api.tallyfy.com:8443"),
    ],
)
def test_a_uri_in_each_way_that_people_write_it(read, uri, base_url):
    settings = read(uri)
    assert (settings.base_url, settings.organization_id, settings.secret) == (base_url, ORG, TOKEN)


def test_extras_of_a_uri_arrive_as_text(read):
    settings = read(f"tallyfy://{ORG}:{TOKEN}@/?timeout=5&max_attempts=2&page_size=10&allow_http=true&client_id=7")
    assert (settings.timeout, settings.max_attempts, settings.page_size, settings.client_id) == (5, 2, 10, "7")


def test_what_airflow_writes_as_a_uri_is_read_back(read, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_ONE",
        json.dumps(
            {
                "conn_type": "tallyfy",
                "host": "http://127.0.0.1:8123/api",
                "login": ORG,
                "password": "s/p:e@c ial".replace(" ", ""),
                "extra": {"timeout": 7},
            }
        ),
    )
    settings = read(TallyfyHook.get_connection("one").get_uri())
    assert settings.base_url == "http://127.0.0.1:8123/api"
    assert settings.secret == "s/p:e@cial"
    assert settings.timeout == 7


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ({"password": TOKEN}, "names no organization: put the organization's id into its login"),
        ({"login": " ", "password": TOKEN}, "names no organization"),
        ({"login": ORG}, "has no access token: put one into its password"),
        ({"login": ORG, "password": f"Bearer {TOKEN}"}, "begins with 'Bearer': leave that word out"),
        ({"login": ORG, "password": "two words"}, "has blanks, line breaks or characters that no token has"),
        ({"login": ORG, "password": "tökén-of-mine"}, "has blanks, line breaks or characters that no token has"),
        ({"host": "http://tallyfy.example", "login": ORG, "password": TOKEN}, "not sent over plain http"),
        ({"host": "ftp://tallyfy.example", "login": ORG, "password": TOKEN}, "must be an https address"),
        ({"host": "https://", "login": ORG, "password": TOKEN}, "must be an https address"),
        ({"host": "https://u:p@h.example", "login": ORG, "password": TOKEN}, "holds more than an address"),
        ({"host": "https://h.example/api?x=1", "login": ORG, "password": TOKEN}, "holds more than an address"),
        ({"host": "https://h.example:port", "login": ORG, "password": TOKEN}, "is no address"),
        ({"login": ORG, "password": TOKEN, "extra": {"timeout": "soon"}}, "'timeout' of connection"),
        ({"login": ORG, "password": TOKEN, "extra": {"timeout": 0}}, "takes a number from 0.001 to 3600, not 0"),
        ({"login": ORG, "password": TOKEN, "extra": {"max_attempts": 1.5}}, "a whole number from 1 to 100"),
        ({"login": ORG, "password": TOKEN, "extra": {"page_size": 500}}, "a whole number from 1 to 100, not 500"),
        ({"login": ORG, "password": TOKEN, "extra": {"concurrency": True}}, "a whole number from 1 to 32"),
        ({"login": ORG, "password": TOKEN, "extra": {"allow_http": "perhaps"}}, "takes true or false"),
        ({"login": ORG, "password": TOKEN, "extra": {"client_id": ["1"]}}, "takes text"),
        ({"login": ORG, "password": TOKEN, "extra": {"username": "jo"}}, "has a username but no client_id"),
        ({"login": ORG, "password": TOKEN, "extra": {"client_id": 1, "username": "jo"}}, "but not 'user_password'"),
        ({"login": ORG, "password": TOKEN, "extra": {"client_id": 1, "user_password": "pw-pw"}}, "but not 'username'"),
        (
            {"login": ORG, "password": TOKEN, "extra": {"client_id": 1, "token_url": "http://h.example/t"}},
            "extra 'token_url' of connection 'tallyfy_default' is http://h.example",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named_with_the_way_out(read, connection, words):
    with pytest.raises(TallyfyConfigurationError) as raised:
        read(connection)
    assert words in str(raised.value)
    for secret in (TOKEN, "two words", "tökén", "pw-pw", "u:p@"):
        assert secret not in str(raised.value)


@pytest.mark.parametrize(("extra", "words"), [("no json", "is not valid JSON"), ("[1]", "must be a JSON object")])
def test_an_extra_that_is_no_object_is_named(monkeypatch, extra, words):
    if AIRFLOW_V_3_0_PLUS and not AIRFLOW_V_3_2_PLUS:
        # These say that there is no such connection, and keep the reason to themselves.
        words = "or its extra is no JSON object"
    fields = {"conn_type": "tallyfy", "login": ORG, "password": TOKEN, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", json.dumps(fields))
    with pytest.raises(TallyfyError, match=words) as raised:
        TallyfyHook().get_conn()
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("stored", [f"tallyfy://{ORG}:a-token/with-a-slash@", f'{{"password": "{TOKEN}"'])
def test_the_message_about_a_connection_that_cannot_be_read_says_how_to_write_it(monkeypatch, stored):
    monkeypatch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", stored)
    with pytest.raises(TallyfyError, match="percent-encoded") as raised:
        TallyfyHook().get_conn()
    assert TOKEN not in str(raised.value)
    assert "a-token" not in str(raised.value)


def test_plain_http_is_allowed_to_this_machine_and_where_it_is_wanted(read):
    for host in ("http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"):
        assert read({"host": host, "login": ORG, "password": TOKEN}).base_url == host
    settings = read({"host": "http://t.example", "login": ORG, "password": TOKEN, "extra": {"allow_http": True}})
    assert settings.base_url == "http://t.example"


def test_a_misspelt_extra_is_reported(read, monkeypatch):
    connection = {"conn_type": "tallyfy", "login": ORG, "password": TOKEN, "extra": {"clientid": 1, "team": "x"}}
    monkeypatch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", json.dumps(connection))
    assert misspelt_extras(TallyfyHook.get_connection("tallyfy_default")) == [
        "The extra 'clientid' of connection 'tallyfy_default' is not used; did you mean 'client_id'?"
    ]


def test_whoever_wants_no_certificates_verified_is_told_what_to_do(read, monkeypatch):
    connection = {"conn_type": "tallyfy", "login": ORG, "password": TOKEN, "extra": {"verify": False}}
    monkeypatch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", json.dumps(connection))
    (sentence,) = misspelt_extras(TallyfyHook.get_connection("tallyfy_default"))
    assert sentence.startswith(
        "The extra 'verify' of connection 'tallyfy_default' is not used: certificates are always"
    )
    assert "Set REQUESTS_CA_BUNDLE" in sentence


def test_a_token_copied_with_a_line_break_is_still_good(read):
    assert read({"login": f" {ORG}\n", "password": f"{TOKEN}\n"}).secret == TOKEN


def test_the_form_names_the_defaults_that_are_used():
    for name in ("timeout", "max_attempts", "concurrency", "page_size", "max_rate_limit_wait"):
        default = getattr(ClientSettings, name)
        assert f"default {default:g}." in CONNECTION_FIELDS[name]["description"]
