"""What each type of field takes, gives back and refuses: in a kick-off form and in a task's, which are alike."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Quirks

OFFICE = {"id": 2, "text": "London"}
BAG, MOUSE = {"id": 1, "text": "Bag", "selected": True}, {"id": 3, "text": "Mouse", "selected": True}

TAKEN = [
    ("item", "Laptop"),
    ("item", "x" * 200),
    ("item", ""),
    ("item", 5),
    ("item", True),
    ("description", "<p>Fast</p>"),
    ("description", "x" * 30_000),
    ("needed-by", "2026-12-01"),
    ("needed-by", "2026-12-01 09:00:00"),
    ("needed-by", "2026-12-01T09:00:00.000Z"),
    ("contact", "mei.tanaka@brightwater.example"),
    ("contact", "nobody"),
    ("priority", "urgent"),
    ("office", OFFICE),
    ("accessories", [BAG, MOUSE]),
    ("accessories", []),
    ("accessories", [{"id": 1, "text": "Bag"}]),
    ("budget", ["4711", "100 %"]),
    ("budget", [{"Account": "4711"}, {"Share": "100 %"}]),
    ("approvers", {"users": [10201], "guests": ["a@b.example"], "groups": ["g1"]}),
    ("quotation", [{"id": "asset-1", "filename": "quotation.pdf"}]),
    ("quotation", [{"url": "https://files.example/q.pdf"}]),
    ("quotation", [{"full_url": "https://files.example/q.pdf", "filename": "q.pdf"}]),
    ("office", None),
    ("office", ""),
    ("accessories", ""),
]
REFUSED = [
    ("item", ["Laptop"]),
    ("item", "x" * 201),
    ("item", "é" * 101),  # bytes are counted
    ("description", ["text"]),
    ("description", "x" * 30_001),
    ("needed-by", 1_793_620_800),
    ("needed-by", "next week"),
    ("contact", 5),
    ("priority", "soon"),
    ("priority", {"id": 1, "text": "normal"}),
    ("office", "London"),
    ("office", {"id": 1, "text": "London"}),
    ("office", {"text": "London"}),
    ("office", {"id": True, "text": "Lisbon"}),
    ("accessories", "Bag"),
    ("accessories", ["Bag"]),
    ("accessories", [{"id": 9, "text": "Bag", "selected": True}]),
    ("budget", []),
    ("budget", ["4711"]),
    ("budget", ["4711", "50 %", "more"]),
    ("budget", "4711"),
    ("approvers", [10201]),
    ("approvers", {"users": 10201}),
    ("approvers", {"users": [1]}),
    ("approvers", {"guests": ["nobody"]}),
    ("quotation", "quotation.pdf"),
    ("quotation", ["quotation.pdf"]),
    ("quotation", [{"filename": "quotation.pdf"}]),
]


@pytest.fixture
def order(emulator):
    """The template that has a field of every type, in its kick-off form and, by this, in a step's."""
    fields = emulator.checklist("Equipment order")["prerun"]
    step = {
        "title": "Order",
        "form_fields": [
            {name: each[name] for name in ("label", "field_type", "alias")}
            | {"options": [option["text"] for option in each["options"]]}
            | {"columns": [column["label"] for column in each["columns"]]}
            for each in fields
        ],
    }
    return emulator.add_checklist("Order", kickoff=step["form_fields"], steps=[step])


def id_of(fields, alias):
    return next(field["id"] for field in fields if field["alias"] == alias)


def test_there_is_a_field_of_every_type(order):
    assert {field["field_type"] for field in order["prerun"]} == {
        "text",
        "textarea",
        "date",
        "email",
        "radio",
        "dropdown",
        "multiselect",
        "table",
        "assignees_form",
        "file",
    }


@pytest.mark.parametrize(("alias", "value"), TAKEN)
def test_a_kick_off_value_comes_back_as_it_was_sent(caller, order, alias, value):
    field = id_of(order["prerun"], alias)

    run = caller.data("POST", "/runs", {"checklist_id": order["id"], "prerun": {field: value}})

    assert run["prerun"] == {field: value}
    read = caller.data("GET", f"/runs/{run['id']}?with=ko_form_fields")["ko_form_fields"]["data"]
    assert next(each for each in read if each["id"] == field)["field_value"] == value


@pytest.mark.parametrize(("alias", "value"), REFUSED)
def test_a_kick_off_value_that_is_refused(emulator, caller, order, alias, value):
    field = id_of(order["prerun"], alias)

    errors = caller.refused("POST", "/runs", {"checklist_id": order["id"], "prerun": {field: value}})

    assert list(errors["prerun"]) == [field]
    assert emulator.launched == []


