"""TallyfyAPIOperator: send a request to any endpoint of Tallyfy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tallyfy_provider.client.redaction import without_guest_links
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.operators.base import TallyfyBaseOperator
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.plurals import counted

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class TallyfyAPIOperator(TallyfyBaseOperator):
    """
    Send a request to any endpoint, with the connection's credentials and the same retries, paging and errors as others.

    Returns what the response has under ``data``, or the whole response where there is no ``data``; with ``paginate``
    the rows of all pages. Guest links are left out.

    A POST or a PATCH is sent once; where its response is lost, :class:`TallyfyIndeterminateError` is raised. A retry of
    the Airflow task sends it again: set ``retries=0`` where nothing may be done twice, or use the operator for the
    purpose, such as ``LaunchRunOperator``, which checks first.

    :param path: Relative to the organization, such as ``runs/{{ params.run }}/export``, or from the API's root with a
        slash before it, such as ``/me``; templated.
    :param method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``; templated.
    :param query: The query's parameters, templated; booleans and lists are written as Tallyfy takes them, what renders
        to nothing is not sent.
    :param json: A body to be sent as JSON, templated; text of an object or a list, such as ``| tojson`` renders, is
        parsed.
    :param paginate: Read all pages of a list.
    :param max_rows: With ``paginate``, stop after so many rows, templated; None means all.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: An argument cannot be used; nothing was sent.
    :raises TallyfyIndeterminateError: A change may or may not have happened: its response was lost.
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
        self.path = path
        self.method = method
        self.query = query
        self.json = json
        self.paginate = paginate
        self.max_rows = max_rows
        with arguments.checking_literals(self):
            arguments.boolean("paginate", paginate)
            if arguments.is_literal(method):
                arguments.http_method(method)

    def execute(self, context: Context) -> Any:
        """Send the request."""
        arguments.raise_wrong_literal(self)
        if (path := arguments.text("path", self.path)) is None:
            raise TallyfyInputError("path is empty: it says which endpoint.")
        verb = arguments.http_method(self.method)
        query = arguments.without_nothings(arguments.mapping("query", self.query) or {})
        return without_guest_links(self._list(verb, path, query) if self.paginate else self._send(verb, path, query))

    def _send(self, verb: str, path: str, query: Mapping[str, Any] | None) -> Any:
        json = arguments.parse_json(self.json)
        arguments.refuse_python_text("json", json)
        response = self.hook.request(verb, path, params=query, json=json)
        self.log.info("Sent %s %s.", verb, path)
        return response["data"] if isinstance(response, Mapping) and "data" in response else response

    def _list(self, verb: str, path: str, query: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        if verb != "GET" or self.json is not None:
            raise TallyfyInputError(f"paginate reads a list, which takes GET without json, not {verb}.")
        max_rows = arguments.whole_number("max_rows", self.max_rows)
        rows = list(self.hook.paginate(path, query, max_rows=max_rows))
        self.log.info("Listed %s of %s.", counted(len(rows), "row"), path)
        return rows
