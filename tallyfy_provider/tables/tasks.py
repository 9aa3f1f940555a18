"""The table of tasks, and who they are assigned to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.exceptions import TallyfyResponseError
from tallyfy_provider.tables.persons import PERSON_KINDS, id_of, ids_of
from tallyfy_provider.tables.schema import Row, Table, columns
from tallyfy_provider.utils.html import as_plain_text


def tasks_of(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tasks that came along with a run, each once."""
    tasks = rows_of(run.get("tasks"), "tasks")
    by_id = {task.get("id"): task for task in reversed(tasks)}
    if not {None, ""}.isdisjoint(by_id):
        raise TallyfyResponseError(f"Tallyfy gave a task without an id in run {run.get('id')}.")
    return tasks if len(by_id) == len(tasks) else list(by_id.values())[::-1]


def _rows(run: Mapping[str, Any]) -> Iterator[Row]:
    for task in tasks_of(run):
        yield {
            **task,
            "run_id": run["id"],
            "summary_text": as_plain_text(task.get("summary")),
            "completer_guest": id_of(task.get("completer_guest"), "guests") or None,
        }


def _assignees(run: Mapping[str, Any]) -> Iterator[Row]:
    for task in tasks_of(run):
        owners = task.get("owners")
        for kind, name in PERSON_KINDS.items():
            people = ids_of(owners.get(kind), kind) if isinstance(owners, Mapping) else None
            for person_id in dict.fromkeys(people if isinstance(people, list) else []):
                if person_id:
                    yield {
                        "id": f"{task['id']}:{name}:{person_id}",
                        "run_id": run["id"],
                        "task_id": task["id"],
                        "kind": name,
                        "person_id": person_id,
                    }


TASKS = Table(
    name="tasks",
    description="Tasks (steps of runs), a row each, those that a rule hides (`auto-skipped`) too.",
    columns=columns(
        ("id", "text", "The task's id.", False),
        ("run_id", "text", "The run that it belongs to: `runs.id`.", False),
        ("checklist_id", "text", "The template: `checklists.id`."),
        ("step_id", "text", "The step of the template that it comes from: `steps.id`; null for a one-off task."),
        ("increment_id", "integer", "The number that people see."),
        ("title", "text", "Its title."),
        ("original_title", "text", "Its title in the template."),
        ("alias", "text", "Its machine-readable name."),
        ("position", "integer", "Its place in the run, from 1."),
        ("task_type", "text", "`task`, `approval`, `expiring`, `email` or `expiring_email`."),
        ("status", "text", "`not-started`, `active`, `completed`, `auto-skipped` and others, as Tallyfy has them."),
        ("status_label", "text", "Such as `approved`, `rejected`, `acknowledged`, `expired`."),
        ("is_approved", "boolean", "The decision of an approval."),
        ("problem", "boolean", "Whether it has an open issue."),
        ("deadline", "timestamp", "When it is due."),
        ("started_at", "timestamp", "When it began."),
        ("completed_at", "timestamp", "When it was completed."),
        ("completer_id", "text", "Who completed it: `people.person_id` of a user."),
        ("completer_guest", "text", "The address of the guest who completed it: `people.person_id` of a guest."),
        ("starter_id", "text", "Who started it: `people.person_id` of a user."),
        ("created_at", "timestamp", "When it was made."),
        ("last_updated", "timestamp", "When Tallyfy says that it changed last."),
        ("archived_at", "timestamp", "When it was archived."),
        ("is_oneoff_task", "boolean", "Whether a person added it, so that it comes from no step."),
        ("everyone_must_complete", "boolean", "Whether each assignee has to complete it."),
        ("max_assignable", "integer", "How many people may be assigned."),
        ("deadline_set_by_hand", "boolean", "Whether automations leave the deadline alone."),
        ("stage_id", "text", "Its stage."),
        ("run_status", "text", "The status of the run."),
        ("top_secret", "boolean", "Whether only its assignees see it."),
        ("summary", "text", "Its summary, HTML as given, where Tallyfy gives it."),
        ("summary_text", "text", "Its summary as plain text."),
        ("custom_fields", "json", "Custom fields as given."),
    ),
    rows=_rows,
    includes=("tasks",),
    own_fields=frozenset({"owners", "form_fields", "threads", "taskdata", "run", "webhook", "comments"}),
)
ASSIGNEES = Table(
    name="assignees",
    description="Who each task is assigned to, a row for each task and person.",
    columns=columns(
        ("id", "text", "The task, the kind and the person: one row each.", False),
        ("run_id", "text", "The run: `runs.id`.", False),
        ("task_id", "text", "The task: `tasks.id`.", False),
        ("kind", "text", "`user`, `guest` or `group`, as `people.kind`.", False),
        ("person_id", "text", "The user's id, the guest's address or the group's id: `people.person_id`.", False),
    ),
    rows=_assignees,
    includes=("tasks",),
)
