"""Read what the small tables hold, from endpoints of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.tables.persons import PERSON_KINDS

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient


def read_small_table(client: TallyfyClient, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects that a small table has its rows from."""
    return _READERS[name](client)


def _people(client: TallyfyClient) -> Iterator[Mapping[str, Any]]:
    for endpoint, kind in PERSON_KINDS.items():
        for person in client.people.list(endpoint):
            yield {**person, "kind": kind}


def _checklists(client: TallyfyClient) -> Iterator[Mapping[str, Any]]:
    return client.checklists.list()


def _steps(client: TallyfyClient) -> Iterator[Mapping[str, Any]]:
    for checklist in client.checklists.list({"with": "steps"}):
        checklist_id = checklist["id"]
        came_along = "steps" in checklist
        steps = rows_of(checklist["steps"]) if came_along else client.paginate(f"checklists/{checklist_id}/steps")
        for step in steps:
            yield {**step, "checklist_id": checklist_id}


_READERS: Mapping[str, Callable[[TallyfyClient], Iterator[Mapping[str, Any]]]] = {
    "people": _people,
    "checklists": _checklists,
    "steps": _steps,
}
