"""TallyfyAPIOperator: asks any endpoint of Tallyfy's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tallyfy_provider.client.guest_links import without_guest_links
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.operators.base import TallyfyBaseOperator
from tallyfy_provider.utils.arguments import is_literal, is_nothing, parse_json, whole_number

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class TallyfyAPIOperator(TallyfyBaseOperator):
    """
    Ask any endpoint, with the connection's credentials, and with the same retries, paging and errors as all others.

    Returns what stands under ``data`` of the answer, or the whole answer where there is no ``data``; with ``paginate``
    the rows of all pages. Guest links are left out.

    A POST or a PATCH is sent once; where its answer is lost, :class:`TallyfyIndeterminateError` is raised. A retry of
    the Airflow task sends it again: give a task that must not do a thing twice ``retries=0``, or use the operator for
    the purpose, such as ``LaunchRunOperator``, which looks first.

    :param path: Relative to the organization, such as ``runs/{{ params.run }}/export``, or from the API's root with a
        slash before it, such as ``/me``; templated.
    :param method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``; templated.
    :param query: The query's parameters, templated; booleans and lists are put into Tallyfy's form, None is not sent.
    :param json: A body to be sent as JSON, templated; the text of an object or a list, as ``| tojson`` renders it, is
        read.
    :param paginate: Read all pages of a list.
    :param max_rows: With ``paginate``, stop after so many rows, templated; None means all.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: An argument cannot be used; nothing was sent.
    :raises TallyfyIndeterminateError: A change may or may not have happened: its answer was lost.
    :raises TallyfyError: Of the kind that fits.
    """

    template_fields: Sequence[str] = ("path", "method", "query", "json", "max_rows", "tallyfy_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"query": "json", "json": "json"}

    def __init__(
        self,
        *,
        path: str,
        method: str = "GET",
        query: Mapping[str, Any] | str | None = None,
        json: Any = None,
        paginate: bool = False,
        max_rows: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if is_literal(method):
            _verb(method)
        self.path = path
        self.method = method
        self.query = query
        self.json = json
        self.paginate = paginate
        self.max_rows = max_rows

    def execute(self, context: Context) -> Any:
        """
        Ask.

        :param context: Airflow's task context.
        :return: What Tallyfy answered.
        """
        if is_nothing(self.path):
            raise TallyfyInputError("path is empty: it says which endpoint.")
        verb, query = _verb(self.method), parse_json(self.query)
        if query is not None and not isinstance(query, Mapping):
            raise TallyfyInputError(f"query takes a dict of names to values, not a {type(query).__name__}.")
        return without_guest_links(self._rows(verb, query) if self.paginate else self._answer(verb, query))

    def _answer(self, verb: str, query: Mapping[str, Any] | None) -> Any:
        answer = self.hook.request(verb, self.path, params=query, json=parse_json(self.json))
        self.log.info("%s %s was answered.", verb, self.path)
        return answer["data"] if isinstance(answer, Mapping) and "data" in answer else answer

    def _rows(self, verb: str, query: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        if verb != "GET" or self.json is not None:
            raise TallyfyInputError(f"paginate reads a list, which is asked for by GET without json, not by {verb}.")
        max_rows = whole_number("max_rows", self.max_rows)
        rows = list(self.hook.paginate(self.path, query, max_rows=max_rows))
        self.log.info("%s gave %d rows.", self.path, len(rows))
        return rows


def _verb(method: str) -> str:
    verb = str(method).strip().upper()
    if verb not in _METHODS:
        raise TallyfyInputError(f"method cannot be {method!r}; allowed: {', '.join(_METHODS)}.")
    return verb
