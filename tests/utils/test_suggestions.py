"""Suggestions for names that are not known."""

from __future__ import annotations

import pytest

from tallyfy_provider.utils.suggestions import did_you_mean


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("owner", "; did you mean 'owners'?"),
        (" OWNER ", "; did you mean 'owners'?"),
        ("customer", "; did you mean 'Customer'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_nearest_choice_is_suggested(given, hint):
    assert did_you_mean(given, ["owners", "status", "Customer"]) == hint
