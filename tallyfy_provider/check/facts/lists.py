"""Facts about pages of lists: what describes them, and in which order rows come."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tallyfy_provider.check import samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.finding import Finding, Unanswered, cannot_tell, differs, found, holds, own_answer
from tallyfy_provider.check.reader import ApiReader, ListPage, Row
from tallyfy_provider.check.samples import NUMBER, PART
from tallyfy_provider.check.shapes import type_of
from tallyfy_provider.client.filtering import MAX_PAGE_SIZE
from tallyfy_provider.utils.timestamps import parse_timestamp

LISTS = Subject("lists", "Pagination")

_KEYS = ("total", "count", "per_page", "current_page")
_LINKS = ("previous", "next")
#: Runs that are asked for at once at most.
_MOST_AT_ONCE = 300


@LISTS.fact("envelope", "A list is an array under data, whose rows are objects with an id", "a page of runs")
def envelope(reader: ApiReader) -> Finding:
    response = reader.response("runs", params=samples.OLDEST)
    if not response.is_success:
        return cannot_tell(f"It needs a list; Tallyfy answered {response.status}.", status=response.status)
    rows = response.payload.get("data") if isinstance(response.payload, dict) else None
    if not isinstance(rows, list):
        return differs(data=type_of(rows))
    with_id = sum(isinstance(row, dict) and row.get("id") not in (None, "") for row in rows)
    return found(with_id == len(rows), data=type_of(rows), rows=len(rows), with_id=with_id)


@LISTS.fact("meta", "meta.pagination holds total, count, per_page and current_page", "a page of runs")
def meta(reader: ApiReader) -> Finding:
    page = samples.oldest(reader)
    quirks = {"meta": bool(page.pagination)}
    if not page.pagination:
        return differs("There is no meta.pagination.", meta=False, quirks=quirks)
    types = {key: type_of(page.pagination.get(key)) for key in _KEYS}
    is_right = page.pagination.get("count") in (None, len(page.rows)) and page.total is not None
    numbers = [page.pagination.get("current_page") == 1]
    again = samples.optional(lambda: samples.middle(reader)) if len(page.rows) >= PART * NUMBER else None
    if again is not None and again.pagination:
        is_right = is_right and samples.is_same_count(page.total or 0, again.total or 0)
        is_right = is_right and again.pagination.get("count") in (None, len(again.rows))
        numbers.append(again.pagination.get("current_page") == NUMBER)
    fits = is_right and all(numbers) and set(types.values()) == {"number"}
    return found(fits, quirks=quirks, **types, right_pages=numbers)


@LISTS.fact("total-pages", "meta.pagination.total_pages is the last page", "a page of runs")
def total_pages(reader: ApiReader) -> Finding:
    page = _with_meta(samples.oldest(reader))
    pages, total = page.pagination.get("total_pages"), samples.total_of(reader, page)
    if not isinstance(pages, int):
        return differs(total_pages=type_of(pages), quirks={"total_pages": "total_pages" in page.pagination})
    if total is None:
        return cannot_tell("It needs meta.pagination.total.")
    # Tallyfy may count pages of 10 rows, whatever was asked for; the larger number counts.
    sizes = {"as_asked": MAX_PAGE_SIZE, "of_ten": 10, "as_told": page.pagination.get("per_page")}
    if len(page.rows) < min(total, MAX_PAGE_SIZE):
        sizes["as_given"] = len(page.rows)
    fits = {name: max(1, math.ceil(total / size)) for name, size in sizes.items() if isinstance(size, int) and size > 0}
    names = [name for name, count in fits.items() if count == pages]
    ignores = names == ["of_ten"] if fits["of_ten"] > 1 else None
    quirks = {"total_pages": True} | ({} if ignores is None else {"total_pages_ignores_per_page": ignores})
    return found(bool(names), pages=names, quirks=quirks)


@LISTS.fact("links", "links is an object of next and previous, or [], null, or missing", "two pages of runs")
def links(reader: ApiReader) -> Finding:
    pages = [_with_meta(samples.oldest(reader)), _with_meta(samples.middle(reader))]
    shapes = [_links_shape(page.pagination) for page in pages]
    quirk = _links_quirk([page.pagination for page in pages])
    return found("other text" not in shapes, links=shapes, quirks={} if quirk is None else {"links": quirk})


def _links_shape(pagination: Any) -> str:
    if "links" not in pagination:
        return "absent"
    value = pagination["links"]
    if not isinstance(value, dict) or not value:
        return type_of(value) if value in (None, [], {}) else "other text"
    if not set(value) <= set(_LINKS):
        return "other text"
    if not all(link is None or isinstance(link, str) for link in value.values()):
        return "other text"
    return "nulls" if None in value.values() else " and ".join(sorted(value))


def _links_quirk(paginations: list[Any]) -> str | None:
    """Return the emulator's name of the shape that links have; None where it is none of these."""
    shapes = [pagination.get("links", "absent") for pagination in paginations]
    if all(shape == "absent" for shape in shapes):
        return "absent"
    if all(shape is None for shape in shapes):
        return "null"
    objects = [shape for shape in shapes if isinstance(shape, dict)]
    if not objects:
        return "empty list" if all(shape == [] for shape in shapes) else None
    if any(value is None for links in objects for value in links.values()):
        return "nulls"
    return "both" if any("previous" in links for links in objects) else "next"


