"""The table of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tallyfy_provider.tables.persons import elements_of, ids_of
from tallyfy_provider.tables.schema import Column, Row, Table, columns
from tallyfy_provider.utils.html import as_plain_text

#: The fields of a run (docs/tallyfy-api.md, "Run object"). Ids are text: Tallyfy gives some as a number or as text.
RUN_FIELDS: tuple[Column, ...] = columns(
    ("id", "text", "The run's id.", False),
    ("increment_id", "integer", "The number that people see."),
    ("checklist_id", "text", "The template that it was launched from: `checklists.id`."),
    ("checklist_title", "text", "The title of that template."),
    ("name", "text", "The run's name."),
    ("summary", "text", "Its summary, HTML as given."),
    ("status", "text", "`active`, `delayed`, `problem`, `issue`, `complete`; `archived_at` tells what is archived."),
    ("progress", "json", "Tallyfy's progress as given."),
    ("whole_progress", "json", "Tallyfy's progress of the whole as given."),
    ("started_by", "text", "Who launched it: `people.person_id` of a user."),
    ("owner_id", "text", "Who owns it: `people.person_id` of a user."),
    ("prerun", "json", "The kick-off form's values by field id; `answers` has them one by one."),
    ("prerun_status", "text", "Whether the kick-off form is complete."),
    ("prerun_completed_at", "timestamp", "When the kick-off form was completed."),
    ("prerun_completed_by", "text", "Who completed it."),
    ("prerun_submitted_by", "text", "Who submitted it."),
    ("prerun_length", "integer", "How many values the kick-off form has."),
    ("starred", "boolean", "Whether it is starred."),
    ("is_public", "boolean", "Whether it is public."),
    ("type", "text", "`procedure`, `form` or `document`."),
    ("parent_id", "text", "The run that it belongs to."),
    ("users", "list", "Ids of the users who take part."),
    ("groups", "list", "Ids of the groups that take part."),
    ("collaborators", "list", "Ids of the users who work on it."),
    ("tags", "list", "Titles of its tags."),
    ("created_at", "timestamp", "When it was launched."),
    ("started_at", "timestamp", "When it began."),
    ("last_updated", "timestamp", "When Tallyfy says that it changed last; a comment or an answer may not count."),
    ("due_date", "timestamp", "When it is due."),
    ("due_date_passed", "boolean", "Whether it is overdue."),
    ("due_soon", "boolean", "Whether it is due soon."),
    ("late_tasks", "integer", "How many of its tasks are overdue."),
    ("max_task_deadline", "timestamp", "The latest deadline of its tasks."),
    ("completed_at", "timestamp", "When it was completed."),
    ("archived_at", "timestamp", "When it was archived."),
    ("assign_someone_else", "boolean", "Whether tasks may be given to others."),
    ("can_add_oot", "boolean", "Whether one-off tasks may be added."),
    ("has_open_issue", "boolean", "Whether an issue is open; by the status where Tallyfy does not say."),
    ("custom_fields", "json", "Custom fields as given."),
)
#: Statuses of a run with an open issue, where a run that was asked for by itself does not say.
_OPEN_ISSUE = ("problem", "issue")


def _rows(run: Mapping[str, Any]) -> Iterator[Row]:
    progress = run.get("progress")
    parts = progress if isinstance(progress, Mapping) else {}
    yield {
        **run,
        "users": ids_of(run.get("users"), "users"),
        "groups": ids_of(run.get("groups"), "groups"),
        "collaborators": ids_of(run.get("collaborators"), "users"),
        "tags": _titles(run.get("tags")),
        "has_open_issue": run.get("has_open_issue", run.get("status") in _OPEN_ISSUE),
        "summary_text": as_plain_text(run.get("summary")),
        "tasks_complete": parts.get("complete"),
        "tasks_total": parts.get("total"),
        "percent_complete": progress if isinstance(progress, (int, float)) else parts.get("percent"),
    }


def _titles(tags: Any) -> Any:
    tags = elements_of(tags)
    if not isinstance(tags, list):
        return tags
    return [tag.get("title") or tag.get("name") or tag.get("id") if isinstance(tag, Mapping) else tag for tag in tags]


RUNS = Table(
    name="runs",
    description="Runs (processes), a row each.",
    columns=(
        *RUN_FIELDS,
        *columns(
            ("summary_text", "text", "Its summary as plain text."),
            ("tasks_complete", "integer", "How many of its tasks are complete, as Tallyfy counts them."),
            ("tasks_total", "integer", "How many tasks it has, as Tallyfy counts them."),
            ("percent_complete", "number", "How far it is, from 0 to 100."),
        ),
    ),
    rows=_rows,
    includes=("tags",),
    own_fields=frozenset({"tasks", "ko_form_fields", "form_fields", "checklist", "threads"}),
)
