"""The ways in which Tallyfy's answers differ, or may differ, from one account to the next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args, get_origin, get_type_hints

LinksShape = Literal["next", "both", "nulls", "empty list", "null", "absent"]
EndlessRows = Literal["repeat", "new"]
FeedDates = Literal["iso", "sql"]
IssueEntity = Literal["thread", "task", "run"]
FormValueKey = Literal["field_value", "value"]
TaskDoneStatus = Literal["completed", "complete"]
CompletedTwice = Literal["fires again", "error"]
FormReadback = Literal["sent", "rendered"]
ListIncludes = Literal["given", "without nested", "left out", "refused"]


@dataclass(frozen=True)
class Quirks:
    """
    Which of the known shapes the emulator's answers take. The defaults are the best-behaved ones.

    :param links: shape of ``meta.pagination.links``: ``next`` = ``{"next": url}`` while there is a next page,
        else ``[]``; ``both`` = ``{"previous", "next"}`` as far as each exists; ``nulls`` = both keys, null
        where there is no such page; ``empty list`` = always ``[]``, PHP's empty object; ``null`` = null;
        ``absent`` = no such key.
    :param link_base: address that ``links`` point to, such as ``https://elsewhere.example``; the emulator's
        own address when None. A client that follows it hands its token to another host.
    :param links_keep_filters: whether ``links`` repeat the request's filters. False: only ``page`` is in
        them.
    :param total_pages: whether ``meta.pagination`` holds ``total_pages``.
    :param meta: whether a list has a ``meta`` at all.
    :param per_page_cap: the most rows on a page, whatever was asked for; the answer echoes the capped number.
    :param per_page_tells: the ``per_page`` that an answer with fewer rows than were asked for tells: the ``capped``
        number, or the one that was ``asked`` for, with ``total_pages`` to match.
    :param total_pages_ignores_per_page: compute ``total_pages`` as if there were 10 rows on each page.
    :param numbers_for_objects: write numbers where objects belong: ``auto_archive_processes_after``, and ``progress``
        of some runs that are added from then on, as samples of the documentation do. Tallyfy's SDK cannot read them.
    :param archived_run_status: what GET of one archived run answers: 200, or 404. Undocumented, so try both.
    :param archived_reads_as: the ``status`` of one archived run in that answer: ``archived`` (as documented
        for the answer to archiving), or ``previous``, the value from before, with only ``archived_at``
        telling. In lists it is always the previous one.
    :param empty_page: number of a page that comes back without rows although more pages follow; None = no
        such page.
    :param list_lag: seconds by which lists of runs and of tasks (not GET of one) are behind, as a read replica is.
    :param endless: the list never ends: there is always one page more, and each page has rows.
    :param endless_rows: what an endless list holds past its real end: ``repeat`` = the first page again and
        again; ``new`` = runs never seen before.
    :param plus_is_space: read ``+`` in a query as a space. False: it is a plus sign, and only ``%20`` is a
        space.
    :param feed: whether the activity feed may be read. False: it answers 403.
    :param feed_dates: how the feed writes times: ``sql`` = ``2026-10-31 09:00:00`` in UTC, as measured; ``iso`` =
        ``2026-10-31T09:00:00Z``, as documented.
    :param feed_lag: seconds by which the feed is behind.
    :param feed_duplicates: begin each page of the feed with the last row of the page before, under the same id.
    :param feed_issue_entity: what the feed says that an issue was reported on or resolved on: the ``thread`` that
        holds it, the ``task``, or the ``run``. Undocumented, so try all.
    :param feed_task_rows: include completed tasks in the feed, as the real one does. False: runs and issues only.
    :param feed_execution_rows: include evaluations of rules in the feed, as the real one does.
    :param feed_strict: answer 422 to every parameter of the feed whose value it does not know. False: to ``verb`` and
        ``type`` only, and others are ignored.
    :param feed_records: whether what happens is recorded in the feed. False: what happens from then on is never in it.
    :param feed_work_rows: include comments, answers and changes of tasks in the feed, as the real one does. False: only
        launches, completions, issues and the like.
    :param work_touches_run: whether a change of a task, a form or a comment shows in ``last_updated`` of its run.
        Undocumented, so try both.
    :param list_includes: what a list of runs does with tasks, forms and comments that are asked for with ``with``:
        ``given``; ``without nested`` = tasks come without their forms and comments; ``left out`` = none of them comes;
        ``refused`` = 422. Documented for one run only, so try all.
    :param newest_thread_first: list the comments of a task from the newest to the oldest. The order is undocumented.
    :param form_value_key: under which key a form field holds its value: ``field_value``, as tested by Tallyfy's own
        tools, or ``value``, as in a sample of the documentation.
    :param form_readback: how the values of a form come back: as they were ``sent``, or ``rendered``: dates in full,
        such as ``2026-10-31T00:00:00.000Z``, long texts as HTML, a multiselect with the options that are not selected.
        Undocumented, so try both.
    :param task_done_status: the status of a completed task: ``completed`` or ``complete``.
    :param complete_twice: what completing a completed task does: ``fires again`` = 200, and webhooks and e-mails go out
        once more; ``error`` = 422. Sources contradict each other, so try both.
    :param taskdata_replaces: whether ``taskdata`` or ``prerun`` of an update wipes the values of the fields that it
        does not have. Undocumented, so try both.
    :param run_put_wipes: whether an update of a run without ``users`` or ``groups`` unassigns all of them.
    """

    links: LinksShape = "next"
    link_base: str | None = None
    links_keep_filters: bool = True
    total_pages: bool = True
    meta: bool = True
    per_page_cap: int = 100
    per_page_tells: Literal["capped", "asked"] = "capped"
    total_pages_ignores_per_page: bool = False
    numbers_for_objects: bool = False
    archived_run_status: Literal[200, 404] = 200
    archived_reads_as: Literal["archived", "previous"] = "archived"
    empty_page: int | None = None
    list_lag: float = 0.0
    endless: bool = False
    endless_rows: EndlessRows = "repeat"
    plus_is_space: bool = False
    feed: bool = True
    feed_dates: FeedDates = "sql"
    feed_lag: float = 0.0
    feed_duplicates: bool = False
    feed_issue_entity: IssueEntity = "thread"
    feed_task_rows: bool = True
    feed_execution_rows: bool = True
    feed_strict: bool = False
    feed_records: bool = True
    feed_work_rows: bool = True
    work_touches_run: bool = True
    list_includes: ListIncludes = "given"
    newest_thread_first: bool = False
    form_value_key: FormValueKey = "field_value"
    form_readback: FormReadback = "sent"
    task_done_status: TaskDoneStatus = "completed"
    complete_twice: CompletedTwice = "fires again"
    taskdata_replaces: bool = False
    run_put_wipes: bool = True

    def __post_init__(self) -> None:
        for name, words in _words().items():
            _check(getattr(self, name) in words, name, self, f"one of {', '.join(map(repr, words))}")
        _check(self.per_page_cap >= 1, "per_page_cap", self, "1 or more rows")
        _check(self.empty_page is None or self.empty_page >= 1, "empty_page", self, "a page, counted from 1")
        _check(self.list_lag >= 0, "list_lag", self, "zero or more seconds")
        _check(self.feed_lag >= 0, "feed_lag", self, "zero or more seconds")


@cache
def _words() -> dict[str, tuple[str, ...]]:
    """Return the words that each quirk of words may have. Read from the types once: tests make thousands of quirks."""
    hints = get_type_hints(Quirks).items()
    return {name: get_args(hint) for name, hint in hints if get_origin(hint) is Literal}


def _check(fits: bool, name: str, quirks: Quirks, wanted: str) -> None:
    if not fits:
        raise ValueError(f"Quirks.{name} is {getattr(quirks, name)!r}: give {wanted}.")
