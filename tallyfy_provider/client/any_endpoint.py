"""Endpoints of Tallyfy's that have no method of their own here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

from tallyfy_provider.client.payload import query_of, segments_of
from tallyfy_provider.client.resource import Endpoints
from tallyfy_provider.exceptions import TallyfyInputError

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class AnyEndpoint(Endpoints):
    """Any endpoint, with the same credentials, retries, paging and errors as all others."""

    def request(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        """
        Ask any endpoint.

        A GET, PUT or DELETE whose answer is lost is sent again, a POST or PATCH is not.

        :param method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
        :param path: Relative to the organization (``runs/ID/export``), or from the API's root with a slash before it
            (``/me``). Its parts are percent-encoded here.
        :param params: The query: text, numbers, dates, booleans, or lists, which become comma-separated. None is not
            sent.
        :param json: A body to be sent as JSON.
        :return: What the answer's JSON says, mostly with the thing itself under ``data``; None for an empty answer.
        :raises TallyfyInputError: The method, the path, a parameter or the body cannot be used; nothing was sent.
        :raises TallyfyIndeterminateError: A change may or may not have happened: its answer was lost.
        :raises TallyfyResponseError: The answer is no JSON.
        :raises TallyfyError: Of the kind that fits.
        """
        verb = method.strip().upper() if isinstance(method, str) else method
        if verb not in _METHODS:
            raise TallyfyInputError(f"method cannot be {method!r}; allowed: {', '.join(_METHODS)}.")
        return self._send(verb, self._place(path), params=query_of(params) or None, json=json)

    def paginate(
        self, path: str, params: Mapping[str, Any] | None = None, *, max_rows: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """
        List the rows of any endpoint that gives pages, each once, as they arrive (``GET``).

        All pages are read, unless ``params`` names a ``page``. Each row must have an ``id``. A row that leaves the list
        while it is read can let another slip past between two pages; that is warned of. ``list_runs`` loses none.

        :param path: As for :meth:`request`.
        :param params: As for :meth:`request`; 100 rows to a page are asked for, unless it names ``per_page``.
        :param max_rows: Stop after so many rows.
        :return: Rows exactly as the API gave them.
        :raises TallyfyInputError: The path or a parameter cannot be used; raised before anything is asked.
        :raises TallyfyResponseError: A page cannot be read, or the list has no end.
        :raises TallyfyError: Of the kind that fits.
        """
        query = query_of(params)
        for name in ("page", "per_page"):
            if name in query and not (query[name].isascii() and query[name].isdigit() and int(query[name]) > 0):
                raise TallyfyInputError(f"params[{name!r}] takes a whole number from 1, not {query[name]!r}.")
        return self._rows(self._place(path), query, f"rows of {path}", max_rows)

    def _rows(
        self, path: tuple[object, ...], query: Mapping[str, str], what: str, max_rows: int | None
    ) -> Iterator[dict[str, Any]]:
        with closing(self._walk(path, query, what)) as rows:
            yield from islice(rows, max_rows)

    def _place(self, path: str) -> tuple[object, ...]:
        segments = segments_of(path)
        return segments if path.startswith("/") else self._path(*segments)
