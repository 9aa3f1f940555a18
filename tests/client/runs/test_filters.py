"""Filters: validated early, encoded for Tallyfy, and checked against the rows."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyfy_provider.client.runs.filter_check import FilterCheck
from tallyfy_provider.client.runs.filters import RUN_FILTERS, RunFilters, encode
from tallyfy_provider.exceptions import TallyfyInputError

NAMES = RunFilters.__required_keys__ | RunFilters.__optional_keys__


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("owner", "owners"),
        ("Status", "status"),
        ("checklist", "checklist_id"),
        ("tags", "tag"),
        ("limit", "per_page"),
        ("search", "q"),
        ("template_id", "checklist_id"),
        ("order_by", "sort"),
    ],
)
def test_an_unknown_name_is_refused_with_a_suggestion(wrong, right):
    with pytest.raises(TallyfyInputError, match="is not a Tallyfy filter") as refused:
        RUN_FILTERS.check_names({wrong: "x"})
    assert f"filters[{wrong!r}]" in str(refused.value)
    assert f"did you mean {right!r}?" in str(refused.value)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"zzzzzz": 1}, "the filters are q, status, archived"),
        ({"status": "completed"}, "filters['status'] cannot be 'completed'; did you mean 'complete'?"),
        ({"status": "done"}, "allowed: active, delayed, problem"),
        ({"type": "checklist"}, "allowed: procedure, form"),
        ({"task_status": "done"}, "allowed: all, in-progress, completed"),
        ({"task_status": ["all", "completed"]}, "takes one value, not 2"),
        ({"sort": "-updated_at"}, "did you mean '-created_at'?"),
        ({"starred": "yes"}, "filters['starred'] takes true or false, not 'yes'"),
        ({"untagged": 1}, "filters['untagged'] takes true or false, not 1"),
        ({"archived": "both"}, "allowed: only, true"),
        ({"owners": "jo@example.com"}, "numeric user ids, not 'jo@example.com'"),
        ({"owners": [1, None, "x"]}, "numeric user ids, not 'x'"),
        ({"owners": "[1, 2]"}, "is the text of a list"),
        ({"tag": "{'id': 1}"}, "is the text of a dict"),
        ({"folder": "<generator object sync_do_map at 0x7f0e09df4bd0>"}, "is the text of a generator"),
        ({"page": 0}, "a whole number from 1, not 0"),
        ({"page": "1.5"}, "a whole number from 1, not '1.5'"),
        ({"page": True}, "a whole number from 1, not True"),
        ({"page": "²"}, "a whole number from 1, not '²'"),
        ({"per_page": 101}, "a whole number from 1 to 100, not 101"),
        ({"q": ["a"]}, "takes text"),
        ({"q": datetime(2026, 1, 1)}, "takes text"),
        ({"folder": {"id": 1}}, "not {'id': 1}"),
        ({"tag": 1.5}, "not 1.5"),
        ({"status": ["active", "archived"]}, "cannot be mixed with other statuses"),
        ({"checklist_id": "a", "blueprint_id": "b"}, "The filters 'blueprint_id' and 'checklist_id' mean the same"),
        ({"sort_by": "name", "sort": "-name"}, "The filters 'sort' and 'sort_by' mean the same"),
        ("status=active", "filters takes a dict of names to values"),
        ("{'status': 'active'}", "filters is the text of a dict"),
        ({"status": {"active", "delayed"}}, "filters['status'] is a set, which has no order"),
    ],
)
def test_an_invalid_filter_is_refused(filters, message):
    with pytest.raises(TallyfyInputError) as raised:
        encode(filters)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("filters", "sent"),
    [
        ({"owners": [12, "13"]}, {"owners": "12,13"}),
        ({"starred": True, "untagged": "False"}, {"starred": "true", "untagged": "false"}),
        ({"tag_ids": ("a", "b"), "groups": ["c"]}, {"tag_ids": "a,b", "groups": "c"}),
        ({"folder": " x , y "}, {"folder": "x,y"}),
        ({"with": ["tasks", "tags"]}, {"with": "tasks,tags"}),
        ({"status": "archived"}, {"archived": "only"}),
        ({"archived": True, "status": "complete"}, {"archived": "true", "status": "complete"}),
        ({"archived": "only"}, {"archived": "only"}),
        ({"archived": False}, {}),
        ({"q": "Müller & Söhne, 2026 "}, {"q": "Müller & Söhne, 2026 "}),
        ({"q": 2026}, {"q": "2026"}),
        ({"blueprint_id": "abc", "sort_by": "-name"}, {"checklist_id": "abc", "sort": "-name"}),
        ({"sort": "+created_at"}, {"sort": "created_at"}),
        ('{"status": "active"}', {"status": "active"}),
        (None, {}),
        ("None", {}),
        (" ", {}),
    ],
)
def test_filters_are_encoded_for_tallyfy(filters, sent):
    assert encode(filters).params == sent


def test_exactly_the_names_of_the_typed_dict_are_known():
    RUN_FILTERS.check_names(dict.fromkeys(NAMES))
    assert set(RUN_FILTERS.readers) == NAMES


@pytest.mark.parametrize("nothing", ["", "  ", None, "None", [], [""], [None], ", ,"])
@pytest.mark.parametrize("name", ["status", "owners", "checklist_id", "tag", "sort", "with"])
def test_an_empty_value_is_not_sent_and_noted(name, nothing):
    query = encode({name: nothing})
    assert query.params == {}
    assert len(query.notes) == 1
    assert f"filters[{name!r}]" in query.notes[0]
    assert "not sent" in query.notes[0]


def test_the_page_is_not_a_parameter():
    query = encode({"page": "3", "per_page": "20", "status": "active"})
    assert (query.page, query.per_page, dict(query.params)) == (3, 20, {"status": "active"})


@pytest.mark.parametrize(
    ("filters", "sent", "note"),
    [
        ({"status": ["active", "delayed"]}, {"status": "active,delayed"}, "documents one value"),
        ({"with": "taks"}, {"with": "taks"}, "did you mean 'tasks'?"),
    ],
)
def test_undocumented_values_are_sent_with_a_note(filters, sent, note):
    query = encode(filters)
    assert query.params == sent
    assert note in query.notes[0]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.binary(max_size=3)
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
names = st.sampled_from(sorted(NAMES))


@given(st.dictionaries(names, values, max_size=4))
def test_any_value_is_either_sent_as_text_or_refused_by_name(filters):
    try:
        query = encode(filters)
    except TallyfyInputError as refused:
        message = str(refused)
    else:
        assert all(isinstance(value, str) and value for value in query.params.values())
        return
    assert any(repr(name) in message for name in filters)


def mismatches(asked, *runs):
    check = FilterCheck(encode(asked).asked)
    for run in runs:
        check.check(run)
    return [str(mismatch) for mismatch in check.mismatches]


def test_rows_with_another_status_are_counted_with_one_example():
    names = enumerate(["complete", "active", "active"], 1)
    found = mismatches({"status": "complete"}, *({"id": n, "name": f"run {n}", "status": each} for n, each in names))
    assert found == [
        "2 of the runs came back although filters['status'] does not allow them, "
        "for example run 2 ('run 2') with status 'active'. Tallyfy ignores filters that it does not understand."
    ]


@pytest.mark.parametrize(
    ("asked", "run", "count"),
    [
        ({"status": "problem"}, {"id": 1, "status": "issue"}, 0),
        ({"status": "active"}, {"id": 1, "status": "in-progress"}, 0),
        ({"status": "archived"}, {"id": 1, "status": "active", "archived_at": "2026-01-01"}, 0),
        ({"status": "complete", "archived": "true"}, {"id": 1, "status": "archived", "archived_at": "2026-01-01"}, 0),
        ({"status": "starred"}, {"id": 1, "status": "active"}, 0),
        ({"status": ["active", "delayed"]}, {"id": 1, "status": "delayed"}, 0),
        ({"status": "active"}, {"id": 1}, 0),
        ({"checklist_id": 7}, {"id": 1, "checklist_id": "7"}, 0),
        ({"type": "form"}, {"id": 1, "type": None}, 0),
        ({"status": "issue"}, {"id": 1, "status": "problem"}, 1),
        ({"status": "archived"}, {"id": 1, "status": "active", "archived_at": None}, 1),
        ({"archived": "only"}, {"id": 1, "status": "active", "archived_at": None}, 1),
        ({"checklist_id": "7"}, {"id": 1, "checklist_id": 8}, 1),
        ({"type": "form"}, {"id": 1, "type": "procedure"}, 1),
    ],
)
def test_rows_that_the_filters_exclude_are_counted(asked, run, count):
    assert len(mismatches(asked, run)) == count
