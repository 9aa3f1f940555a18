"""The rows of one run: every type of answer, and the odd forms in which Tallyfy may give them."""

from __future__ import annotations

import itertools
import json

import pytest

from tallyfy_provider.exceptions import TallyfyResponseError
from tallyfy_provider.tables.tables import TABLES, tables_named
from tallyfy_provider.tables.values import Misfits, json_as_given, read_given


def rows(table: str, run: dict) -> list[dict]:
    return list(TABLES[table].typed_rows({"id": "run", **run}, Misfits()))


def answers(field: dict, **run) -> list[dict]:
    """The rows of a kick-off form with one field."""
    return rows("answers", {"ko_form_fields": {"data": [{"id": "f", "label": "Field", **field}]}, **run})


OPTIONS = [{"id": 1, "text": "Red"}, {"id": 2, "text": "Dark blue"}]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", "plain", {"value_text": "plain"}),
        ("text", " -012.50 ", {"value_number": "-012.50"}),
        ("text", "1,234", {"value_text": "1,234", "value_number": None}),
        ("text", "1e5", {"value_number": None}),
        ("text", 12, {"value_text": "12", "value_number": "12"}),
        ("email", "12", {"value_text": "12", "value_number": None}),
        (
            "textarea",
            "<p>One &amp; <b>two</b></p><p>three<br>four</p>",
            {"value_text": "One & two\nthree\nfour", "value_json": '"<p>One &amp; <b>two</b></p><p>three<br>four</p>"'},
        ),
        ("textarea", "a < b and c > d", {"value_text": "a < b and c > d"}),
        ("date", "2026-10-31", {"value_date": "2026-10-31T00:00:00Z", "value_text": "2026-10-31"}),
        ("date", "2026-10-31T10:00:00.000+02:00", {"value_date": "2026-10-31T08:00:00Z"}),
        ("date", "0000-00-00 00:00:00", {"value_date": None, "value_text": "0000-00-00 00:00:00"}),
        ("radio", "Dark blue", {"value_text": "Dark blue", "option_ids": ["2"]}),
        ("dropdown", {"id": 1, "text": "Red"}, {"value_text": "Red", "option_ids": ["1"]}),
        ("dropdown", '{"id": 1, "text": "Red"}', {"value_text": "Red", "option_ids": ["1"]}),
        (
            "multiselect",
            [{"id": 1, "text": "Red", "selected": False}, {"id": 2, "text": "Dark blue", "selected": True}],
            {"value_text": "Dark blue", "option_ids": ["2"]},
        ),
        ("assignees_form", {"users": [7], "guests": ["a@b.example"], "groups": []}, {"value_text": "7, a@b.example"}),
        ("dropdown", 2, {"value_text": "Dark blue", "option_ids": ["2"]}),
        ("dropdown", {"id": "2"}, {"value_text": "Dark blue", "option_ids": ["2"]}),
        ("dropdown", {"id": None, "text": None}, {"value_text": None, "option_ids": []}),
        ("multiselect", [1, "2"], {"value_text": "Red, Dark blue", "option_ids": ["1", "2"]}),
        ("multiselect", {"1": {"id": 1, "text": "Red"}}, {"value_text": "Red", "option_ids": ["1"]}),
        ("multiselect", [{"id": 1, "text": "Red", "selected": False}], {"value_text": None, "option_ids": []}),
        (
            "assignees_form",
            {"users": [{"id": 7, "full_name": "Jo"}], "guests": [{"id": "open-sesame", "email": "a@b.example"}]},
            {
                "value_text": "Jo, a@b.example",
                "value_json": '{"users":[{"id":7,"full_name":"Jo"}],"guests":["a@b.example"]}',
            },
        ),
        ("assignees_form", {"users": [], "guests": [], "groups": []}, {"value_text": None}),
        ("text", read_given("12.50"), {"value_text": "12.50", "value_json": "12.50", "value_number": "12.50"}),
        ("file", [{"id": "x", "filename": "a.pdf"}, {"url": "https://b"}], {"value_text": "a.pdf, https://b"}),
        ("something_new", {"a": 1}, {"value_text": '{"a":1}', "value_json": '{"a":1}'}),
    ],
)
@pytest.mark.parametrize("key", ["field_value", "value"])
def test_an_answer_is_a_row_with_its_value_as_text_json_number_date_and_options(kind, value, expected, key):
    (row,) = answers({"field_type": kind, "options": OPTIONS, key: value})
    assert row.items() >= expected.items()
    assert (row["id"], row["form"], row["task_id"], row["field_type"]) == ("run:kickoff:f", "kickoff", None, kind)


