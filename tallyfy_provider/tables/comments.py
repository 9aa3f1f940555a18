"""The table of comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.tables.persons import id_of
from tallyfy_provider.tables.schema import Row, Table, columns
from tallyfy_provider.tables.tasks import tasks_of
from tallyfy_provider.utils.html import as_plain_text


def _rows(run: Mapping[str, Any]) -> Iterator[Row]:
    # Tallyfy documents no threads of a run itself in a list of runs; where there are any, they are taken.
    places = [*((task["id"], task.get("threads")) for task in tasks_of(run)), (None, run.get("threads"))]
    seen = set()
    for task_id, threads in places:
        for number, thread in enumerate(rows_of(threads, "comments"), 1):
            given = thread.get("id")
            comment_id = f"{task_id or run['id']}:comment:{number}" if given in (None, "") else str(given)
            if comment_id in seen:
                continue
            seen.add(comment_id)
            yield {
                **thread,
                "id": comment_id,
                "run_id": run["id"],
                "task_id": task_id,
                "author_id": _author_of(thread),
                "content_text": as_plain_text(thread.get("content")),
            }


def _author_of(thread: Mapping[str, Any]) -> Any:
    is_guest = "guest" in str(thread.get("author_type")).lower()
    return id_of(thread.get("author_id"), "guests") or None if is_guest else thread.get("author_id")


COMMENTS = Table(
    name="comments",
    description="Comments, reported problems and what resolved them, a row each.",
    columns=columns(
        ("id", "text", "The comment's id.", False),
        ("run_id", "text", "The run: `runs.id`.", False),
        ("task_id", "text", "The task that it is on: `tasks.id`; null on the run itself, where Tallyfy gives those."),
        ("label", "text", "`comment`, `problem`, `resolve`, `improvement` or `advice`."),
        ("state", "text", "Who sees it: `open`, `hide-for-guests` or `collapsed`."),
        ("content", "text", "What was written, HTML as given."),
        ("content_text", "text", "What was written, as plain text."),
        ("author_id", "text", "Who wrote it: `people.person_id` of a user, or of a guest."),
        ("author_type", "text", "What the author is, as Tallyfy names it."),
        ("resolve_id", "text", "The comment that resolved this problem; null while it is open."),
        ("created_at", "timestamp", "When it was written."),
        ("updated_at", "timestamp", "When it was changed last."),
    ),
    rows=_rows,
    includes=("tasks", "tasks.threads"),
)
