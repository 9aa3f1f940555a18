"""TallyfyHook: use Tallyfy with an Airflow connection."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook, mask_secret

from tallyfy_provider.client.redaction import quoted, shown
from tallyfy_provider.client.settings import build_client
from tallyfy_provider.exceptions import TallyfyAuthError, TallyfyConnectionError, TallyfyError
from tallyfy_provider.get_provider_info import UI_FIELD_BEHAVIOUR
from tallyfy_provider.hooks.connection import misspelt_extras, read_connection
from tallyfy_provider.utils import arguments

if TYPE_CHECKING:
    from datetime import date, datetime

    from airflow.providers.common.compat.sdk import Connection

    from tallyfy_provider.client.client import TallyfyClient
    from tallyfy_provider.client.paging.prefetch import OnIncomplete
    from tallyfy_provider.client.runs.filters import RunFilters


class TallyfyHook(BaseHook):
    """
    Use Tallyfy with the credentials of an Airflow connection.

    The methods here are what Dags need most; :attr:`client` has all resources (``runs``, ``tasks``, ``checklists``,
    ``comments``, ``organization``).

    :param tallyfy_conn_id: The connection, of type ``tallyfy``: see ``docs/operate/connection.md``.
    """

    conn_name_attr = "tallyfy_conn_id"
    default_conn_name = "tallyfy_default"
    conn_type = "tallyfy"
    hook_name = "Tallyfy"

    def __init__(self, tallyfy_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.tallyfy_conn_id = tallyfy_conn_id

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the connection form looks, for Airflow before 3.2."""
        return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}

    @cached_property
    def _connection(self) -> Connection:
        return self.find_connection()

    def find_connection(self) -> Connection:
        """Look the connection up; the error says what to do where there is none."""
        try:
            return self.get_connection(self.tallyfy_conn_id)
        except Exception as error:  # of any kind: each secrets backend has errors of its own
            raise failed_lookup(self.tallyfy_conn_id, error) from None

    @cached_property
    def client(self) -> TallyfyClient:
        """The client for the connection's organization, built on first use."""
        return self.client_from(self._connection)

    def client_from(self, connection: Connection) -> TallyfyClient:
        """Build a client from a connection that has been looked up already, as triggers do. Sends no request."""
        for sentence in misspelt_extras(connection):
            self.log.warning(sentence)
        return build_client(read_connection(connection), on_secret=mask_secret)

    def get_conn(self) -> TallyfyClient:
        """Return the client, which is built on the first call."""
        return self.client

    def new_client(self) -> TallyfyClient:
        """Build another client, with its own HTTP connections, for use while the first one is busy."""
        return self.client_from(self._connection)

    def list_runs(
        self,
        filters: RunFilters | Mapping[str, Any] | None = None,
        *,
        max_runs: int | None = None,
        created_after: datetime | date | str | None = None,
        created_before: datetime | date | str | None = None,
        on_incomplete: OnIncomplete = "warn",
    ) -> Generator[dict[str, Any]]:
        """
        List runs, each once, page by page as they are consumed.

        In the order of ``created_at``, which is the default, no run is missed that matches from beginning to end,
        whatever happens to others meanwhile; the limits are in ``docs/design/lossless-lists.md``.

        :param filters: The API's own names to values: see ``docs/guides/list.md``.
        :param max_runs: Stop after so many runs.
        :param created_after: Only runs created then or later: a datetime, a date, or text such as
            ``2026-10-31T09:00:00Z``; UTC unless it has a time zone.
        :param created_before: Only runs created earlier than that; as ``created_after``.
        :param on_incomplete: When runs may be missing, since the list moved too much while it was read: ``warn`` logs
            it, ``fail`` raises. ``fail`` also proves that nothing is missing from a long list that seems not to
            move, for 14 % more requests.
        :return: Runs exactly as the API gave them. Closing the iterator cancels the requests under way.
        :raises TallyfyInputError: A filter is wrong; no request was sent.
        :raises TallyfyIncompleteListError: Runs may be missing, and ``on_incomplete`` is ``fail``.
        """
        return self.client.runs.list(
            filters,
            max_runs=max_runs,
            created_after=created_after,
            created_before=created_before,
            on_incomplete=on_incomplete,
        )

    def get_run(self, run_id: str | int, include: Iterable[str] = ()) -> dict[str, Any]:
        """
        Get a run.

        :param run_id: The run's id, or the address of its page.
        :param include: What to get along with it (Tallyfy's ``with``), such as ``tasks`` or ``checklist``.
        :return: The run exactly as the API gave it.
        :raises TallyfyNotFoundError: There is no such run in this organization, or it is archived.
        """
        return self.client.runs.get(arguments.run_id(run_id), include)

    def find_run(self, run_id: str | int) -> dict[str, Any]:
        """
        Get a run, archived or not.

        :param run_id: The run's id, or the address of its page.
        :return: The run exactly as the API gave it.
        :raises TallyfyNotFoundError: It is neither among the live runs nor among the archived ones.
        """
        return self.client.runs.find(arguments.run_id(run_id))

    def launch_run(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """
        Launch a run. The request is repeated only where nothing can have happened.

        A retry of the Airflow task launches another run: use ``LaunchRunOperator``, which looks for the first one.

        :param body: The API's own names to values: ``checklist_id``, ``name``, ``prerun`` and more.
        :return: The run exactly as the API gave it.
        :raises TallyfyIndeterminateError: The response was lost: look for the run before launching it again.
        """
        return self.client.runs.launch(body)

    def request(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        """
        Send a request to any endpoint, with the same credentials, retries and errors as all other methods.

        :param method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
        :param path: Relative to the organization (``runs/ID/export``), or from the API's root with a slash before it
            (``/me``).
        :param params: The query; booleans and lists are written as Tallyfy takes them, None is not sent.
        :param json: A body to be sent as JSON.
        :return: The response's JSON, mostly with the resource under ``data``; None for an empty response.
        :raises TallyfyInputError: The path or a parameter cannot be used; nothing was sent.
        :raises TallyfyIndeterminateError: A change may or may not have happened: its response was lost.
        """
        return self.client.request(method, path, params=params, json=json)

    def paginate(
        self, path: str, params: Mapping[str, Any] | None = None, *, max_rows: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """
        List the rows of any endpoint that has pages, each once, page by page as they are consumed.

        :param path: As for :meth:`request`.
        :param params: As for :meth:`request`.
        :param max_rows: Stop after so many rows.
        :return: Rows exactly as the API gave them.
        :raises TallyfyInputError: The path or a parameter cannot be used; no request was sent.
        """
        return self.client.paginate(path, params, max_rows=max_rows)

    def test_connection(self) -> tuple[bool, str]:
        """Test the connection, for Airflow's *Test* button: whether it works, and what it reaches or what to fix."""
        try:
            return True, self._describe_access()
        except AirflowException as error:
            return False, str(error)

    def _describe_access(self) -> str:
        client = self.client
        if not client.session.tokens.acts_as_person:
            return self._describe_application(client)
        try:
            me = client.organization.get_me()
        except TallyfyAuthError:
            # An application's token belongs to no user, and may still reach the organization.
            try:
                return self._describe_application(client)
            except TallyfyError:
                pass
            raise
        name = client.organization.get().get("name")
        return f"Connected to organization {quoted(name)} ({client.organization_id}) as {_person(me)}."

    def _describe_application(self, client: TallyfyClient) -> str:
        next(client.runs.list({"page": 1, "per_page": 1}), None)
        return f"Connected to organization {client.organization_id} as an application."


def failed_lookup(conn_id: str, error: Exception) -> TallyfyConnectionError:
    """Build the error for a connection that Airflow does not give; transient, since a secrets backend may be out."""
    if not isinstance(error, AirflowNotFoundException):
        return TallyfyConnectionError(f"Airflow cannot look up the connection {conn_id!r} now: {shown(error)}")
    return TallyfyConnectionError(
        f"There is no connection {conn_id!r}, or the secrets backend that holds it does not answer, or it cannot be "
        "read (a URI has to be percent-encoded, JSON to be whole), or its extra is no JSON object (Airflow 3.0 and "
        f"3.1), which Airflow does not tell apart: {error}. Add or correct the connection, or look for the backend's "
        "error in Airflow's log."
    )


def _person(me: Mapping[str, Any]) -> str:
    name = " ".join(str(me[part]) for part in ("first_name", "last_name") if me.get(part))
    return shown(f"{name} <{me.get('email')}>" if name else me.get("email") or me.get("username") or me.get("id"))
