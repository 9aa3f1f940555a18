"""Requests that are not quite right are refused, in the way that Tallyfy refuses them."""

from __future__ import annotations

import pytest

ENDPOINT_NOT_FOUND = {"error": True, "code": "ENDPOINT_NOT_FOUND"}


@pytest.mark.parametrize("base", ["", "/api"])
def test_both_documented_bases_work(seeded, base):
    for path in ("/me", seeded.organization, seeded.runs_path):
        assert seeded.get(base + path).status_code == 200


def without(seeded, header):
    return {name: value for name, value in seeded.headers.items() if name != header}


def test_a_missing_client_header_hides_the_endpoint(seeded):
    answer = seeded.get(seeded.runs_path, headers=without(seeded, "X-Tallyfy-Client"))

    assert answer.status_code == 404
    assert answer.json().items() >= ENDPOINT_NOT_FOUND.items()
    assert answer.json()["message"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/organizations", "/me/", "/api/nothing"])
def test_an_unknown_path_is_no_endpoint(seeded, path):
    answer = seeded.get(path)

    assert answer.status_code == 404
    assert answer.json().items() >= ENDPOINT_NOT_FOUND.items()


def test_an_unknown_method_is_no_endpoint(seeded):
    answer = seeded.ask("PATCH", seeded.runs_path)

    assert answer.status_code == 404
    assert answer.json()["code"] == "ENDPOINT_NOT_FOUND"


@pytest.mark.parametrize("path", ["", "/runs", "/runs/0123"])
def test_another_organization_is_not_found(seeded, path):
    answer = seeded.get(f"/organizations/{'f' * 32}{path}")

    assert answer.status_code == 404
    assert answer.json()["code"] == "RESOURCE_NOT_FOUND"


def test_an_unknown_run_is_not_found(seeded):
    answer = seeded.run("f" * 32)

    assert answer.status_code == 404
    assert answer.json()["code"] == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_who_does_not_ask_for_json_gets_errors_as_html(seeded, accept):
    answer = seeded.get(seeded.runs_path + "/unknown", headers=seeded.headers | {"Accept": accept})

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_a_body_must_be_json_and_no_body_needs_no_content_type(emulator, caller):
    path = f"{caller.runs_path}/{emulator.add_run()['id']}"

    assert (
        caller.ask("DELETE", path, data="a=b", headers=caller.headers | {"Content-Type": "text/plain"}).status_code
        == 415
    )
    assert emulator.run(path.rpartition("/")[2])["archived_at"] is None
    assert caller.ask("DELETE", path, json={}).status_code == 200
    assert caller.ask("PUT", path + "/activate").status_code == 200


def test_every_answer_has_its_own_request_id(seeded):
    answers = [seeded.get("/me"), seeded.get("/nothing"), seeded.get("/me", headers={})]

    identifiers = [answer.headers["X-Request-Id"] for answer in answers]
    assert all(identifiers)
    assert len(set(identifiers)) == 3


def test_requests_are_recorded_as_they_came(emulator, caller):
    caller.get(caller.runs_path, "q=a%20b+c&page=2&page=3")
    caller.ask("DELETE", f"{caller.runs_path}/unknown", json={"why": "test"})

    listed, archived = emulator.requests
    assert (listed.method, listed.path, listed.status) == ("GET", caller.runs_path, 200)
    assert listed.query == {"q": "a b+c", "page": "3"}
    assert listed.headers["x-tallyfy-client"] == "APIClient"
    assert listed.at == emulator.requests[0].at
    assert (archived.method, archived.status, archived.body) == ("DELETE", 404, b'{"why": "test"}')

    emulator.clear_requests()
    assert emulator.requests == []
