"""Checklists, the templates that runs are launched from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tallyfy_provider.client import filtering
from tallyfy_provider.client.filtering import MAX_PAGE_SIZE, TYPES, Elements, FilterTable
from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.resource import Resource, included, item_of
from tallyfy_provider.exceptions import TallyfyResponseError

Rows = list[dict[str, Any]]


def _archived(name: str, value: Any) -> Elements:
    return filtering.flag(name, value) if isinstance(value, bool) else filtering.text(name, value)


#: The filters of ``GET /organizations/{org}/checklists`` (docs/tallyfy-api.md, "Filters of other lists"). What
#: ``status``, ``archived`` and ``sort_by`` take is not documented, so they are sent as they are.
CHECKLIST_FILTERS = FilterTable(
    readers={
        "q": filtering.text,
        "status": filtering.text,
        "type": filtering.one_of(TYPES),
        "starred": filtering.flag,
        "folder": filtering.ids,
        "tag": filtering.ids,
        "owner_id": filtering.numbers,
        "archived": _archived,
        "with": filtering.ids,
        "sort_by": filtering.text,
        "page": filtering.whole_number(),
        "per_page": filtering.whole_number(MAX_PAGE_SIZE),
    },
    other_names={
        "limit": "per_page",
        "page_size": "per_page",
        "name": "q",
        "title": "q",
        "search": "q",
        "sort": "sort_by",
        "owner": "owner_id",
        "owners": "owner_id",
        "include": "with",
    },
)


class ChecklistsResource(Resource):
    """Checklists and their kick-off forms."""

    def get(self, checklist_id: str | int, include: Iterable[str] = ()) -> dict[str, Any]:
        """
        Get a checklist (``GET /organizations/{org}/checklists/{id}``).

        :param checklist_id: The checklist's id.
        :param include: What to get along with it (Tallyfy's ``with``), such as ``steps``.
        :return: The checklist exactly as the API gave it; ``prerun`` holds its kick-off form.
        :raises TallyfyNotFoundError: There is no such checklist in this organization.
        """
        payload = self._send("GET", self._path("checklists", checklist_id), params=included(include) or None)
        return item_of(payload, f"checklist {checklist_id}")

    def list(self, filters: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """
        List checklists, each once (``GET /organizations/{org}/checklists``).

        All pages are read, unless ``filters`` names a ``page``.

        :param filters: The API's own names to values: :data:`CHECKLIST_FILTERS`.
        :return: Checklists exactly as the API gave them.
        :raises TallyfyInputError: A filter is wrong; nothing was sent.
        """
        return self._walk(self._path("checklists"), CHECKLIST_FILTERS.encode(filters), "checklists")

    def get_kickoff_fields(self, checklist_id: str | int) -> Rows:
        """
        Get the fields of a checklist's kick-off form (``prerun`` of the checklist).

        :param checklist_id: The checklist's id.
        :return: Fields exactly as the API gave them: ``id``, ``alias``, ``label``, ``field_type``, ``required``,
            ``options`` and more; none where the checklist has no kick-off form.
        :raises TallyfyNotFoundError: There is no such checklist in this organization.
        :raises TallyfyResponseError: The response holds no list of fields.
        """
        checklist = self.get(checklist_id)
        if "prerun" not in checklist:
            raise TallyfyResponseError(f"Tallyfy's response for checklist {checklist_id} holds no 'prerun'.")
        return [dict(field) for field in rows_of(checklist["prerun"])]