@LISTS.fact(
    "links-target", "A next link may lead to another host, or lose the filters; it is never followed", "the same"
)
def links_target(reader: ApiReader) -> Finding:
    page = _with_meta(samples.middle(reader))
    value = page.pagination.get("links")
    link = next((each for each in value.values() if isinstance(each, str)), None) if isinstance(value, dict) else None
    if link is None:
        return holds("There is no link.", link=False)
    is_same_host = urlsplit(link).netloc in ("", urlsplit(reader.client.session.base_url).netloc)
    keeps = "sort" in dict(parse_qsl(urlsplit(link).query))
    return holds(
        link=True,
        same_host=is_same_host,
        keeps_filters=keeps,
        quirks={"links_keep_filters": keeps} | ({} if is_same_host else {"link_base": "https://elsewhere.example"}),
    )


@LISTS.fact("page-size", "100 rows come on a page where 100 are asked for", "runs, and tasks, 100 to a page")
def page_size(reader: ApiReader) -> Finding:
    pages = [page for page in (samples.oldest(reader), _tasks(reader)) if page is not None]
    longest = max(pages, key=lambda page: (len(page.rows), page.total or 0))
    told = next((page.pagination["per_page"] for page in pages if "per_page" in page.pagination), None)
    seen: dict[str, Any] = {"rows": len(longest.rows), "told": told if isinstance(told, int) else type_of(told)}
    if len(longest.rows) >= MAX_PAGE_SIZE:
        return holds(quirks={"per_page_cap": MAX_PAGE_SIZE}, **seen)
    capped = [page for page in pages if page.total is not None and len(page.rows) < min(page.total, MAX_PAGE_SIZE)]
    if capped and len({len(page.rows) for page in capped}) == 1 and capped[0].rows:
        tells = {"per_page_tells": "asked" if told == MAX_PAGE_SIZE else "capped"}
        return differs(**seen, quirks={"per_page_cap": len(capped[0].rows), **tells})
    if isinstance(told, int) and told < MAX_PAGE_SIZE:
        return differs(**seen, quirks={"per_page_cap": told})
    return cannot_tell("It needs a list of more than 100 rows.", **seen)


@LISTS.fact("page-size-cap", "More than 100 rows to a page are never asked for", "tasks or runs, 101 to a page")
def page_size_cap(reader: ApiReader) -> Finding:
    asked = MAX_PAGE_SIZE + 1
    tasks = _tasks(reader)
    if (samples.oldest(reader).total or 0) >= asked:
        page = reader.runs(sort="created_at", per_page=asked, page=1)
    elif tasks is not None and (tasks.total or 0) >= asked:
        page = reader.page("tasks", params={"status": "all", "per_page": str(asked), "page": "1"})
    else:
        return cannot_tell("It needs a list of more than 100 rows.")
    told = page.pagination.get("per_page")
    is_capped = len(page.rows) < asked
    quirks = {"per_page_tells": "asked" if told == asked else "capped"} if is_capped else {"per_page_cap": 9999}
    return holds(rows=len(page.rows), told=told if isinstance(told, int) else type_of(told), quirks=quirks)


def _tasks(reader: ApiReader) -> ListPage | None:
    """Return the tasks of the organization, which are more than its runs; None where they cannot be had."""
    return samples.optional(lambda: samples.tasks(reader))


@LISTS.fact("rows-as-announced", "A page holds as many rows as meta announces", "two pages of runs")
def rows_as_announced(reader: ApiReader) -> Finding:
    first, middle = _with_meta(samples.oldest(reader)), _with_meta(samples.middle(reader))
    total = samples.total_of(reader, first)
    if total is None:
        return cannot_tell("It needs meta.pagination.total.")
    expected = min(total, MAX_PAGE_SIZE, _cap(first))
    in_the_middle = max(0, min(total - PART * (NUMBER - 1), PART, _cap(middle)))
    missing = expected - len(first.rows), in_the_middle - len(middle.rows)
    empty = 1 if expected and not first.rows else NUMBER if in_the_middle and not middle.rows else None
    quirks = {} if empty is None else {"empty_page": empty}
    return found(max(missing) <= 0, rows=[len(first.rows), len(middle.rows)], missing=list(missing), quirks=quirks)


