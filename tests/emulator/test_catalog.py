"""Templates (checklists in the API), users, guests, groups, tags and folders."""

from __future__ import annotations

import pytest


def titles(rows):
    return [row["title"] for row in rows]


def test_the_fields_of_a_template(emulator, caller, discount):
    row = caller.data("GET", f"/checklists/{discount['id']}")
    with_steps = caller.data("GET", f"/checklists/{discount['id']}?with=steps")

    assert with_steps == discount == emulator.checklist("Discount") == emulator.checklist(discount["id"])
    assert "steps" not in row
    assert row["steps_count"] == 2
    customer, region = row["prerun"]
    assert customer["id"] != region["id"]
    assert {name: customer[name] for name in ("id", "checklist_id", "field_validation")} == {
        "id": customer["id"],
        "checklist_id": discount["id"],
        "field_validation": [],
    }
    assert (
        customer.items()
        >= {
            "id": customer["id"],
            "alias": "customer",
            "label": "Customer",
            "field_type": "text",
            "required": True,
            "options": [],
            "columns": [],
            "guidance": "",
            "position": 1,
        }.items()
    )
    assert region["options"] == [{"id": 1, "text": "North"}, {"id": 2, "text": "South"}]
    decide, send = with_steps["steps"]["data"]
    assert (decide["title"], decide["alias"], decide["step_type"]) == ("Decide", "decide", "approval")
    assert [field["label"] for field in decide["captures"]] == ["Percent", "Why"]
    assert (send["alias"], send["position"]) == ("send", 2)


def test_the_tasks_of_a_run_refer_to_the_steps(emulator, discount, launched):
    assert [task["step_id"] for task in emulator.tasks(launched["id"])] == [
        step["id"] for step in discount["steps"]["data"]
    ]


def test_templates_are_listed_ten_on_a_page(emulator, caller, discount):
    first = caller.send("GET", "/checklists").json()

    assert first["meta"]["pagination"]["total"] == len(emulator.checklists) == 11
    assert len(first["data"]) == 10
    assert titles(caller.data("GET", "/checklists?page=2")) == ["Discount"]
    assert titles(caller.data("GET", "/checklists?q=disc")) == ["Discount"]
    assert caller.data("GET", "/checklists?q=disc&with=steps")[0]["steps"] == discount["steps"]
    assert len(caller.data("GET", "/checklists?status=published&per_page=100")) == 11
    assert caller.data("GET", "/checklists?status=draft") == caller.data("GET", "/checklists?archived=only") == []
    assert titles(caller.data("GET", "/checklists?type=form")) == ["Expense request"]


def test_steps_are_always_paginated(emulator, caller):
    checklist = emulator.add_checklist("Long", steps=[{"title": f"Step {number}"} for number in range(1, 13)])
    path = f"/checklists/{checklist['id']}/steps"

    assert len(caller.data("GET", path)) == len(caller.data("GET", f"{path}?without_pagination=true")) == 10
    assert titles(caller.data("GET", f"{path}?page=2")) == ["Step 11", "Step 12"]


def test_the_forms_of_a_template_are_an_object(caller, discount):
    forms = caller.data("GET", f"/checklists/{discount['id']}/form-fields")

    assert [field["label"] for field in forms["ko_form_fields"]] == ["Customer", "Region"]
    assert [field["label"] for field in forms["form_fields"]] == ["Percent", "Why"]


@pytest.mark.parametrize("path", ["", "/steps", "/form-fields"])
def test_a_template_that_does_not_exist(caller, path):
    assert caller.send("GET", f"/checklists/unknown{path}").status_code == 404


def test_two_templates_with_the_same_title(emulator):
    first, second = (emulator.add_checklist("Twice")["id"] for _ in range(2))

    assert first != second
    assert emulator.checklist("Twice")["id"] == emulator.checklists["Twice"] == second
    with pytest.raises(ValueError, match="already a checklist with the id 'mine'"):
        [emulator.add_checklist("Mine", checklist_id="mine") for _ in range(2)]
    with pytest.raises(KeyError):
        emulator.checklist("unknown")


DO = {"title": "Do", "completes_in": 1}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kickoff": [{"field_type": "text"}]}, "form field is an object with a 'label'"),
        ({"kickoff": [{"label": "A", "type": "text"}]}, "no 'type'"),
        ({"kickoff": [{"label": "A", "field_type": "number"}]}, "field_type can't be 'number'"),
        ({"kickoff": [{"label": "A", "field_type": "radio"}]}, "give its options"),
        ({"kickoff": [{"label": "A", "field_type": "table"}]}, "give its columns"),
        ({"steps": ["Do"]}, "step is an object with a 'title'"),
        ({"steps": [{"title": "Do", "task_type": "party"}]}, "task_type can't be 'party'"),
        ({"steps": [{"title": "Do", "completes_in": -1}]}, "completes_in is -1"),
        ({"steps": [{**DO, "values": {"x": 1}}]}, "no field 'x'"),
        ({"steps": [{**DO, "form_fields": [{"label": "A", "required": True}]}]}, "A is required"),
        ({"steps": [{**DO, "form_fields": [{"label": "A"}], "values": {"A": [5]}}]}, "A must be a string"),
    ],
)
def test_an_invalid_template_is_refused(emulator, given, message):
    known = dict(emulator.checklists)

    with pytest.raises(ValueError, match=message):
        emulator.add_checklist("Broken", **given)
    assert emulator.checklists == known


def test_users_guests_groups_tags_and_folders(emulator, caller):
    assert {row["email"]: row["id"] for row in caller.data("GET", "/users")} == emulator.people
    assert caller.data("GET", "/users-list") == caller.data("GET", "/users")
    assert [row["email"] for row in caller.data("GET", "/guests?q=acme")] == ["buyer@acme.example"]
    assert {row["name"]: row["id"] for row in caller.data("GET", "/groups")} == emulator.groups
    assert {row["title"]: row["id"] for row in caller.data("GET", "/tags")} == emulator.tags
    assert {row["name"]: row["id"] for row in caller.data("GET", "/folders?folder_type=run")} == emulator.folders
    assert caller.data("GET", "/folders?folder_type=checklist") == []
    assert len(caller.data("GET", "/groups?per_page=3&page=2")) == 1
