"""
The endpoints of tags and folders: list, get, create, change and delete them, and put runs into them.

A run is linked to a tag or a folder, and the link has a number of its own, by which it is removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.includes import link_id
from tallyfy_emulator.api.lists import paged
from tallyfy_emulator.api.request import Body, Endpoint, RequestContext, body_of
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.model.catalog import Named
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.wire import stable_id

_TAG_LIMIT = 30


@dataclass(frozen=True)
class _Kind:
    """Tags or folders: how a row looks, and where a run keeps the ids of its own."""

    what: str
    attribute: str
    name: str
    limit: int | None
    to_json: Callable[[Named], dict[str, Any]]

    def all(self, context: RequestContext) -> dict[str, Named]:
        """Return them by id."""
        found: dict[str, Named] = getattr(context.organization.catalog, self.attribute)
        return found

    def find(self, context: RequestContext, its_id: str) -> Named:
        """Find one."""
        found = self.all(context).get(its_id)
        if found is None:
            raise responses.resource_not_found(self.what)
        return found

    async def list(self, context: RequestContext) -> Response:
        wanted = context.query.get("q", "").strip().casefold()
        rows = [self.to_json(each) for each in self.all(context).values() if wanted in each.name.casefold()]
        kind = context.query.get("folder_type", "run")
        return paged(context, rows if self.attribute == "tags" or kind == "run" else [], lambda row: row)

    async def get(self, context: RequestContext) -> Response:
        return json_response({"data": self.to_json(self.find(context, context.parameter("its_id")))})

    async def create(self, context: RequestContext) -> Response:
        name = self._name(await body_of(context))
        known = self.all(context)
        made = Named(stable_id(self.what, name, len(known)), name)
        known[made.id] = made
        return json_response({"data": self.to_json(made)}, 201)

    async def update(self, context: RequestContext) -> Response:
        old = self.find(context, context.parameter("its_id"))
        body = await body_of(context)
        new = Named(old.id, self._name(body) if self.name in body else old.name)
        self.all(context)[old.id] = new
        return json_response({"data": self.to_json(new)})

    async def delete(self, context: RequestContext) -> Response:
        del self.all(context)[self.find(context, context.parameter("its_id")).id]
        return Response(b"", 204)

    async def link(self, context: RequestContext) -> Response:
        """Put a run into it."""
        body = await body_of(context)
        its_id, run_id = body.text(f"{self.what.lower()}_id", required=True), body.text("subject_id", required=True)
        if body.text("subject_type", required=True) not in (None, "", "Run"):
            body.add_error("subject_type", "The emulator keeps tags and folders of processes (Run) only.")
        body.check()
        named, run = self.find(context, str(its_id)), context.organization.runs.get(str(run_id))
        if run is None or run.archived_at is not None:
            raise responses.not_found("Subject not found", responses.RESOURCE_NOT_FOUND)
        linked = getattr(run, self.attribute)
        if named.id not in linked:
            self._change(context, run, (*linked, named.id))
        row = {"id": link_id(run.id, named.id), f"{self.what.lower()}_id": named.id, "subject_id": run.id}
        return json_response({"data": row}, 201)

    async def unlink(self, context: RequestContext) -> Response:
        """Take a run out of it."""
        wanted = context.parameter("link")
        for run in context.organization.runs.snapshot()[1]:
            linked = getattr(run, self.attribute)
            kept = tuple(each for each in linked if str(link_id(run.id, each)) != wanted)
            if kept != linked:
                self._change(context, run, kept)
                return Response(b"", 204)
        raise responses.resource_not_found(self.what)

    def _name(self, body: Body) -> str:
        name = body.text(self.name, self.limit, required=True)
        body.check()
        return str(name)

    def _change(self, context: RequestContext, run: Run, ids: tuple[str, ...]) -> None:
        context.organization.runs.change(run.id, {self.attribute: ids}, context.token.person_id)


def _tag_row(tag: Named) -> dict[str, Any]:
    return {"id": tag.id, "title": tag.name, "color": "#3fb65b", "auto_generated": False, "deleted_at": None}


def _folder_row(folder: Named) -> dict[str, Any]:
    return {"id": folder.id, "name": folder.name, "folder_type": "run", "parent_id": None, "children": {"data": []}}


_TAGS = _Kind("Tag", "tags", "title", _TAG_LIMIT, _tag_row)
_FOLDERS = _Kind("Folder", "folders", "name", None, _folder_row)


ENDPOINTS = (
    Endpoint("POST", "/checklists/tags", _TAGS.link),
    Endpoint("DELETE", "/checklists/tags/{link}", _TAGS.unlink),
    Endpoint("POST", "/folders/add-object", _FOLDERS.link),
    Endpoint("DELETE", "/folders-objects/{link}", _FOLDERS.unlink),
    *(
        Endpoint(method, path + end, handler)
        for kind, path in ((_TAGS, "/tags"), (_FOLDERS, "/folders"))
        for method, end, handler in (
            ("GET", "", kind.list),
            ("POST", "", kind.create),
            ("GET", "/{its_id}", kind.get),
            ("PUT", "/{its_id}", kind.update),
            ("DELETE", "/{its_id}", kind.delete),
        )
    ),
)