@pytest.mark.parametrize(("alias", "value"), TAKEN)
def test_a_tasks_value_comes_back_as_it_was_sent(emulator, caller, order, alias, value):
    run = caller.data("POST", "/runs", {"checklist_id": order["id"]})
    task = emulator.task(run["id"], "order")
    field = id_of(task["form_fields"]["data"], alias)

    caller.data("PUT", f"/runs/{run['id']}/tasks/{task['id']}", {"taskdata": {field: value, "unknown": "dropped"}})

    read = caller.data("GET", f"/runs/{run['id']}/tasks/{task['id']}?with=form_fields")
    assert read["taskdata"] == {field: value}
    assert next(each for each in read["form_fields"]["data"] if each["id"] == field)["field_value"] == value


@pytest.mark.parametrize(("alias", "value"), REFUSED)
def test_a_tasks_value_that_is_refused(emulator, caller, order, alias, value):
    run = caller.data("POST", "/runs", {"checklist_id": order["id"]})
    task = emulator.task(run["id"], "order")
    field = id_of(task["form_fields"]["data"], alias)

    errors = caller.refused("PUT", f"/runs/{run['id']}/tasks/{task['id']}", {"taskdata": {field: value}})

    assert list(errors["taskdata"]) == [field]
    assert emulator.task(run["id"], "order")["taskdata"] == []


def test_values_may_come_back_written_in_another_way(emulator, caller, order):
    emulator.quirks = Quirks(form_readback="rendered", form_value_key="value")
    fields = {alias: id_of(order["prerun"], alias) for alias in ("description", "needed-by", "accessories")}
    sent = {fields["description"]: "a < b", fields["needed-by"]: "2026-12-01", fields["accessories"]: [MOUSE]}

    run = caller.data("POST", "/runs?with=ko_form_fields", {"checklist_id": order["id"], "prerun": sent})

    assert run["prerun"] == {
        fields["description"]: "<p>a &lt; b</p>",
        fields["needed-by"]: "2026-12-01T00:00:00.000Z",
        fields["accessories"]: [
            {"id": 1, "text": "Bag", "selected": False},
            {"id": 2, "text": "Dock", "selected": False},
            MOUSE,
        ],
    }
    assert run["ko_form_fields"]["data"][1]["value"] == "<p>a &lt; b</p>"
    assert "field_value" not in run["ko_form_fields"]["data"][1]


@pytest.mark.parametrize(
    ("field", "blank", "filled"),
    [
        ({"field_type": "text"}, "", "x"),
        ({"field_type": "multiselect", "options": ["A"]}, [{"id": 1, "text": "A"}], ["A"]),
        ({"field_type": "assignees_form"}, {"users": [], "guests": []}, {"users": [10201]}),
        ({"field_type": "file"}, [], [{"id": "asset-1"}]),
        ({"field_type": "table", "columns": ["A"]}, None, [{"text": "x"}]),
    ],
)
def test_what_counts_as_filled(emulator, field, blank, filled):
    step = {"title": "Fill", "form_fields": [{"label": "Field", "required": True, **field}]}
    emulator.add_checklist("Filling", steps=[step], checklist_id="filling")
    run = emulator.add_run(checklist_id="filling", tasks_done=0)
    task = emulator.task(run["id"], "Fill")["id"]
    emulator.fill_task(task, {"Field": blank})

    with pytest.raises(ValueError, match="Field is required"):
        emulator.complete_task(task)
    assert emulator.complete_task(task, values={"Field": filled})["status"] == "completed"


def test_people_name_fields_and_options_as_they_see_them(emulator, caller, order):
    run = caller.data("POST", "/runs", {"checklist_id": order["id"]})
    task = emulator.task(run["id"], "Order")
    office, item = (id_of(task["form_fields"]["data"], alias) for alias in ("office", "item"))

    filled = emulator.fill_task(task["id"], {"Office": "London", item: "Laptop", "accessories": ["Bag", "Mouse"]})

    assert filled["taskdata"][office] == OFFICE
    assert filled["taskdata"][item] == "Laptop"
    assert [BAG, MOUSE] in filled["taskdata"].values()
    with pytest.raises(ValueError, match="no option 'Paris'"):
        emulator.fill_task(task["id"], {"Office": "Paris"})
    with pytest.raises(ValueError, match="no field 'Offices'"):
        emulator.fill_task(task["id"], {"Offices": "London"})
    with pytest.raises(ValueError, match="Item must be a string"):
        emulator.fill_task(task["id"], {"Item": [5]})


def test_a_label_that_two_fields_have_is_ambiguous(emulator):
    emulator.add_checklist("Twins", steps=[{"title": "Fill", "form_fields": [{"label": "A"}, {"label": "A"}]}])
    run = emulator.add_run(checklist_id=emulator.checklists["Twins"], tasks_done=0)

    with pytest.raises(ValueError, match="label of 2 fields"):
        emulator.fill_task(emulator.task(run["id"], "Fill")["id"], {"A": "x"})
