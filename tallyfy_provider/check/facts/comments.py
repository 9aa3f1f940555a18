"""Facts about comments and problems."""

from __future__ import annotations

from itertools import pairwise

from tallyfy_provider.check import samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.finding import Finding, cannot_tell, differs, found, holds
from tallyfy_provider.check.reader import ApiReader, Row
from tallyfy_provider.check.shapes import READ_DATES, date_forms, id_forms, not_known, split_known
from tallyfy_provider.client.comments import LABELS
from tallyfy_provider.utils.arguments import COMMENT_STATES
from tallyfy_provider.utils.timestamps import parse_timestamp

COMMENTS = Subject("comments", "Endpoints")


def _all(reader: ApiReader) -> list[Row]:
    return [thread for rows in samples.threads(reader) for thread in rows]


@COMMENTS.fact("thread-ids", "Ids of threads are text of 32 hexadecimal digits", "the threads of tasks")
def thread_ids(reader: ApiReader) -> Finding:
    forms = id_forms(thread.get("id") for thread in _all(reader))
    return found(forms == ["32 hexadecimal digits"], ids=forms)


@COMMENTS.fact("thread-times", "created_at of a thread tells its time, as times of tasks do", "the threads of tasks")
def thread_times(reader: ApiReader) -> Finding:
    times = [thread.get("created_at") for thread in _all(reader)]
    unread = sum(parse_timestamp(time) is None for time in times)
    forms = date_forms(times)
    return found(unread == 0 and set(forms) <= READ_DATES, dates=forms, unread=unread)


@COMMENTS.fact("thread-sequence", "Threads are listed in the order of time, or against it", "the threads of tasks")
def thread_order(reader: ApiReader) -> Finding:
    return order_of(samples.threads(reader))


def order_of(by_task: list[list[Row]]) -> Finding:
    """Return in which order the threads of tasks are listed, which is not documented; what needs one sorts them."""
    times = [[parse_timestamp(thread.get("created_at")) or 0.0 for thread in rows] for rows in by_task]
    steps = [other - one for each in times for one, other in pairwise(each) if one != other]
    if not steps:
        return cannot_tell("It needs a task with two comments that were written at different times.")
    newest_first = all(step < 0 for step in steps)
    if not newest_first and not all(step > 0 for step in steps):
        return differs("They are sorted by created_at where that matters.", sequence="mixed")
    sequence = "newest first" if newest_first else "oldest first"
    return holds(sequence=sequence, quirks={"newest_thread_first": newest_first})


@COMMENTS.fact("thread-states", "state of a thread is open, hide-for-guests or collapsed", "the threads of tasks")
def thread_states(reader: ApiReader) -> Finding:
    known, others = split_known((thread.get("state") for thread in _all(reader)), COMMENT_STATES)
    return found(bool(known) and not others, not_known(others), states=known, others=len(others))


@COMMENTS.fact("thread-labels", "label of a thread is one of those that are documented", "the threads of tasks")
def thread_labels(reader: ApiReader) -> Finding:
    known, others = split_known((thread.get("label") for thread in _all(reader)), LABELS)
    return found(bool(known) and not others, not_known(others), labels=known, others=len(others))


@COMMENTS.fact("open-problem", "An open problem has the label problem and no resolve_id", "the threads of tasks")
def open_problem(reader: ApiReader) -> Finding:
    page = samples.optional(lambda: samples.tasks_with_problem(reader))
    rows = [*samples.tasks(reader).rows, *(page.rows if page else [])]
    with_problem = [row for row in rows if row.get("problem") is True and isinstance(row.get("threads"), (dict, list))]
    tasks = samples.needed(with_problem, "a task with an open problem")
    without = sum(not any(_is_open(thread) for thread in samples.rows_in(task, "threads")) for task in tasks)
    return found(without == 0, tasks=len(tasks), without=without)


def _is_open(thread: Row) -> bool:
    return thread.get("label") == "problem" and not thread.get("resolve_id")
