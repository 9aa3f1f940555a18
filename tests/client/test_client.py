"""Requests to any endpoint, below the organization or the API's root, and never outside it."""

from __future__ import annotations

from datetime import date

import pytest

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.exceptions import (
    TallyfyIndeterminateError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyResponseError,
)


def test_a_path_is_within_the_organization_or_from_the_root(emulator, client):
    run = emulator.add_run(name="Contract review")
    assert client.request("GET", f"runs/{run['id']}")["data"]["name"] == "Contract review"
    assert client.request("get", "/me")["data"]["email"] == emulator.username
    assert client.request("GET", f"/organizations/{emulator.organization_id}")["data"]["id"] == emulator.organization_id


def test_the_query_is_encoded_for_tallyfy(emulator, client):
    params = {
        "starred": True,
        "owners": [1, 2],
        "q": "a b&c=ü",
        "since": date(2026, 10, 31),
        "nothing": None,
        "page": 1,
        "none_of_many": ["x", None],
    }
    client.request("GET", "runs", params=params)
    assert emulator.requests[-1].query == {
        "starred": "true",
        "owners": "1,2",
        "q": "a b&c=ü",
        "since": "2026-10-31",
        "page": "1",
        "none_of_many": "x",
    }


def test_the_parts_of_a_path_are_encoded(emulator, client):
    emulator.order(Fault(kind="status", status=200, body={"data": []}))
    client.request("GET", "guests/jo e%2f@x.example/tasks")
    assert emulator.requests[-1].path == f"/organizations/{emulator.organization_id}/guests/jo e%2f@x.example/tasks"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
def test_an_empty_answer_is_none(emulator, client, method):
    emulator.order(Fault(kind="status", status=204, body=""))
    assert client.request(method, "tags/1", json={"title": "x"}) is None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (
            "https://evil.example/me?code=guest-secret",
            r"a whole address \(https://evil\.example…\): leave out the host",
        ),
        ("//evil.example/guest-secret", r"a whole address \(https://evil\.example…\)"),
        ("runs/../../me", "leads elsewhere"),
        ("/organizations/../me", "leads elsewhere"),
        ("./runs", "leads elsewhere"),
        ("runs?status=guest-secret", r"'runs' is followed by a query .*params="),
        ("runs#guest-secret", "is followed by a fragment"),
        ("runs//export", "has an empty part: an id"),
        ("runs/", "has an empty part"),
        ("runs/ /export", "has an empty part"),
        ("organizations/abc/runs", r"leave out 'organizations/ID/'"),
        ("", "give one such as"),
        ("/", "give one such as"),
        (None, "give one such as"),
        (7, "give one such as"),
    ],
)
def test_an_invalid_path_is_refused_without_quoting_it(emulator, client, path, words):
    for ask in (lambda: client.request("GET", path), lambda: client.paginate(path)):
        with pytest.raises(TallyfyInputError, match=words) as raised:
            ask()
        assert "guest-secret" not in str(raised.value)
    assert emulator.requests == []


@pytest.mark.parametrize("method", ["HEAD", "get it", "", None])
def test_an_invalid_method_is_refused(emulator, client, method):
    with pytest.raises(TallyfyInputError, match="method is"):
        client.request(method, "runs")
    assert emulator.requests == []


@pytest.mark.parametrize("value", [{"a": 1}, b"bytes", object()])
def test_an_invalid_parameter_is_refused(emulator, client, value):
    with pytest.raises(TallyfyInputError, match=r"params\['x'\] takes text"):
        client.request("GET", "runs", params={"x": value})
    assert emulator.requests == []


@pytest.mark.parametrize(("method", "requests"), [("POST", 1), ("PATCH", 1), ("PUT", 3), ("DELETE", 3)])
def test_a_change_without_response_is_indeterminate(emulator, client, method, requests):
    emulator.order(Fault(kind="reset"))
    with pytest.raises(TallyfyIndeterminateError):
        client.request(method, "tags", json={"title": "x"})
    assert len(emulator.requests) == requests


def test_an_html_page_is_an_error(emulator, client):
    emulator.order(Fault(kind="html"))
    with pytest.raises(TallyfyResponseError, match="an HTML page instead of JSON"):
        client.request("GET", "runs")
    with pytest.raises(TallyfyIndeterminateError, match="an HTML page instead of JSON"):
        client.request("POST", "runs", json={})


def test_a_redirect_is_not_followed(emulator, client):
    emulator.order(Fault(kind="redirect", location="https://evil.example/"))
    with pytest.raises(TallyfyResponseError, match="which is not followed"):
        client.request("POST", "runs", json={})


def test_all_pages_are_read_each_row_once(emulator, client):
    ids = emulator.add_runs(25)
    emulator.quirks = Quirks(per_page_cap=10, links_keep_filters=False, link_base="https://evil.example")
    rows = list(client.paginate("runs", {"sort": "created_at", "starred": False}))
    assert [row["id"] for row in rows] == ids
    assert [request.query["page"] for request in emulator.requests] == ["1", "2", "3"]
    assert {request.query["starred"] for request in emulator.requests} == {"false"}


@pytest.mark.parametrize(
    ("params", "max_rows", "expected"),
    [({"page": 2, "per_page": 10}, None, slice(10, 20)), ({"per_page": 10}, 10, slice(0, 10))],
    ids=["page", "max_rows"],
)
def test_only_the_requested_page_or_rows_are_read(emulator, client, params, max_rows, expected):
    ids = emulator.add_runs(25)
    rows = client.paginate("runs", {"sort": "created_at", **params}, max_rows=max_rows)
    assert emulator.requests == []
    assert [row["id"] for row in rows] == ids[expected]
    assert len(emulator.requests) == 1


def test_a_list_without_end_is_an_error(emulator, client):
    emulator.add_runs(3)
    emulator.quirks = Quirks(endless=True)
    with pytest.raises(TallyfyResponseError, match=r"The list of rows of runs (has no end|does not move on)"):
        list(client.paginate("runs"))


def test_a_response_without_list_is_an_error(emulator, client):
    run = emulator.add_run()
    with pytest.raises(TallyfyResponseError, match="holds no list under 'data'"):
        list(client.paginate(f"runs/{run['id']}"))


@pytest.mark.parametrize("params", [{"page": 0}, {"page": "two"}, {"per_page": -1}, {"per_page": True}])
def test_an_invalid_page_is_refused(emulator, client, params):
    with pytest.raises(TallyfyInputError, match="takes a whole number from 1"):
        client.paginate("runs", params)
    assert emulator.requests == []


def test_an_unknown_endpoint_is_not_found(client):
    with pytest.raises(TallyfyNotFoundError):
        client.request("GET", "no-such-thing")