@pytest.mark.parametrize(
    ("kind", "empty"),
    [
        *itertools.product(["text", "dropdown", "table"], [None, "", " \n", [], {}]),
        *itertools.product(["dropdown", "multiselect", "table", "file", "assignees_form"], ["[]", "{}", "null"]),
        ("table", [[]]),
    ],
)
def test_a_field_that_was_not_answered_is_a_row_without_value(kind, empty):
    (row,) = answers({"field_type": kind, "field_value": empty})
    assert [row[name] for name in row if name.startswith(("value", "table", "option"))] == [None] * 7


@pytest.mark.parametrize(
    ("value", "cells"),
    [
        (["Widget", "3"], [(1, "Item", "Widget", None), (1, "Count", "3", "3")]),
        ([{"Item": "Widget"}, {"Count": "3"}], [(1, "Item", "Widget", None), (1, "Count", "3", "3")]),
        ({"Item": "Widget", "Count": 3}, [(1, "Item", "Widget", None), (1, "Count", "3", "3")]),
        (
            [["A", "1"], ["B", ""]],
            [(1, "Item", "A", None), (1, "Count", "1", "1"), (2, "Item", "B", None), (2, "Count", None, None)],
        ),
        (
            [["A"], ["B", "1", "2"], [], None],
            [(1, "Item", "A", None), (2, "Item", "B", None), (2, "Count", "1", "1"), (2, "3", "2", "2")],
        ),
        ([{"Item": "A"}, {"Item": "B"}], [(1, "Item", "A", None), (2, "Item", "B", None)]),
        ([{"2": "3", "1": "A"}], [(1, "Count", "3", "3"), (1, "Item", "A", None)]),
        ({"2": "3", "1": "A"}, [(1, "Count", "3", "3"), (1, "Item", "A", None)]),
        ('[["A", 1.50]]', [(1, "Item", "A", None), (1, "Count", "1.50", "1.50")]),
        (["A", "B", "C"], [(1, "Item", "A", None), (1, "Count", "B", None), (1, "3", "C", None)]),
    ],
)
def test_a_table_that_was_answered_is_a_row_for_each_cell(value, cells):
    columns = [{"id": 1, "label": "Item"}, {"id": 2, "label": "Count"}]
    found = answers({"field_type": "table", "columns": columns, "field_value": value})
    shown = [(row["table_row"], row["table_column"], row["value_text"], row["value_number"]) for row in found]
    assert shown == cells
    assert len({row["id"] for row in found}) == len(cells)


def test_values_stand_beside_the_fields_or_by_id_and_fields_may_be_those_of_the_template():
    fields = [{"id": "f", "label": "Field", "field_type": "text"}]
    for described in ({"ko_form_fields": {"data": fields}}, {"checklist": {"data": {"prerun": fields}}}):
        (row,) = rows("answers", {"prerun": {"f": "by id"}, **described})
        assert (row["field_label"], row["value_text"]) == ("Field", "by id")
    (row,) = rows("answers", {"prerun": {"f": "bare"}})
    assert (row["field_id"], row["field_label"], row["value_text"]) == ("f", None, "bare")


def test_columns_of_a_table_may_be_bare_labels():
    found = answers({"field_type": "table", "columns": ["Item", "Count"], "field_value": ["A", "1"]})
    assert [row["table_column"] for row in found] == ["Item", "Count"]


