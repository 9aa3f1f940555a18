"""The values each field type accepts, returns and refuses, in kick-off forms and in tasks."""

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


@pytest.fixture
def task(emulator, caller, order):
    """The task of a launched run."""
    run = caller.data("POST", "/runs", {"checklist_id": order["id"]})
    return emulator.task(run["id"], "order")


@pytest.fixture
def path(task):
    return f"/runs/{task['run_id']}/tasks/{task['id']}"


def id_of(fields, alias):
    return next(field["id"] for field in fields if field["alias"] == alias)


def values_by_id(fields):
    return {field["id"]: field["field_value"] for field in fields}


def test_the_template_has_a_field_of_every_type(order):
    choices, others = {"radio", "dropdown", "multiselect"}, {"table", "assignees_form", "file"}
    types = {"text", "textarea", "date", "email", *choices, *others}
    assert {field["field_type"] for field in order["prerun"]} == types


@pytest.mark.parametrize(("alias", "value"), TAKEN)
def test_a_kick_off_value_is_returned_as_it_was_sent(caller, order, alias, value):
    field = id_of(order["prerun"], alias)

    run = caller.data("POST", "/runs", {"checklist_id": order["id"], "prerun": {field: value}})

    assert run["prerun"] == {field: value}
    read = caller.data("GET", f"/runs/{run['id']}?with=ko_form_fields")["ko_form_fields"]["data"]
    assert values_by_id(read)[field] == value


@pytest.mark.parametrize(("alias", "value"), REFUSED)
def test_an_invalid_kick_off_value_is_refused(emulator, caller, order, alias, value):
    field = id_of(order["prerun"], alias)

    errors = caller.refused("POST", "/runs", {"checklist_id": order["id"], "prerun": {field: value}})

    assert list(errors["prerun"]) == [field]
    assert emulator.launched == []


@pytest.mark.parametrize(("alias", "value"), TAKEN)
def test_a_task_value_is_returned_as_it_was_sent(caller, task, path, alias, value):
    field = id_of(task["form_fields"]["data"], alias)

    caller.data("PUT", path, {"taskdata": {field: value, "unknown": "dropped"}})

    read = caller.data("GET", f"{path}?with=form_fields")
    assert read["taskdata"] == {field: value}
    assert values_by_id(read["form_fields"]["data"])[field] == value


@pytest.mark.parametrize(("alias", "value"), REFUSED)
def test_an_invalid_task_value_is_refused(emulator, caller, task, path, alias, value):
    field = id_of(task["form_fields"]["data"], alias)

    errors = caller.refused("PUT", path, {"taskdata": {field: value}})

    assert list(errors["taskdata"]) == [field]
    assert emulator.task(task["run_id"], "order")["taskdata"] == []


def test_values_are_rendered_with_the_quirk(emulator, caller, order):
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


def test_fill_task_takes_labels_aliases_ids_and_option_texts(emulator, task):
    office, item = (id_of(task["form_fields"]["data"], alias) for alias in ("office", "item"))

    filled = emulator.fill_task(task["id"], {"Office": "London", item: "Laptop", "accessories": ["Bag", "Mouse"]})

    assert filled["taskdata"][office] == OFFICE
    assert filled["taskdata"][item] == "Laptop"
    assert [BAG, MOUSE] in filled["taskdata"].values()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"Office": "Paris"}, "no option 'Paris'"),
        ({"Offices": "London"}, "no field 'Offices'"),
        ({"Item": [5]}, "Item must be a string"),
    ],
)
def test_fill_task_refuses_unknown_fields_and_options(emulator, task, values, message):
    with pytest.raises(ValueError, match=message):
        emulator.fill_task(task["id"], values)


def test_a_label_that_two_fields_have_is_ambiguous(emulator):
    emulator.add_checklist("Twins", steps=[{"title": "Fill", "form_fields": [{"label": "A"}, {"label": "A"}]}])
    run = emulator.add_run(checklist_id=emulator.checklists["Twins"], tasks_done=0)

    with pytest.raises(ValueError, match="label of 2 fields"):
        emulator.fill_task(emulator.task(run["id"], "Fill")["id"], {"A": "x"})
