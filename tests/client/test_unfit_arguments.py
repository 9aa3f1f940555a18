"""Ids, texts and numbers that nothing could be asked with: refused as what they are, and nothing is sent."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from tallyfy_provider.client.filtering import whole_number
from tallyfy_provider.exceptions import TallyfyConfigurationError, TallyfyError, TallyfyInputError
from tallyfy_provider.hooks.connection import read_connection
from tallyfy_provider.utils import arguments
from tests.in_memory import answer_with

HALF, NUL, LINE = "\ud800", "a\x00b", "a\nb"
RUN = "a" * 32


@pytest.fixture
def sent(monkeypatch):
    """What was asked of a Tallyfy that answers anything."""
    sent = []

    def handler(method, path, query, body):
        sent.append(path)
        return 200, {"data": {"id": RUN, "users": [], "groups": [], "threads": []}}, {}

    answer_with(monkeypatch, handler)
    return sent


WAYS = {
    "get": lambda client, unfit: client.runs.get(unfit),
    "find": lambda client, unfit: client.runs.find(unfit),
    "archive": lambda client, unfit: client.runs.archive(unfit),
    "update": lambda client, unfit: client.runs.update(unfit, {"name": "x"}),
    "tasks": lambda client, unfit: list(client.tasks.list_of_run(unfit)),
    "task": lambda client, unfit: client.tasks.get(unfit, RUN),
    "complete": lambda client, unfit: client.tasks.complete(unfit, RUN),
    "checklist": lambda client, unfit: client.checklists.get(unfit),
    "comment": lambda client, unfit: client.comments.add_to_run(unfit, "x"),
    "request": lambda client, unfit: client.request("POST", f"runs/{unfit}"),
}


@pytest.mark.parametrize("unfit", [HALF, NUL, LINE, "", "..", "\x7f", "\x85"])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_what_is_no_id_is_refused(client_of, sent, way, unfit):
    with pytest.raises(TallyfyInputError):
        WAYS[way](client_of(), unfit)
    assert sent == []


TEXTS = {
    "filter": lambda client: list(client.runs.list({"q": HALF})),
    "include": lambda client: client.runs.get(RUN, include=[HALF]),
    "parameter": lambda client: client.request("GET", "runs", params={"q": HALF}),
    "name of a parameter": lambda client: client.request("GET", "runs", params={HALF: "q"}),
    "comment": lambda client: client.comments.add_to_run(RUN, HALF),
    "body": lambda client: client.request("POST", "runs", json={"name": ["x", {"a": HALF}]}),
    "key of a body": lambda client: client.request("POST", "runs", json={HALF: 1}),
    "launch": lambda client: client.runs.launch({"checklist_id": RUN, "name": HALF}),
}


@pytest.mark.parametrize("way", sorted(TEXTS))
def test_half_a_character_is_refused(client_of, sent, way):
    with pytest.raises(TallyfyInputError):
        TEXTS[way](client_of())
    assert sent == []


def test_a_whole_character_of_two_halves_is_sent(client_of, sent):
    client_of().request("POST", "runs", json={"name": "\U0001f600 \\ud800"})
    assert len(sent) == 1


@pytest.mark.parametrize("email", [HALF, LINE, ""])
def test_a_user_that_is_none_is_refused(client_of, email):
    with pytest.raises(TallyfyError):
        client_of(client_id="1", act_as_user=email or " ").runs.get(RUN)


HUGE = [10**400, "9" * 400, 10**5000, -(10**5000)]


@pytest.mark.parametrize("value", HUGE, ids=range(len(HUGE)))
def test_a_number_beyond_all_bounds_is_refused(value):
    with pytest.raises(TallyfyInputError, match="max_runs takes a whole number from 1"):
        arguments.whole_number("max_runs", value)
    with pytest.raises(TallyfyInputError, match=r"filters\['page'\] takes a whole number"):
        whole_number()("page", value)


@pytest.mark.parametrize("value", [10**400, 10**5000, 1e300, timedelta.max, float("inf"), float("nan")], ids=range(6))
def test_a_duration_beyond_all_bounds_is_refused(value):
    with pytest.raises(TallyfyInputError, match=r"^timeout .* finite number"):
        arguments.seconds("timeout", value)


def test_a_hundred_years_are_long_enough():
    assert arguments.seconds("timeout", arguments.LONGEST) == arguments.LONGEST


@pytest.mark.parametrize(
    "extra",
    ['{"timeout": ' + "9" * 400 + "}", "[" * 100_000, '{"username": "\\ud800", "client_id": "1"}'],
    ids=["digits", "depth", "half a character"],
)
def test_an_extra_that_cannot_be_used_is_an_error_of_the_connection(extra):
    fields = {"conn_id": "x", "host": "", "schema": "", "port": None, "login": "org", "password": "secret"}
    with pytest.raises(TallyfyConfigurationError, match="connection 'x'"):
        read_connection(SimpleNamespace(**fields, extra=extra))
