"""
Tallyfy's own SDK finds in the emulator what it finds in Tallyfy.

:data:`CALLS` calls every method of the SDK for runs, tasks, comments, templates, people, tags, folders, groups and the
search; :data:`NOT_THERE` names those that the emulator does not have, on purpose. No method is in neither: a new
release of the SDK that has more of them fails :func:`test_every_method_is_called_or_is_not_there_on_purpose`. The SDK
has no method for the activity feed; its own request is used as Tallyfy's MCP server does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tallyfy_emulator import Quirks

sdk_module = pytest.importorskip("tallyfy", reason="the SDK is not in this environment: make test makes it anew")

_TEMPLATES = "the emulator's templates are made by add_checklist, not over the API"
_PEOPLE = "the emulator's people, guests and groups are fixed"
_FILES = "the emulator keeps no files"

NOT_THERE = {
    "files.download_file": _FILES,
    "files.download_file_from_url": _FILES,
    "files.upload_file": _FILES,
    "folders.add_object_to_folder (template)": _TEMPLATES,
    "form_fields.add_dropdown_option": _TEMPLATES,
    "form_fields.add_form_field_to_step": _TEMPLATES,
    "form_fields.delete_form_field": _TEMPLATES,
    "form_fields.move_form_field": _TEMPLATES,
    "form_fields.remove_dropdown_option": _TEMPLATES,
    "form_fields.reorder_dropdown_options": _TEMPLATES,
    "form_fields.reorder_form_fields": _TEMPLATES,
    "form_fields.update_dropdown_options": _TEMPLATES,
    "form_fields.update_form_field": _TEMPLATES,
    "groups.create_group": _PEOPLE,
    "groups.delete_group": _PEOPLE,
    "groups.update_group": _PEOPLE,
    "tags.tag_template": _TEMPLATES,
    "tags.untag_template": _TEMPLATES,
    "templates.add_assignees_to_step": _TEMPLATES,
    "templates.add_step_to_template": _TEMPLATES,
    "templates.clone_step": _TEMPLATES,
    "templates.create_automation_rule": _TEMPLATES,
    "templates.create_template": _TEMPLATES,
    "templates.delete_automation_rule": _TEMPLATES,
    "templates.delete_step": _TEMPLATES,
    "templates.delete_template": _TEMPLATES,
    "templates.delete_template_with_references": _TEMPLATES,
    "templates.duplicate_template": _TEMPLATES,
    "templates.edit_description_on_step": _TEMPLATES,
    "templates.reorder_step": _TEMPLATES,
    "templates.update_automation_rule": _TEMPLATES,
    "templates.update_template_metadata": _TEMPLATES,
    "users.approve_user": _PEOPLE,
    "users.change_user_role": _PEOPLE,
    "users.create_guest": _PEOPLE,
    "users.disable_guest": _PEOPLE,
    "users.disable_user": _PEOPLE,
    "users.enable_guest": _PEOPLE,
    "users.enable_user": _PEOPLE,
    "users.invite_multiple_users": _PEOPLE,
    "users.invite_user_to_organization": _PEOPLE,
    "users.invite_user_with_custom_role_permissions": _PEOPLE,
    "users.resend_invitation": _PEOPLE,
    "users.update_guest": _PEOPLE,
}
#: Methods that ask for nothing.
LOCAL = {"users.get_invitation_template_message", "users.validate_invitation_data"}

GUEST = "buyer@acme.example"
DAY = "2026-12-01"


@pytest.fixture
def world(emulator):
    """A run with tasks, comments, tags and a folder, and the SDK to find them with."""
    checklist = emulator.add_checklist(
        "Discount",
        kickoff=[{"label": "Customer", "alias": "customer"}],
        steps=[
            {"title": "Decide", "task_type": "approval"},
            {"title": "Choose", "form_fields": [{"label": "Box", "field_type": "dropdown", "options": ["A", "B"]}]},
            {"title": "Ask", "rule": {"field": "customer", "equals": "Acme"}},
        ],
    )
    with sdk_module.TallyfySDK(emulator.token, base_url=emulator.base_url, max_retries=0) as sdk:
        org = emulator.organization_id
        first, choose, ask = (step["id"] for step in checklist["steps"]["data"])
        run = sdk.tasks.launch_process(
            org,
            checklist["id"],
            "Discount for Acme",
            prerun={checklist["prerun"][0]["id"]: "Globex"},
            tasks={choose: {"owners": {"guests": [GUEST], "users": [], "groups": []}}},
        )
        one_off = sdk.tasks.create_task(org, "Call them", f"{DAY} 09:00:00", user_ids=[10201])
        task = sdk.tasks.get_tasks_for_process(org, run.id).data[0]
        comment = sdk.threads.add_task_comment(org, task.id, "Look at this")
        yield SimpleNamespace(
            emulator=emulator,
            sdk=sdk,
            org=org,
            checklist=checklist,
            steps=(first, choose, ask),
            run=run,
            task=task,
            one_off=one_off,
            comment=comment,
            tag=emulator.tags["urgent"],
            folder=emulator.folders["Customers"],
            group=emulator.groups["Legal"],
        )


def _completed(world: Any) -> Any:
    return world.sdk.tasks.complete_task(world.org, world.run.id, world.task.id, is_approved=True)


def _done_one_off(world: Any) -> Any:
    return world.sdk.tasks.complete_standalone_task(world.org, world.one_off.id)


def _new_tag(world: Any) -> Any:
    return world.sdk.tags.create_tag(world.org, "late")


def _new_folder(world: Any) -> Any:
    return world.sdk.folders.create_folder(world.org, "Late")


def _untagged(world: Any) -> Any:
    world.sdk.tags.tag_process(world.org, world.run.id, world.tag)
    return world.sdk.tags.untag_process(world.org, world.run.id, world.tag)


def _link(world: Any) -> Any:
    return world.sdk.folders.add_object_to_folder(world.org, world.folder, world.run.id, "run")


def _resolved(world: Any) -> Any:
    issue = world.sdk.threads.report_task_issue(world.org, world.task.id, "Broken")
    return world.sdk.threads.resolve_task_issues(world.org, world.task.id, issue.id)


def _of_run(world: Any) -> Any:
    return world.sdk.tasks.get_tasks_for_process(world.org, world.run.id, with_="step,run,threads")


def _reopened_form(world: Any) -> Any:
    return world.sdk.tasks.reopen_kickoff_form(world.org, world.run.id)


Check = Callable[[Any, Any], Any]
Call = Callable[[Any], Any]

#: What each method is called with, and what its answer must be, given the world.
CALLS: dict[str, tuple[Call, Check]] = {
    # -- runs
    "tasks.launch_process": (lambda w: w.run, lambda w, run: len(run.id) == 32 and run.progress.total == 2),
    "tasks.get_process": (
        lambda w: w.sdk.tasks.get_process(w.org, w.run.id, with_="checklist,tasks,tags"),
        lambda w, run: (run.name, run.checklist_id) == ("Discount for Acme", w.checklist["id"]),
    ),
    "tasks.get_organization_runs": (
        lambda w: w.sdk.tasks.get_organization_runs(w.org, checklist_id=w.checklist["id"]),
        lambda w, runs: [run.id for run in runs.data] == [w.run.id] and runs.data[0].progress.percent == 0,
    ),
    "tasks.get_organization_processes": (
        lambda w: w.sdk.tasks.get_organization_processes(w.org, per_page=5, run_type="procedure"),
        lambda w, runs: runs.meta.total == 1,
    ),
    "tasks.update_process": (
        lambda w: w.sdk.tasks.update_process(w.org, w.run.id, name="Renamed", starred=True),
        lambda w, run: (run.name, run.starred) == ("Renamed", True),
    ),
    "tasks.archive_process": (
        lambda w: w.sdk.tasks.archive_process(w.org, w.run.id),
        lambda w, _: w.emulator.run(w.run.id)["archived_at"],
    ),
    "tasks.reactivate_process": (
        lambda w: w.sdk.tasks.archive_process(w.org, w.run.id) and w.sdk.tasks.reactivate_process(w.org, w.run.id),
        lambda w, run: run.archived_at is None,
    ),
    "tasks.reopen_kickoff_form": (
        _reopened_form,
        lambda w, done: done and w.emulator.run(w.run.id)["prerun_status"] == "incomplete",
    ),
    "tasks.complete_kickoff_form": (
        lambda w: _reopened_form(w) and w.sdk.tasks.complete_kickoff_form(w.org, w.run.id),
        lambda w, done: done and w.emulator.run(w.run.id)["prerun_status"] == "complete",
    ),
    # -- tasks
    "tasks.get_tasks_for_process": (
        _of_run,
        lambda w, tasks: (
            [each.status for each in tasks.data] == ["active", "not-started", "auto-skipped"]
            and tasks.data[0].step.step_type == "approval"
            and tasks.data[0].run.id == w.run.id
        ),
    ),
    "tasks.get_task": (
        lambda w: w.sdk.tasks.get_task(w.org, w.run.id, w.task.id),
        lambda w, task: (task.title, task.owners.users, task.allow_guest_owners) == ("Decide", [10201], False),
    ),
    "tasks.get_my_tasks": (
        lambda w: w.sdk.tasks.get_my_tasks(w.org),
        lambda w, tasks: {task.title for task in tasks.data} == {"Decide", "Call them"},
    ),
    "tasks.get_user_tasks": (
        lambda w: w.sdk.tasks.get_user_tasks(w.org, 10201),
        lambda w, tasks: {task.title for task in tasks.data} == {"Decide", "Call them"},
    ),
    "tasks.update_task": (
        lambda w: w.sdk.tasks.update_task(w.org, w.run.id, w.task.id, title="Decide now"),
        lambda w, task: task.title == "Decide now",
    ),
    "tasks.complete_task": (_completed, lambda w, task: (task.status, task.is_approved) == ("completed", True)),
    "tasks.reopen_task": (
        lambda w: _completed(w) and w.sdk.tasks.reopen_task(w.org, w.run.id, w.task.id),
        lambda w, task: task.completed_at is None,
    ),
    "tasks.create_task": (lambda w: w.one_off, lambda w, task: task.is_oneoff_task and task.owners.users == [10201]),
    "tasks.get_standalone_task": (
        lambda w: w.sdk.tasks.get_standalone_task(w.org, w.one_off.id),
        lambda w, task: task.title == "Call them",
    ),
    "tasks.update_standalone_task": (
        lambda w: w.sdk.tasks.update_standalone_task(
            w.org, w.one_off.id, title="Write", deadline=f"{DAY} 10:00:00", owners={"users": [10202]}
        ),
        lambda w, task: (task.title, task.owners.users) == ("Write", [10202]),
    ),
    "tasks.complete_standalone_task": (_done_one_off, lambda w, task: task.status == "completed"),
    "tasks.reopen_standalone_task": (
        lambda w: _done_one_off(w) and w.sdk.tasks.reopen_standalone_task(w.org, w.one_off.id),
        lambda w, task: task.completed_at is None,
    ),
    "tasks.delete_standalone_task": (
        lambda w: w.sdk.tasks.delete_standalone_task(w.org, w.one_off.id),
        lambda w, _: w.sdk.tasks.get_standalone_task(w.org, w.one_off.id).archived_at,
    ),
    # -- comments
    "threads.add_task_comment": (
        lambda w: w.comment,
        lambda w, comment: (len(comment.id), comment.state, comment.author_id) == (32, "hide-for-guests", 10201),
    ),
    "threads.get_task_comments": (
        lambda w: w.sdk.threads.get_task_comments(w.org, w.run.id, w.task.id),
        lambda w, comments: [each.id for each in comments] == [w.comment.id],
    ),
    "threads.get_standalone_task_comments": (
        lambda w: w.sdk.threads.get_standalone_task_comments(w.org, w.one_off.id),
        lambda w, comments: comments == [],
    ),
    "threads.update_task_comment": (
        lambda w: w.sdk.threads.update_task_comment(w.org, w.task.id, w.comment.id, "Look again", state="open"),
        lambda w, comment: (comment.id, comment.content, comment.state) == (w.comment.id, "Look again", "open"),
    ),
    "threads.delete_task_comment": (
        lambda w: w.sdk.threads.delete_task_comment(w.org, w.task.id, w.comment.id),
        lambda w, _: w.sdk.threads.get_task_comments(w.org, w.run.id, w.task.id) == [],
    ),
    "threads.report_task_issue": (
        lambda w: w.sdk.threads.report_task_issue(w.org, w.task.id, "Broken"),
        lambda w, issue: (issue.label, issue.resolve_id, issue.state) == ("problem", None, "hide-for-guests"),
    ),
    "threads.resolve_task_issues": (_resolved, lambda w, _: w.emulator.run(w.run.id)["status"] == "active"),
    # -- templates
    "templates.get_template": (
        lambda w: w.sdk.templates.get_template(w.org, w.checklist["id"]),
        lambda w, template: [field.alias for field in template.prerun] == ["customer"],
    ),
    "templates.get_all_templates": (
        lambda w: w.sdk.templates.get_all_templates(w.org),
        lambda w, templates: w.checklist["id"] in {each.id for each in templates.data},
    ),
    "templates.get_template_with_steps": (
        lambda w: w.sdk.templates.get_template_with_steps(w.org, w.checklist["id"]),
        lambda w, found: "Choose" in repr(found),
    ),
    "templates.get_template_steps": (
        lambda w: w.sdk.templates.get_template_steps(w.org, w.checklist["id"]),
        lambda w, steps: (
            [step.captures[0].field_type for step in steps if step.captures] == ["dropdown"]
            and [step.deadline.value for step in steps] == [1, 2, 3]
        ),
    ),
    "templates.get_kickoff_form_fields": (
        lambda w: w.sdk.templates.get_kickoff_form_fields(w.org, w.checklist["id"]),
        lambda w, fields: "customer" in repr(fields),
    ),
    "templates.get_step_dependencies": (
        lambda w: w.sdk.templates.get_step_dependencies(w.org, w.checklist["id"], w.steps[2]),
        lambda w, found: "Ask" in repr(found),
    ),
    "templates.get_step_visibility_conditions": (
        lambda w: w.sdk.templates.get_step_visibility_conditions(w.org, w.checklist["id"], w.steps[2]),
        lambda w, found: "Acme" in repr(found),
    ),
    "templates.search_templates_by_name": (
        lambda w: w.sdk.templates.search_templates_by_name(w.org, "Discount"),
        lambda w, found: found == w.checklist["id"],
    ),
    "form_fields.get_step": (
        lambda w: w.sdk.form_fields.get_step(w.org, w.checklist["id"], w.steps[1]),
        lambda w, step: [capture.label for capture in step.captures] == ["Box"],
    ),
    "form_fields.get_dropdown_options": (
        lambda w: w.sdk.form_fields.get_dropdown_options(
            w.org, w.checklist["id"], w.steps[1], w.checklist["steps"]["data"][1]["captures"][0]["id"]
        ),
        lambda w, options: options == ["A", "B"],
    ),
    # -- people
    "organizations.get_organization": (
        lambda w: w.sdk.organizations.get_organization(w.org),
        lambda w, found: (found.auto_archive_processes_after.unit, found.default_deadline.value) == ("weeks", 5),
    ),
    "organizations.get_current_user_organizations": (
        lambda w: w.sdk.organizations.get_current_user_organizations(),
        lambda w, found: [each.id for each in found.data] == [w.org],
    ),
    "users.get_current_user_info": (
        lambda w: w.sdk.users.get_current_user_info(w.org),
        lambda w, user: (user.email, user.country.iso2) == (w.emulator.username, "GB"),
    ),
    "users.get_user": (lambda w: w.sdk.users.get_user(w.org, 10202), lambda w, user: user.first_name == "Jonas"),
    "users.get_organization_users": (
        lambda w: w.sdk.users.get_organization_users(w.org),
        lambda w, users: len(users.data) == 6,
    ),
    "users.get_organization_users_list": (
        lambda w: w.sdk.users.get_organization_users_list(w.org),
        lambda w, users: len(users.data) == 6,
    ),
    "users.get_organization_guests": (
        lambda w: w.sdk.users.get_organization_guests(w.org),
        lambda w, guests: guests.data[0].email == GUEST,
    ),
    "users.get_organization_guests_list": (
        lambda w: w.sdk.users.get_organization_guests_list(w.org),
        lambda w, guests: len(guests.data) == 2,
    ),
    "users.get_all_organization_members": (
        lambda w: w.sdk.users.get_all_organization_members(w.org),
        lambda w, found: GUEST in repr(found),
    ),
    "users.get_user_by_email": (
        lambda w: w.sdk.users.get_user_by_email(w.org, w.emulator.username),
        lambda w, user: user.id == 10201,
    ),
    "users.get_guest": (lambda w: w.sdk.users.get_guest(w.org, GUEST), lambda w, guest: guest.email == GUEST),
    "users.get_guest_by_email": (
        lambda w: w.sdk.users.get_guest_by_email(w.org, GUEST),
        lambda w, guest: guest.email == GUEST,
    ),
    "users.get_guest_tasks": (
        lambda w: w.sdk.users.get_guest_tasks(w.org, w.sdk.users.get_guest(w.org, GUEST).guest_id),
        lambda w, tasks: [task.title for task in tasks.data] == ["Choose"],
    ),
    "users.search_members_by_name": (
        lambda w: w.sdk.users.search_members_by_name(w.org, "Jonas"),
        lambda w, found: "jonas.weber" in repr(found),
    ),
    "groups.get_groups": (lambda w: w.sdk.groups.get_groups(w.org), lambda w, groups: len(groups) == 4),
    "groups.get_group": (lambda w: w.sdk.groups.get_group(w.org, w.group), lambda w, group: group.name == "Legal"),
    # -- tags and folders
    "tags.get_tags": (
        lambda w: w.sdk.tags.get_tags(w.org, q="urg"),
        lambda w, tags: [tag.title for tag in tags] == ["urgent"],
    ),
    "tags.get_tag": (lambda w: w.sdk.tags.get_tag(w.org, w.tag), lambda w, tag: tag.title == "urgent"),
    "tags.create_tag": (_new_tag, lambda w, tag: w.emulator.tags["late"] == tag.id),
    "tags.update_tag": (
        lambda w: w.sdk.tags.update_tag(w.org, w.tag, title="soon"),
        lambda w, tag: (tag.id, tag.title) == (w.tag, "soon"),
    ),
    "tags.delete_tag": (
        lambda w: w.sdk.tags.delete_tag(w.org, _new_tag(w).id),
        lambda w, _: "late" not in w.emulator.tags,
    ),
    "tags.tag_process": (
        lambda w: w.sdk.tags.tag_process(w.org, w.run.id, w.tag),
        lambda w, _: w.sdk.tasks.get_organization_runs(w.org, tag=w.tag).count == 1,
    ),
    "tags.untag_process": (_untagged, lambda w, _: w.sdk.tasks.get_organization_runs(w.org, tag=w.tag).count == 0),
    "folders.get_folders": (
        lambda w: w.sdk.folders.get_folders(w.org, folder_type="run"),
        lambda w, folders: w.folder in {each.id for each in folders},
    ),
    "folders.get_folder": (
        lambda w: w.sdk.folders.get_folder(w.org, w.folder),
        lambda w, folder: folder.name == "Customers",
    ),
    "folders.create_folder": (_new_folder, lambda w, folder: w.emulator.folders["Late"] == folder.id),
    "folders.update_folder": (
        lambda w: w.sdk.folders.update_folder(w.org, w.folder, name="Clients"),
        lambda w, folder: (folder.id, folder.name) == (w.folder, "Clients"),
    ),
    "folders.delete_folder": (
        lambda w: w.sdk.folders.delete_folder(w.org, _new_folder(w).id),
        lambda w, _: "Late" not in w.emulator.folders,
    ),
    "folders.add_object_to_folder": (
        _link,
        lambda w, _: w.sdk.tasks.get_organization_runs(w.org, folder=w.folder).count == 1,
    ),
    "folders.remove_object_from_folder": (
        lambda w: w.sdk.folders.remove_object_from_folder(w.org, _link(w)["id"]),
        lambda w, _: w.sdk.tasks.get_organization_runs(w.org, folder=w.folder).count == 0,
    ),
    # -- search, also by way of the tasks
    "searches.search_all": (
        lambda w: w.sdk.searches.search_all(w.org, "Discount"),
        lambda w, found: found["process"].data[0].id == w.run.id,
    ),
}


def _search(manager: str, name: str, wanted: str, find: Check) -> tuple[Call, Check]:
    return (lambda w: getattr(getattr(w.sdk, manager), name)(w.org, wanted)), find


for _manager in ("searches", "tasks"):
    for _name, _wanted, _find in (
        ("search", "Discount", lambda w, found: found.data[0].id == w.run.id),
        ("search_processes", "acme", lambda w, found: [each.name for each in found.data] == ["Discount for Acme"]),
        ("search_templates", "Discount", lambda w, found: found.data[0].id == w.checklist["id"]),
        ("search_tasks", "Choose", lambda w, found: found.data[0].run_id == w.run.id),
        ("search_processes_by_name", "Discount for Acme", lambda w, found: found == w.run.id),
        ("find_process_by_name", "discount for acme", lambda w, found: [each.id for each in found] == [w.run.id]),
    ):
        CALLS[f"{_manager}.{_name}"] = _search(_manager, _name, _wanted, _find)
CALLS["searches.search_snippets"] = _search("searches", "search_snippets", "x", lambda w, found: found.data == [])
CALLS["searches.search_templates_by_name"] = CALLS["templates.search_templates_by_name"]


def _methods() -> set[str]:
    sdk = sdk_module.TallyfySDK("token")
    managers = {name: value for name, value in vars(sdk).items() if type(value).__module__.startswith("tallyfy.")}
    return {
        f"{name}.{method}"
        for name, manager in managers.items()
        for method, value in inspect.getmembers(manager, callable)
        if not method.startswith("_")
    }


def test_every_method_is_called_or_is_not_there_on_purpose():
    not_there = {name for name in NOT_THERE if " " not in name}
    assert _methods() == CALLS.keys() | not_there | LOCAL
    assert not CALLS.keys() & not_there


@pytest.mark.parametrize("name", CALLS)
def test_a_method_of_the_sdk(world, name):
    call, check = CALLS[name]
    assert check(world, call(world))


@pytest.mark.parametrize(
    "call",
    [
        lambda w: w.sdk.tags.tag_template(w.org, w.checklist["id"], w.tag),
        lambda w: w.sdk.folders.add_object_to_folder(w.org, w.folder, w.checklist["id"], "checklist"),
        lambda w: w.sdk.templates.create_template(w.org, "New"),
        lambda w: w.sdk.users.create_guest(w.org, "new@acme.example", "New", "Guest"),
        lambda w: w.sdk.groups.create_group(w.org, "New"),
    ],
)
def test_what_is_not_there_says_so(world, call):
    with pytest.raises(sdk_module.TallyfyError) as raised:
        call(world)
    assert raised.value.status_code in (404, 422)


def test_the_feed_as_tallyfys_own_tools_read_it(world):
    query = {"entity_type": "run", "entity_id": world.run.id, "per_page": 100}
    _completed(world)

    rows = world.sdk._make_request("GET", f"organizations/{world.org}/activity-feeds", params=query)["data"]

    assert [(row["type"], row["verb"]) for row in rows] == [
        (["Task"], ["completed"]),
        (["Comment"], ["commented"]),
        (["execution"], ["executed"]),
        (["Process"], ["created"]),
    ]
    check = rows[2]["audit_state"]
    assert (check["conditions"][0]["isMet"], check["actions"]) == (False, [])
    assert rows[2]["auditable_id"] == world.run.id
    assert rows[0]["created_at"] == "2026-11-02 12:00:00"
    for wrong in ({"verb": "executed"}, {"type": "execution"}):
        with pytest.raises(sdk_module.TallyfyError) as raised:
            world.sdk._make_request("GET", f"organizations/{world.org}/activity-feeds", params=wrong)
        assert raised.value.status_code == 422


def test_numbers_in_place_of_objects_are_what_breaks_the_sdk(world):
    world.emulator.quirks = Quirks(numbers_for_objects=True)
    with pytest.raises(sdk_module.TallyfyError):
        world.sdk.organizations.get_organization(world.org)
