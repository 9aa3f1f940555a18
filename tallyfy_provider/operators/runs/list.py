"""ListRunsOperator: return the runs that match filters."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from tallyfy_provider.client.redaction import rows_without_guest_links
from tallyfy_provider.client.runs.filter_check import FilterCheck, select
from tallyfy_provider.client.runs.filters import encode
from tallyfy_provider.operators.base import end_empty
from tallyfy_provider.operators.mapping import mappable_output
from tallyfy_provider.operators.runs.base import FilteredRunsOperator
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.plurals import counted
from tallyfy_provider.utils.suggestions import did_you_mean

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context, XComArg

    from tallyfy_provider.client.runs.filters import Query

#: Bytes above which a result burdens a database that holds XComs.
_LARGE_XCOM = 1024 * 1024
#: Rows by which the size of a result is estimated.
_SAMPLE = 20


class ListRunsOperator(FilteredRunsOperator):
    """
    List runs (processes) of Tallyfy and return them as an XCom.

    Returns the runs as Tallyfy gave them (without guest links, which are secrets), or only their ``fields``; pushes
    ``run_ids`` (a list of str) and ``count`` beside them, so that
    ``RunStatusSensor.partial(…).expand(run_id=list_runs.output["run_ids"])`` waits for each.

    :param filters: Tallyfy's own filter names to values, templated: ``q``, ``status``, ``owners``, ``checklist_id``
        and more, see ``docs/guides/list.md``. Lists become comma-separated; an empty string or None is not sent.
        All pages are read, unless a ``page`` is asked for.
    :param fields: Names of the fields to keep of each run, templated; None keeps all.
    :param created_after: Only runs created then or later, templated: ISO 8601 or as Tallyfy writes it, a date or a
        datetime; UTC without a time zone. None or empty text for no bound.
    :param created_before: Only runs created earlier than that; as ``created_after``.
    :param max_runs: Stop after so many runs, templated; None means all.
    :param on_empty: When no run matches: ``pass`` returns an empty list, ``skip`` skips the task, ``fail`` fails it.
    :param strict_filters: Fail when a run comes back with another status, checklist or type than was asked for, which
        means that Tallyfy ignored a filter; otherwise a warning counts them.
    :param on_incomplete: When runs may be missing, since the list moved too much while it was read: ``warn`` (the
        default) logs it, ``fail`` fails the task. ``fail`` also proves that nothing is missing from a long list that
        seems not to move, for 14 % more requests; see ``docs/design/lossless-lists.md``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: A filter's name is wrong (when the Dag is parsed), or its value is (before the first
        request).
    :raises TallyfyResponseError: A page cannot be read, or ``strict_filters`` is set and Tallyfy ignored a filter.
    """

    #: The key of the XCom that is as long as the return value.
    list_key = "run_ids"

    @property
    def output(self) -> XComArg:
        """The runs; ``output["run_ids"]`` are their ids. Both can be mapped over."""
        return mappable_output(self)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the runs."""
        arguments.raise_wrong_literal(self)
        query = encode(self.filters)
        fields = arguments.names("fields", self.fields)
        max_runs = arguments.whole_number("max_runs", self.max_runs)
        created = self._created()
        for note in query.notes:
            self.log.info(note)
        runs = self._list(query, max_runs, created)
        shown = json.dumps({**query.shown, **{name: bound.isoformat() for name, bound in created.items()}})
        self.log.info("Listed %s for filters %s.", counted(len(runs), "run"), shown)
        self._push(context, run_ids=[str(run["id"]) for run in runs], count=len(runs))
        if not runs:
            end_empty(self.on_empty, f"No run matches the filters {shown}")
        result = runs if fields is None else self._select(runs, fields)
        self._warn_of_size(result)
        return result

    def _list(self, query: Query, max_runs: int | None, created: dict[str, datetime]) -> list[dict[str, Any]]:
        check = FilterCheck(query.asked)
        rows = self.hook.client.runs.list_encoded(query, max_runs=max_runs, on_incomplete=self.on_incomplete, **created)
        with closing(rows_without_guest_links(rows, query.params)) as without_secrets:
            runs = list(check.pass_on(without_secrets))
        self._report_mismatches(check.mismatches, "They are returned")
        return runs

    def _select(self, runs: list[dict[str, Any]], fields: list[str]) -> list[dict[str, Any]]:
        known = list(dict.fromkeys(name for run in runs for name in run))
        for name in fields if runs else ():
            if name not in known:
                hint = did_you_mean(name, known) or f"; runs have {', '.join(known)}."
                self.log.warning("fields: no run has %r, so it is None for all%s", name, hint)
        return select(runs, fields)

    def _warn_of_size(self, result: list[dict[str, Any]]) -> None:
        size = _estimated_size(result)
        if size < _LARGE_XCOM or not self.do_xcom_push or not _xcoms_are_in_the_database():
            return
        self.log.warning(
            "The result is about %.1f MB, which is large for an XCom. Write it to a file with "
            "TallyfyToObjectStorageOperator (tallyfy_provider.transfers.object_storage), keep only what is needed with "
            "fields=[…], list less with filters or max_runs, or keep XComs in object storage (XComObjectStorageBackend "
            "of apache-airflow-providers-common-io).",
            size / 1024**2,
        )


def _estimated_size(result: list[dict[str, Any]]) -> int:
    """Estimate the bytes of the result as JSON from a few rows, since measuring all would cost as much as sending."""
    if not result:
        return 0
    sample = result[:: max(1, len(result) // _SAMPLE)]
    return len(json.dumps(sample, default=str)) * len(result) // len(sample)


def _xcoms_are_in_the_database() -> bool:
    backend: str = conf.get("core", "xcom_backend", fallback="")
    return backend.endswith("BaseXCom")
