"""Filters: refused early, sent in Tallyfy's form, and held against the rows."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyfy_provider.client.runs.filter_check import FilterCheck
from tallyfy_provider.client.runs.filters import RUN_FILTERS, RunFilters, encode
from tallyfy_provider.exceptions import TallyfyInputError

NAMES = RunFilters.__required_keys__ | RunFilters.__optional_keys__


def params(**filters):
    return dict(encode(filters).params)


def refusal(filters):
    with pytest.raises(TallyfyInputError) as refused:
        encode(filters)
    return str(refused.value)


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
def test_an_unknown_name_is_refused_with_the_nearest_right_one(wrong, right):
    with pytest.raises(TallyfyInputError, match="is not a Tallyfy filter") as refused:
        RUN_FILTERS.check_names({wrong: "x"})
    assert f"filters[{wrong!r}]" in str(refused.value)
    assert f"did you mean {right!r}?" in str(refused.value)


def test_a_name_like_no_other_is_refused_with_the_whole_list():
    assert "the filters are q, status, archived" in refusal({"zzzzzz": 1})


@pytest.mark.parametrize(
    ("filters", "said"),
    [
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
        ({"page": 0}, "a whole number from 1, not 0"),
        ({"page": "1.5"}, "a whole number from 1, not '1.5'"),
        ({"page": True}, "a whole number from 1, not True"),
        ({"page": "²"}, "a whole number from 1, not '²'"),
        ({"per_page": 101}, "a whole number from 1 to 100, not 101"),
        ({"q": ["a"]}, "takes text"),
        ({"folder": {"id": 1}}, "not {'id': 1}"),
        ({"tag": 1.5}, "not 1.5"),
        ({"status": ["active", "archived"]}, "cannot be mixed with other statuses"),
        ({"checklist_id": "a", "blueprint_id": "b"}, "The filters 'blueprint_id' and 'checklist_id' mean the same"),
        ({"sort_by": "name", "sort": "-name"}, "The filters 'sort' and 'sort_by' mean the same"),
        ("status=active", "filters must be a dict"),
    ],
)
def test_a_wrong_value_is_refused_with_name_value_and_what_is_allowed(filters, said):
    assert said in refusal(filters)


def test_lists_become_comma_separated_and_booleans_words():
    assert params(owners=[12, "13"], starred=True, untagged="False") == {
        "owners": "12,13",
        "starred": "true",
        "untagged": "false",
    }
    assert params(tag_ids=("a", "b"), groups={"c"}, folder=" x , y ") == {
        "tag_ids": "a,b",
        "groups": "c",
        "folder": "x,y",
    }
    assert params(**{"with": ["tasks", "tags"]}) == {"with": "tasks,tags"}


def test_every_name_of_the_typed_dict_is_taken_and_no_other():
    RUN_FILTERS.check_names(dict.fromkeys(NAMES))
    assert set(RUN_FILTERS.readers) == NAMES


@pytest.mark.parametrize("nothing", ["", "  ", None, "None", [], [""], [None], ", ,"])
@pytest.mark.parametrize("name", ["status", "owners", "checklist_id", "tag", "sort", "with"])
def test_what_renders_to_nothing_is_not_sent_and_noted(name, nothing):
    query = encode({name: nothing})
    assert query.params == {}
    assert len(query.notes) == 1
    assert f"filters[{name!r}]" in query.notes[0]
    assert "not sent" in query.notes[0]


def test_archived_runs_are_asked_for_the_way_that_works():
    assert params(status="archived") == {"archived": "only"}
    assert params(archived=True, status="complete") == {"archived": "true", "status": "complete"}
    assert params(archived="only") == {"archived": "only"}
    assert params(archived=False) == {}


def test_text_is_sent_as_it_is():
    assert params(q="Müller & Söhne, 2026 ") == {"q": "Müller & Söhne, 2026 "}
    assert params(q=2026) == {"q": "2026"}


def test_aliases_are_sent_by_their_first_name():
    assert params(blueprint_id="abc", sort_by="-name") == {"checklist_id": "abc", "sort": "-name"}
    assert params(sort="+created_at") == {"sort": "created_at"}


def test_a_page_is_taken_out_of_what_is_sent():
    query = encode({"page": "3", "per_page": "20", "status": "active"})
    assert (query.page, query.per_page, dict(query.params)) == (3, 20, {"status": "active"})


def test_several_statuses_are_sent_with_a_note_of_doubt():
    query = encode({"status": ["active", "delayed"]})
    assert query.params == {"status": "active,delayed"}
    assert "documents one value" in query.notes[0]


def test_an_include_that_is_not_documented_is_sent_with_a_suggestion():
    query = encode({"with": "taks"})
    assert query.params == {"with": "taks"}
    assert "did you mean 'tasks'?" in query.notes[0]


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
def test_whatever_comes_is_either_sent_as_text_or_refused_by_name(filters):
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
    found = mismatches(
        {"status": "complete"},
        {"id": "1", "name": "A", "status": "complete"},
        {"id": "2", "name": "B", "status": "active"},
        {"id": "3", "name": "C", "status": "active"},
    )
    assert found == [
        "2 of the runs came back although filters['status'] does not allow them, "
        "for example run 2 ('B') with status 'active'. Tallyfy ignores filters that it does not understand."
    ]


@pytest.mark.parametrize(
    ("asked", "run"),
    [
        ({"status": "problem"}, {"id": 1, "status": "issue"}),
        ({"status": "active"}, {"id": 1, "status": "in-progress"}),
        ({"status": "archived"}, {"id": 1, "status": "active", "archived_at": "2026-01-01"}),
        ({"status": "complete", "archived": "true"}, {"id": 1, "status": "archived", "archived_at": "2026-01-01"}),
        ({"status": "starred"}, {"id": 1, "status": "active"}),
        ({"status": ["active", "delayed"]}, {"id": 1, "status": "delayed"}),
        ({"status": "active"}, {"id": 1}),
        ({"checklist_id": 7}, {"id": 1, "checklist_id": "7"}),
        ({"type": "form"}, {"id": 1, "type": None}),
    ],
)
def test_rows_that_tallyfy_may_rightly_give_are_not_counted(asked, run):
    assert mismatches(asked, run) == []


@pytest.mark.parametrize(
    ("asked", "run"),
    [
        ({"status": "issue"}, {"id": 1, "status": "problem"}),
        ({"status": "archived"}, {"id": 1, "status": "active", "archived_at": None}),
        ({"archived": "only"}, {"id": 1, "status": "active", "archived_at": None}),
        ({"checklist_id": "7"}, {"id": 1, "checklist_id": 8}),
        ({"type": "form"}, {"id": 1, "type": "procedure"}),
    ],
)
def test_rows_that_were_not_asked_for_are_counted(asked, run):
    assert len(mismatches(asked, run)) == 1


def test_a_date_is_no_filter_value():
    assert "takes text" in refusal({"q": datetime(2026, 1, 1)})
