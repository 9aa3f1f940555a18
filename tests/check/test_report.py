"""A report tells nothing about the organization: it holds words of a fixed vocabulary, numbers and booleans."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from tallyfy_provider.check.facts.registry import FACTS
from tallyfy_provider.check.finding import Finding
from tallyfy_provider.check.report import build_json, build_list, build_report
from tallyfy_provider.check.runner import Outcome
from tallyfy_provider.check.vocabulary import OTHER, WORDS, allowed
from tallyfy_provider.client.http.responses import Response
from tests.check.conftest import Exchange, World

#: Strings of the emulator's world that are words of Tallyfy's API, or of the report's format, and so of nobody.
API_WORDS = {word.casefold() for word in WORDS} | {
    "admin",
    "standard",
    "light",
    "published",
    "days",
    "weeks",
    "from",
    "active",
    "member",
    "task",
    "user",
    "email",
    "procedure",
    "check",
}


def strings_in(value: Any, seen: set[int]) -> Iterator[str]:
    """Yield every string of an object, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (int, float, bytes, type(None))) or id(value) in seen:
        return
    else:
        seen.add(id(value))
        if isinstance(value, dict):
            for key, each in value.items():
                if not re.fullmatch("[a-z_]+", str(key)):  # else a name of the API's
                    yield from strings_in(key, seen)
                yield from strings_in(each, seen)
        elif isinstance(value, (list, tuple, set, frozenset)):
            for each in value:
                yield from strings_in(each, seen)
        elif is_dataclass(value):
            for each_field in fields(value):
                yield from strings_in(getattr(value, each_field.name, None), seen)


def strings_of(world: World) -> set[str]:
    """Every text that the emulator holds or answers with: names, addresses, titles, answers, ids and tokens."""
    organization = world.emulator._organization
    _, runs = organization.runs.snapshot()
    world.check()
    payloads = [response.payload for response in world.recorded.values() if isinstance(response, Response)]
    found = set(strings_in([organization.catalog, organization.credentials, runs, payloads], set()))
    found |= {str(person.id) for person in organization.catalog.people}
    return {text for text in found if len(text) > 3 and text.casefold() not in API_WORDS}


def test_nothing_of_the_organization_is_in_the_report_of_a_full_run(world: World) -> None:
    report = json.dumps(build_report(world.check_with_writes())).casefold()

    strings = strings_of(world)

    assert len(strings) > 400
    assert {
        "priya.raman@brightwater.example",
        "Brightwater Trading",
        "Customer onboarding – Fjord Energy",
        world.emulator.token,
    } <= strings
    assert sorted(text for text in strings if text.casefold() in report) == []


SECRET = "Zebra Holdings"


def secretly(value: Any) -> Any:
    """Put a secret into every text of a value, but the ids by which requests are made."""
    if isinstance(value, dict):
        return {key: each if key in ("id", "total") else secretly(each) for key, each in value.items()}
    if isinstance(value, list):
        return [secretly(each) for each in value]
    return SECRET if isinstance(value, str) else value


def test_whatever_tallyfy_writes_where_a_word_belongs_stays_out(world: World) -> None:
    def spoil(exchange: Exchange) -> None:
        if exchange.status and exchange.payload is not None:
            exchange.__dict__["payload"] = secretly(exchange.payload)

    outcome = world.check_with_writes(spoil)

    assert outcome.count("differs") > 20
    assert SECRET not in json.dumps(build_report(outcome))
    assert SECRET in json.dumps(build_json(outcome))  # it is the user's own terminal, and shows what was seen


def test_keys_that_tallyfy_writes_stay_out(world: World) -> None:
    def spoil(exchange: Exchange) -> None:
        if exchange.status and exchange.payload is not None:
            for row in exchange.rows:
                row.update({SECRET: 1, "prerun": {SECRET: "x"}, "progress": {SECRET: 1}, "owners": {SECRET: []}})
            if isinstance(exchange.payload.get("meta"), dict):
                exchange.payload["meta"]["pagination"]["links"] = {SECRET: "x"}
            exchange.payload["errors"] = {SECRET: ["x"]}

    assert SECRET not in json.dumps(build_report(world.check(spoil)))


def test_no_finding_on_a_healthy_organization_holds_a_word_that_is_not_known(world: World) -> None:
    report = build_report(world.check_with_writes())

    assert OTHER not in json.dumps(report)


def test_any_value_is_cut_down_to_the_vocabulary() -> None:
    seen = {"a": ["active", SECRET, {"b": SECRET}], "c": object(), "d": (1, 2.5, None, True)}

    assert allowed(seen) == {"a": ["active", OTHER, {"b": OTHER}], "c": OTHER, "d": [1, 2.5, None, True]}


def test_notes_are_for_people_and_in_no_report() -> None:
    outcome = Outcome(((FACTS[0], Finding("differs", {"a": 1}, f"Not known: {SECRET}")),), 1, 0.1, False)

    assert SECRET in json.dumps(build_json(outcome))
    assert SECRET not in json.dumps(build_report(outcome))


@pytest.mark.parametrize("build", [build_report, build_json])
def test_the_format_is_what_is_documented(world: World, build: Any) -> None:
    report = build(world.check(only=["links", "me"]))

    assert list(report) == ["format", "provider", "with_writes", "requests", "seconds", "answers", "facts"]
    assert report["answers"] == {"holds": 2, "differs": 0, "cannot tell": 0, "not allowed": 0}
    assert report["facts"]["links"]["seen"] == {"links": ["[]", "next"]}
    people = {"subject", "title", "section", "note"} if build is build_json else set()
    assert set(report["facts"]["links"]) == {"answer", "seen", "quirks"} | people
    assert set(report["facts"]["me"]) == {"answer", "seen"} | people


def test_the_list_of_facts_has_all_of_them() -> None:
    assert list(build_list(FACTS)["facts"]) == [fact.id for fact in FACTS]
