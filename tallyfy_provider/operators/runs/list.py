"""ListRunsOperator: hands on the runs that match filters."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException, conf

from tallyfy_provider.client.redaction import rows_without_guest_links
from tallyfy_provider.client.runs.filter_check import FilterCheck, select
from tallyfy_provider.client.runs.filters import RUN_FILTERS, encode
from tallyfy_provider.exceptions import TallyfyError, TallyfyInputError, TallyfyResponseError
from tallyfy_provider.operators.base import TallyfyBaseOperator
from tallyfy_provider.operators.mapping import mappable_output
from tallyfy_provider.utils.arguments import whole_number

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from tallyfy_provider.client.runs.filters import Query, RunFilters

OnEmpty = Literal["pass", "skip", "fail"]
_ON_EMPTY = ("pass", "skip", "fail")
#: Results above this many bytes weigh on every database that holds XComs.
_LARGE_XCOM = 1024 * 1024
_SAMPLE = 20


class ListRunsOperator(TallyfyBaseOperator):
    """
    List runs (processes) of Tallyfy and hand them on by XCom.

    Returns the runs as Tallyfy gave them (without guest links, which are secrets), or only their ``fields``; pushes
    ``run_ids`` (a list of str) and ``count`` beside them, so that
    ``RunStatusSensor.partial(…).expand(run_id=list_runs.output["run_ids"])`` waits for each.

    :param filters: Tallyfy's own filter names to values, templated: ``q``, ``status``, ``owners``, ``checklist_id``
        and more, see ``docs/listing.md``. Lists become comma-separated; an empty string or None is not sent. All pages
        are read, unless a ``page`` is asked for.
    :param fields: Names of the fields to keep of each run, templated; None keeps all.
    :param max_runs: Stop after so many runs, templated; None means all.
    :param on_empty: When no run matches: ``pass`` an empty list on, ``skip`` the task, or ``fail`` it.
    :param strict_filters: Fail when a run comes back with another status, checklist or type than was asked for, which
        means that Tallyfy ignored a filter; otherwise a warning counts them.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: A filter's name is wrong (when the Dag is parsed), or its value is (before anything is
        asked of Tallyfy).
    :raises TallyfyError: Of the kind that fits what Tallyfy answered.
    """

    template_fields: Sequence[str] = ("filters", "fields", "max_runs", "tallyfy_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}

    def __init__(
        self,
        *,
        filters: RunFilters | Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
        max_runs: int | str | None = None,
        on_empty: OnEmpty = "pass",
        strict_filters: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Names of filters are never templates, and values often are not: what is wrong already is refused already.
        if isinstance(filters, Mapping):
            RUN_FILTERS.check_names(filters)
            RUN_FILTERS.check_literals(filters)
        if on_empty not in _ON_EMPTY:
            raise TallyfyInputError(f"on_empty is {on_empty!r}; it takes 'pass', 'skip' or 'fail'.")
        self.filters = filters
        self.fields = fields
        self.max_runs = max_runs
        self.on_empty = on_empty
        self.strict_filters = strict_filters

    @property
    def output(self) -> XComArg:
        """The runs; ``output["run_ids"]`` are their ids. Both can be mapped over."""
        return mappable_output(self)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """
        List the runs.

        :param context: Airflow's task context.
        :return: The runs, or their ``fields``.
        """
        query = encode(self.filters)
        fields = _names(self.fields)
        max_runs = whole_number("max_runs", self.max_runs)
        for note in query.notes:
            self.log.info(note)
        runs = self._list(query, max_runs)
        self.log.info("Listed %d runs for filters %s.", len(runs), json.dumps(query.shown))
        result = runs if fields is None else self._selected(runs, fields)
        self._push(context, [str(run["id"]) for run in runs])
        if not runs:
            self._meet_emptiness(query)
        self._warn_of_size(result)
        return result

    def _list(self, query: Query, max_runs: int | None) -> list[dict[str, Any]]:
        check = FilterCheck(query.asked)
        runs = []
        rows = self.hook.client.runs.list_encoded(query, max_runs=max_runs)
        with closing(rows_without_guest_links(rows, query.params)) as without_secrets:
            for run in without_secrets:
                check.check(run)
                runs.append(run)
        for mismatch in check.mismatches:
            message = f"{mismatch} Tallyfy ignores filters that it does not understand."
            if self.strict_filters:
                raise TallyfyResponseError(f"{message} The task has strict_filters=True.")
            self.log.warning("%s They are handed on; strict_filters=True makes this an error.", message)
        return runs

    def _selected(self, runs: list[dict[str, Any]], fields: list[str]) -> list[dict[str, Any]]:
        known = list(dict.fromkeys(name for run in runs for name in run))
        for name in fields if runs else ():
            if name not in known:
                nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
                hint = f"did you mean {nearest[0]!r}?" if nearest else f"runs have {', '.join(known)}."
                self.log.warning("fields: no run has %r, so it is None for all; %s", name, hint)
        return select(runs, fields)

    def _push(self, context: Context, run_ids: list[str]) -> None:
        if self.do_xcom_push:
            context["ti"].xcom_push(key="run_ids", value=run_ids)
            context["ti"].xcom_push(key="count", value=len(run_ids))

    def _meet_emptiness(self, query: Query) -> None:
        if self.on_empty == "pass":
            return
        message = f"No run matches the filters {json.dumps(query.shown)}"
        if self.on_empty == "skip":
            raise AirflowSkipException(f"{message} (on_empty='skip').")
        raise TallyfyError(f"{message} (on_empty='fail').")

    def _warn_of_size(self, result: list[dict[str, Any]]) -> None:
        size = _estimated_size(result)
        if size < _LARGE_XCOM or not self.do_xcom_push or not _xcoms_are_in_the_database():
            return
        self.log.warning(
            "The result is about %.1f MB, which is large for an XCom. Write it to a file with ExportRunsOperator "
            "(tallyfy_provider.transfers.object_storage), keep only what is needed with fields=[…], list less with "
            "filters or max_runs, or keep XComs in object storage (XComObjectStorageBackend of "
            "apache-airflow-providers-common-io).",
            size / 1024**2,
        )


def _names(fields: Iterable[str] | str | None) -> list[str] | None:
    if fields is None:
        return None
    names = fields.split(",") if isinstance(fields, str) else list(fields)
    stripped = [str(name).strip() for name in names if str(name).strip()]
    if not stripped:
        raise TallyfyInputError(f"fields is {fields!r}, which names no field; leave it out to keep all.")
    return stripped


def _estimated_size(result: list[dict[str, Any]]) -> int:
    """Estimate the bytes of the result as JSON from a few rows, since measuring all would cost as much as sending."""
    if not result:
        return 0
    sample = result[:: max(1, len(result) // _SAMPLE)]
    return len(json.dumps(sample, default=str)) * len(result) // len(sample)


def _xcoms_are_in_the_database() -> bool:
    backend: str = conf.get("core", "xcom_backend", fallback="")
    return backend.endswith("BaseXCom")
