"""Answers, comments and assignees of generated runs, each made of the run's number: none is kept in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tallyfy_emulator.model.forms import FormField
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.task import Owners, Task, Thread
from tallyfy_emulator.model.wire import format_date, stable_id

_DAY = 86400.0
_MINUTE = 60.0
#: One answer of so many is missing, one task of so many has comments, one of so many a guest.
_UNANSWERED, _COMMENTED, _WITH_GUEST = 7, 3, 5


def invented_answers(fields: tuple[FormField, ...], number: int, since: float) -> dict[str, Any]:
    """Return values for a form, by the ids of its fields."""
    answered = [(place, field) for place, field in enumerate(fields) if (number + place) % _UNANSWERED]
    return {field.id: _answer(field, number + place, since) for place, field in answered}


def with_invented_work(run: Run, guests: tuple[str, ...]) -> Run:
    """Return a run whose tasks have answers, comments and assignees."""
    tasks = tuple(
        task if task.auto_skipped else _with_work(run, place, task, guests) for place, task in enumerate(run.tasks)
    )
    return replace(run, tasks=tasks)


def _with_work(run: Run, place: int, task: Task, guests: tuple[str, ...]) -> Task:
    number = run.increment_id + place
    threads = task.threads
    if number % _COMMENTED == 0:
        threads = (*threads, *(_comment(run, task, count) for count in range(1 + number % 2)))
    owners = task.owners
    if guests and number % _WITH_GUEST == 0:
        owners = Owners(owners.users, (guests[number % len(guests)],), owners.groups)
    return replace(
        task, values=invented_answers(task.form_fields, number, run.created_at), threads=threads, owners=owners
    )


def _comment(run: Run, task: Task, count: int) -> Thread:
    content = f"<p>Task {task.position} of {run.increment_id}: call <b>back</b> &amp; note {count}.</p>"
    at = run.created_at + _MINUTE * (count + 1)
    return Thread(stable_id("comment", task.id, count), "comment", content, run.owner_id, at, number=count)


def _answer(field: FormField, number: int, since: float) -> Any:
    options = field.option_rows()
    kind = field.field_type
    if kind == "text":
        return f"{number % 1000}.{number % 90 + 10}" if number % 2 else f"{field.label} {number}"
    if kind == "textarea":
        return f"<p>{field.label} of <b>{number}</b></p><p>Second line &amp; more</p>"
    if kind == "date":
        return format_date(since + _DAY * (number % 30))
    if kind == "email":
        return f"person{number}@acme.example"
    if kind == "radio":
        return options[number % len(options)]["text"]
    if kind == "dropdown":
        return options[number % len(options)]
    if kind == "multiselect":
        return [option | {"selected": bool((number + option["id"]) % 2)} for option in options]
    if kind == "table":
        return [f"{column} {number}" for column in field.columns]
    if kind == "assignees_form":
        return {"users": [], "guests": [f"guest{number}@acme.example"], "groups": []}
    return [{"id": stable_id("file", number), "filename": f"file-{number}.pdf"}]
