"""Checklists, the templates that runs are launched from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tallyfy_provider.client import checklist_filters
from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.resource import Resource, included, item_of
from tallyfy_provider.exceptions import TallyfyResponseError

Rows = list[dict[str, Any]]


class ChecklistsResource(Resource):
    """Checklists: get them, list them, and what their kick-off forms ask."""

    def get(self, checklist_id: str | int, include: Iterable[str] = ()) -> dict[str, Any]:
        """
        Get a checklist (``GET /organizations/{org}/checklists/{id}``).

        :param checklist_id: The checklist's id.
        :param include: What to get along with it (Tallyfy's ``with``), such as ``steps``.
        :return: The checklist exactly as the API gave it; ``prerun`` holds its kick-off form.
        :raises TallyfyNotFoundError: There is no such checklist in this organization.
        :raises TallyfyError: Of the kind that fits.
        """
        payload = self._send("GET", self._path("checklists", checklist_id), params=included(include) or None)
        return item_of(payload, f"checklist {checklist_id}")

    def list(self, filters: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """
        List checklists, each once (``GET /organizations/{org}/checklists``).

        All pages are read, unless ``filters`` names a ``page``.

        :param filters: The API's own names to values:
            :data:`~tallyfy_provider.client.checklist_filters.OF_THE_ORGANIZATION`.
        :return: Checklists exactly as the API gave them.
        :raises TallyfyInputError: A filter is wrong; raised before anything is asked.
        :raises TallyfyError: Of the kind that fits.
        """
        params = checklist_filters.OF_THE_ORGANIZATION.encode(filters)
        return self._walk(self._path("checklists"), params, "checklists")

    def list_steps(self, checklist_id: str | int) -> Iterator[dict[str, Any]]:
        """
        List the steps of a checklist, each once (``GET /organizations/{org}/checklists/{id}/steps``), all pages.

        :param checklist_id: The checklist's id.
        :return: Steps exactly as the API gave them; the ``id`` of one is what a launch's ``tasks`` are named by.
        :raises TallyfyNotFoundError: There is no such checklist in this organization.
        :raises TallyfyError: Of the kind that fits.
        """
        return self._walk(self._path("checklists", checklist_id, "steps"), {}, f"steps of checklist {checklist_id}")

    def get_kickoff_fields(self, checklist_id: str | int) -> Rows:
        """
        Get the fields of a checklist's kick-off form (``prerun`` of the checklist).

        :param checklist_id: The checklist's id.
        :return: Fields exactly as the API gave them: ``id``, ``alias``, ``label``, ``field_type``, ``required``,
            ``options`` and more; none where the checklist has no kick-off form.
        :raises TallyfyNotFoundError: There is no such checklist in this organization.
        :raises TallyfyResponseError: Tallyfy gave something that is no list of fields.
        :raises TallyfyError: Of the kind that fits.
        """
        checklist = self.get(checklist_id)
        if "prerun" not in checklist:
            raise TallyfyResponseError(f"Tallyfy's answer for checklist {checklist_id} holds no 'prerun'.")
        return [dict(field) for field in rows_of(checklist["prerun"])]