@pytest.mark.parametrize(
    "stored",
    [{"f": "x", "gone": "y"}, '{"f": "x", "gone": "y"}', [{"id": "f", "value": "x"}, {"id": "gone", "value": "y"}]],
)
def test_values_are_found_in_every_form_and_those_of_fields_that_are_gone_are_kept(stored):
    fields = [{"id": "f", "label": "Field", "field_type": "text"}]
    task = {"id": "t", "form_fields": fields, "taskdata": stored}
    for found in (rows("answers", {"ko_form_fields": fields, "prerun": stored}), rows("answers", {"tasks": [task]})):
        assert [(row["field_id"], row["field_label"], row["value_text"]) for row in found] == [
            ("f", "Field", "x"),
            ("gone", None, "y"),
        ]


def test_values_may_go_by_the_id_of_the_template():
    (row,) = rows("answers", {"ko_form_fields": [{"id": "f", "timeline_id": "t"}], "prerun": {"t": "x"}})
    assert (row["field_id"], row["value_text"]) == ("f", "x")


def test_comments_and_tasks_come_once_and_comments_without_ids_have_keys():
    threads = [{"id": "a"}, {"content": "x"}, {"id": ""}, {"id": 5}]
    task = {"id": "t", "threads": threads}
    run = {"tasks": [task, task], "threads": {"data": [{"id": "a"}, {"id": "of-run"}]}}
    assert [row["id"] for row in rows("tasks", run)] == ["t"]
    found = [(row["id"], row["task_id"]) for row in rows("comments", run)]
    assert found == [("a", "t"), ("t:comment:2", "t"), ("t:comment:3", "t"), ("5", "t"), ("of-run", None)]


@pytest.mark.parametrize(("table", "tasks"), [("tasks", [{"title": "x"}]), ("answers", ["x"]), ("comments", "x")])
def test_tasks_that_cannot_be_read_are_a_clear_error(table, tasks):
    with pytest.raises(TallyfyResponseError, match=r"Tallyfy .* a (task without an id|list of tasks)"):
        rows(table, {"tasks": tasks})


def test_people_and_tags_of_a_run_may_be_objects():
    people = {"data": [{"id": 7, "full_name": "Jo"}, 8]}
    run = {"users": people, "groups": [{"id": "g"}], "collaborators": {}, "tags": [{"title": "Tag"}, "bare"]}
    (row,) = rows("runs", run)
    assert (row["users"], row["groups"], row["collaborators"], row["tags"]) == (["7", "8"], ["g"], [], ["Tag", "bare"])


def test_fields_without_ids_or_with_the_same_one_have_keys_of_their_own():
    fields = [{"alias": "a"}, {"id": "x"}, {"id": "x"}, {}]
    found = rows("answers", {"tasks": {"data": [{"id": "t", "form_fields": {"data": fields}}]}})
    assert [row["id"] for row in found] == ["t:a", "t:x", "t:x#2", "t:4"]


def test_what_php_writes_for_nothing_is_nothing():
    task = {"id": "t", "owners": [], "form_fields": [], "threads": {"data": []}, "taskdata": []}
    run = {"prerun": [], "progress": [], "custom_fields": [], "tags": [], "tasks": {"data": [task]}}
    assert rows("answers", run) == rows("comments", run) == rows("assignees", run) == []
    assert rows("runs", run)[0].items() >= {"tasks_total": None, "tags": [], "custom_fields": "[]"}.items()


def test_assignees_are_users_guests_and_groups_each_once():
    owners = {
        "users": [7, {"id": 8, "full_name": "Eight"}, 7],
        "guests": ["a@b.example"],
        "groups": {"data": [{"id": "g"}]},
    }
    found = rows("assignees", {"tasks": {"data": [{"id": "t", "owners": owners}]}})
    assert [(row["kind"], row["person_id"]) for row in found] == [
        ("user", "7"),
        ("user", "8"),
        ("guest", "a@b.example"),
        ("group", "g"),
    ]