def _cap(page: ListPage) -> int:
    told = page.pagination.get("per_page")
    return told if isinstance(told, int) and told > 0 else MAX_PAGE_SIZE


@LISTS.fact("sort-oldest-first", "sort=created_at gives the oldest first", "a page of runs", section="Filters")
def sort_oldest_first(reader: ApiReader) -> Finding:
    with own_answer(unless=samples.has_other_lists(reader)):
        return _is_sorted(samples.oldest(reader).rows, 1)


@LISTS.fact("sort-newest-first", "sort=-created_at gives the newest first", "a page of runs", section="Filters")
def sort_newest_first(reader: ApiReader) -> Finding:
    with own_answer(unless=samples.has_other_lists(reader)):
        return _is_sorted(samples.newest(reader).rows, -1)


def _is_sorted(rows: list[Row], sign: int) -> Finding:
    times = [parse_timestamp(row.get("created_at")) for row in rows]
    seconds = [math.floor(time) for time in times if time is not None]
    if len(set(seconds)) < 2:
        return cannot_tell("It needs two runs that were created at different times.", rows=len(rows))
    wrong = sum(sign * one > sign * other for one, other in pairwise(seconds))
    return found(
        wrong == 0 and len(seconds) == len(rows), rows=len(rows), wrong=wrong, without_date=len(rows) - len(seconds)
    )


@LISTS.fact("sort-name", "sort=name gives runs by their names", "a page of runs by name", section="Filters")
def sort_name(reader: ApiReader) -> Finding:
    with own_answer(unless=samples.has_other_lists(reader)):
        rows = reader.runs(sort="name", per_page=50, page=1).rows
    names = [_plain(str(row.get("name"))) for row in rows if not str(row.get("name")).startswith("\ufeff")]
    if len(set(names)) < 3:
        return cannot_tell("It needs three runs with different names.", rows=len(rows))
    wrong = sum(one > other for one, other in pairwise(names))
    return found(wrong <= len(names) // 10, rows=len(rows), wrong=wrong)  # collations differ a little


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


@LISTS.fact(
    "stable-pages", "Sorted by created_at, a page is a contiguous part of the list, the same each time", "a part again"
)
def stable_pages(reader: ApiReader) -> Finding:
    rows = samples.needed(samples.oldest(reader).ids[PART * (NUMBER - 1) :], "more than 20 runs")
    again = samples.middle(reader).ids
    expected = rows[: len(again)] if len(again) < PART else rows[:PART]
    if not again:
        return cannot_tell("It needs a second page with rows.")
    moved = sum(one != other for one, other in zip(expected, again, strict=False))
    return found(moved == 0, rows=len(again), moved=moved)


@LISTS.fact("past-the-end", "A page past the end is empty, or refused with 404 or 422", "a page far behind the end")
def past_the_end(reader: ApiReader) -> Finding:
    first = samples.oldest(reader)
    number = (first.total or 0) // MAX_PAGE_SIZE + 1000
    params = {"sort": "created_at", "per_page": str(MAX_PAGE_SIZE), "page": str(number)}
    response = reader.response("runs", params=params)
    if 400 <= response.status < 500 and response.status not in (401, 403, 429):
        return found(response.status in (404, 422), status=response.status)
    with own_answer(unless=samples.has_other_lists(reader)):
        rows = reader.page("runs", params=params).ids
    if not rows:
        return holds(status=response.status, rows=0, quirks={"endless": False})
    repeats = not set(rows).isdisjoint(first.ids)
    quirks = {"endless": True, "endless_rows": "repeat" if repeats else "new"}
    return differs(status=response.status, rows=len(rows), repeats=repeats, quirks=quirks)


@LISTS.fact(
    "without-pagination", "without_pagination=true gives all rows at once", "runs of one name", section="Filters"
)
def without_pagination(reader: ApiReader) -> Finding:
    """Ask for few runs: all of a large organization would be too many."""
    checklist_id, filtered = samples.of_one_checklist(reader)
    total = samples.total_of(reader, filtered)
    if total is None or not 1 < total <= _MOST_AT_ONCE:
        return cannot_tell(f"It needs a checklist with 2 to {_MOST_AT_ONCE} runs.")
    with own_answer():
        page = reader.runs(checklist_id=checklist_id, per_page=1, page=1, without_pagination="true")
    return found(samples.is_same_count(len(page.rows), total), rows=len(page.rows), total=total)


def _with_meta(page: ListPage) -> ListPage:
    if not page.pagination:
        raise Unanswered(cannot_tell("It needs meta.pagination."))
    return page
