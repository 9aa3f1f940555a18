"""Invalid requests are refused the way Tallyfy refuses them."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("base", ["", "/api"])
def test_both_documented_bases_work(seeded, base):
    for path in ("/me", seeded.organization, seeded.runs_path):
        assert seeded.get(base + path).status_code == 200


def test_a_missing_client_header_hides_the_endpoint(seeded):
    headers = {name: value for name, value in seeded.headers.items() if name != "X-Tallyfy-Client"}
    answer = seeded.get(seeded.runs_path, headers=headers)

    assert answer.status_code == 404
    assert answer.json().items() >= {"error": True, "code": "ENDPOINT_NOT_FOUND"}.items()
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/", "ENDPOINT_NOT_FOUND"),
        ("GET", "/nothing", "ENDPOINT_NOT_FOUND"),
        ("GET", "/organizations", "ENDPOINT_NOT_FOUND"),
        ("GET", "/me/", "ENDPOINT_NOT_FOUND"),
        ("GET", "/api/nothing", "ENDPOINT_NOT_FOUND"),
        ("PATCH", "{runs}", "ENDPOINT_NOT_FOUND"),
        ("GET", f"/organizations/{'f' * 32}", "RESOURCE_NOT_FOUND"),
        ("GET", f"/organizations/{'f' * 32}/runs", "RESOURCE_NOT_FOUND"),
        ("GET", f"/organizations/{'f' * 32}/runs/0123", "RESOURCE_NOT_FOUND"),
        ("GET", f"{{runs}}/{'f' * 32}", "RESOURCE_NOT_FOUND"),
    ],
)
def test_unknown_endpoints_and_resources_are_not_found(seeded, method, path, code):
    answer = seeded.ask(method, path.format(runs=seeded.runs_path))

    assert answer.status_code == 404
    assert (answer.json()["error"], answer.json()["code"]) == (True, code)


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_errors_are_html_unless_json_is_accepted(seeded, accept):
    answer = seeded.get(seeded.runs_path + "/unknown", headers=seeded.headers | {"Accept": accept})

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_a_body_must_be_json_and_no_body_needs_no_content_type(emulator, caller):
    path = f"{caller.runs_path}/{emulator.add_run()['id']}"

    headers = caller.headers | {"Content-Type": "text/plain"}
    assert caller.ask("DELETE", path, data="a=b", headers=headers).status_code == 415
    assert emulator.run(path.rpartition("/")[2])["archived_at"] is None
    assert caller.ask("DELETE", path, json={}).status_code == 200
    assert caller.ask("PUT", path + "/activate").status_code == 200


def test_every_answer_has_its_own_request_id(seeded):
    answers = [seeded.get("/me"), seeded.get("/nothing"), seeded.get("/me", headers={})]

    identifiers = [answer.headers["X-Request-Id"] for answer in answers]
    assert all(identifiers)
    assert len(set(identifiers)) == 3


def test_requests_are_recorded(emulator, caller):
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