def test_a_guests_id_which_opens_the_guests_page_is_in_no_column():
    link = "See https://go.tallyfy.com/guest/open-sesame."
    task = {"id": "t", "completer_guest": "open-sesame", "webhook": "open-sesame", "x": {"taskUrls": ["open-sesame"]}}
    task |= {"owners": {"guests": ["open-sesame", {"id": "open-sesame", "email": "a@b.example"}]}, "title": link}
    task |= {"threads": [{"id": "c", "content": f"<p>{link}</p>"}], "y": json.dumps([link]).replace("/", "\\/")}
    run = {"tasks": {"data": [task]}, "custom_fields": {"guest-links": ["open-sesame"], "kept": 1}}
    everything = [rows(table, run) for table in ("assignees", "comments", "tasks")]
    assert "open-sesame" not in json.dumps(everything)
    assert everything[1][0]["content_text"] == "See ***"
    guests = [row["person_id"] for row in everything[0]]
    assert guests[0].startswith("guest-")
    assert guests[1:] == ["a@b.example"]
    guest = {"kind": "guest", "id": "open-sesame", "link": link, "guest_code": "open-sesame"}
    people = TABLES["people"].with_unknown_fields()
    (person,) = people.typed_rows(guest, Misfits())
    assert "open-sesame" not in json.dumps(person)
    assert person["person_id"] == guests[0]
    (table,) = tables_named("tables", ["tasks"], unknown_fields=True)
    (row,) = table.typed_rows({"id": "run", **run}, Misfits())
    assert "open-sesame" not in json.dumps([row, rows("runs", run)])
    assert rows("runs", run)[0]["custom_fields"] == '{"kept":1}'


@pytest.mark.parametrize("guests", [{"data": [{"id": "open-sesame"}]}, {"0": "open-sesame"}, "open-sesame"])
def test_guests_of_an_answer_are_known_in_every_form(guests):
    field = {"id": "f", "field_type": "assignees_form", "field_value": {"users": [], "guests": guests}}
    assert "open-sesame" not in json.dumps(answers(field))


@pytest.mark.parametrize(
    "people",
    [
        [{"id": "open-sesame", "email": "a@b.example", "full_name": "Ann"}, {"id": 7, "full_name": "Jo"}],
        {"guests": ["open-sesame"]},
        {"guests": [{"id": "open-sesame"}], "assign_run_starter": True},
        {"users": {"data": [{"id": 7, "full_name": "Jo"}]}, "guests": [{"id": "open-sesame", "email": None}]},
    ],
)
def test_the_id_of_a_guest_is_in_no_kind_of_answer_and_in_no_json_of_a_run(people):
    field = {"id": "f", "field_type": "assignees_form", "field_value": people}
    (row,) = answers(field)
    (run,) = rows("runs", {"prerun": {"f": people}})
    assert "open-sesame" not in json.dumps([row, run])
    assert ("Jo" in row["value_text"]) == ("Jo" in json.dumps(people))
    assert json.loads(run["prerun"]) == {"f": json.loads(row["value_json"])}


def test_what_only_resembles_a_guest_stays_as_it_is():
    cells = {"Name": "Ann", "guests": 3, "email": "a@b.example"}
    kept = {"f": [cells], "g": {"id": 7, "email": "a@b.example"}}
    assert json.loads(rows("runs", {"prerun": kept})[0]["prerun"]) == kept


def test_a_comment_of_a_guest_has_the_guests_address_or_a_digest():
    thread = {"id": "c", "author_type": "App\\Models\\Guest", "author_id": "open-sesame"}
    (row,) = rows("comments", {"threads": [thread]})
    assert (
        row["author_id"]
        == rows("assignees", {"tasks": [{"id": "t", "owners": {"guests": ["open-sesame"]}}]})[0]["person_id"]
    )


