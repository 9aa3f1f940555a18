"""Looking up by name: an exact match goes before a match in another case."""

from __future__ import annotations

import pytest

from tallyfy_provider.client.names import find_by_name, suggest

STEPS = [
    {"id": "a", "alias": "sign", "title": "Sign  it"},
    {"id": "b", "alias": None, "title": "Sign"},
    {"id": "c", "alias": "SIGN", "title": "pay"},
    {"id": "d", "title": "Pay"},
]


@pytest.mark.parametrize(
    ("name", "ids"),
    [("a", "a"), ("sign", "a"), ("SIGN", "c"), ("Sign", "b"), ("sign it", "a"), ("PAY", "cd"), ("A", ""), ("", "")],
)
def test_a_name_means_the_surest_matches(name, ids):
    assert [step["id"] for step in find_by_name(STEPS, name, ("id", "alias", "title"))] == list(ids)


def test_the_nearest_name_is_suggested():
    assert suggest(STEPS, "sing it", ("alias", "title")) == "; did you mean 'Sign it'?"
    assert suggest(STEPS, "zzz", ("alias", "title")) == ""