@pytest.mark.parametrize(
    "digits",
    [
        "12.50",
        "0.1",
        "1e400",
        "1E-400",
        "1.23456789012345678901e5",
        "100000000000000000000.5",
        "1e-99999999999999999999",
    ],
)
def test_no_digit_of_a_number_is_lost_however_it_is_written(digits):
    given = json.loads(f'{{"of": {digits}}}', parse_float=read_given)
    (row,) = answers({"id": "f", "field_type": "file", "field_value": given})
    assert row["value_json"] == f'{{"of":{digits}}}'


def test_a_number_with_an_exponent_that_a_float_holds_is_one():
    assert json.loads(json_as_given(json.loads("[1e3, -2.5E-1]", parse_float=read_given))) == [1000, -0.25]


@pytest.mark.parametrize("value", [{"id": 3}, {"id": 3, "text": None}, [{"id": 3, "selected": True}]])
def test_a_choice_by_id_is_not_the_option_whose_text_is_none(value):
    options = [{"id": 1, "text": "None"}, {"id": 3, "text": "Yes"}]
    kind = "multiselect" if isinstance(value, list) else "dropdown"
    (row,) = answers({"id": "f", "field_type": kind, "options": options, "field_value": value})
    assert row["value_text"] == "Yes"


def test_unknown_fields_are_kept_in_one_column_where_that_is_asked_for():
    (table,) = tables_named("tables", ["runs"], unknown_fields=True)
    (row,) = table.typed_rows({"id": "run", "new": {"a": 1}, "tasks": {"data": []}}, Misfits())
    assert json.loads(row["unknown_fields"]) == {"new": {"a": 1}}
    assert "unknown_fields" not in rows("runs", {"new": 1})[0]


def test_unknown_keys_of_a_field_are_kept_with_its_answer_where_that_is_asked_for():
    (table,) = tables_named("tables", ["answers"], unknown_fields=True)
    field = {
        "id": "f",
        "field_type": "table",
        "columns": [{"id": 1, "label": "Item"}],
        "score": 2.50,
        "run_id": "other",
    }
    task = {"id": "t", "form_fields": [{**field, "field_value": ["x"]}, {"id": "g", "label": "G", "required": True}]}
    cell, plain = table.typed_rows({"id": "run", "tasks": [task]}, Misfits())
    assert (cell["run_id"], json.loads(cell["unknown_fields"])) == ("run", {"score": 2.5})
    assert plain["unknown_fields"] is None
    assert "unknown_fields" not in answers(field)[0]


@pytest.mark.parametrize(
    ("kind", "value", "number"),
    [
        ("currency", 12.5, "12.5"),
        ("rating", "4", "4"),
        (None, "7", "7"),
        ("date", "2026", None),
        ("email", 5, None),
        ("file", "1", None),
        ("assignees_form", [7], None),
        ("multiselect", ["7"], None),
    ],
)
def test_a_number_in_a_field_of_a_type_that_is_new_is_a_number(kind, value, number):
    (row,) = answers({"id": "f", "field_type": kind, "field_value": value})
    assert row["value_number"] == number


def test_values_of_another_type_become_null_and_are_counted_without_being_shown():
    misfits = Misfits()
    (row,) = TABLES["runs"].typed_rows({"id": 5, "late_tasks": "many", "users": "x", "starred": "?"}, misfits)
    assert (row["id"], row["late_tasks"], row["users"], row["starred"]) == ("5", None, None, None)
    assert "Column 'runs.late_tasks' is of type integer: 1 value of another type became null." in misfits.notes


def test_every_row_has_every_column_in_order():
    run = {"tasks": {"data": [{"id": "t"}]}}
    for name in ("runs", "tasks"):
        assert tuple(rows(name, run)[0]) == TABLES[name].names


def test_columns_have_descriptions_and_keys_that_are_never_null():
    for table in TABLES.values():
        assert len(set(table.names)) == len(table.names)
        assert all(column.description.endswith(".") for column in table.columns)
        assert next(column.name for column in table.columns if not column.nullable) == table.key
