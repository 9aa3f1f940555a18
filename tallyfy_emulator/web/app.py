"""
The pages of processes at ``/tracker``: server-rendered, plain forms, no JavaScript.

They need no login, are neither recorded nor limited nor hit by faults, and are meant for this machine only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tallyfy_emulator.model.catalog import Checklist
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import status_of, under_way
from tallyfy_emulator.model.task import Task, Thread
from tallyfy_emulator.model.wire import ValidationError
from tallyfy_emulator.store.organization import Organization
from tallyfy_emulator.web.actions import Visit, act_on_run, act_on_task, launch_from_page
from tallyfy_emulator.web.fields import cells_of, lines_of, name_of, values_from

PREFIX = "/tracker"
_PERSON_COOKIE = "tallyfy_emulator_person"
#: Processes on the start page; a search finds the others.
_SHOWN = 100
#: The page comes from this server only, and asks no other one for anything.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_Handler = Callable[["Pages", Request], Awaitable[Response]]


def answers(method: str, path: str, accept: str) -> bool:
    """Tell whether a request is for a page rather than for the API: browsers ask for the root, too."""
    if path == "/":
        return method == "GET" and "text/html" in accept
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def build(organization: Organization) -> ASGIApp:
    """Build the application that answers below ``/tracker``."""
    pages = Pages(organization)

    def route(method: str, path: str, handler: _Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return await handler(pages, request)
            except KeyError:
                return pages.message("There is no such page here: the process may have been deleted.", 404)
            except ForeignFormError as error:
                return pages.message(str(error), 403)

        return Route(path, endpoint, methods=[method])

    application = Starlette(
        routes=[
            route("GET", "/", Pages.to_start),
            route("GET", PREFIX, Pages.start),
            route("POST", f"{PREFIX}/person", Pages.change_person),
            route("GET", f"{PREFIX}/launch/{{checklist}}", Pages.launch_form),
            route("POST", f"{PREFIX}/launch/{{checklist}}", Pages.launch),
            route("GET", f"{PREFIX}/{{run}}", Pages.process),
            route("POST", f"{PREFIX}/{{run}}", Pages.change_process),
            route("POST", f"{PREFIX}/{{run}}/{{task}}", Pages.change_task),
        ],
        exception_handlers={404: lambda request, error: pages.message("There is no such page here.", 404)},
    )
    application.router.redirect_slashes = False
    return application


class ForeignFormError(Exception):
    """A form that was not sent from a page of this server."""


class Pages:
    """Show pages, and do what people send from them."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._templates = Environment(
            loader=PackageLoader("tallyfy_emulator.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "catalog": organization.catalog,
            "name_of": partial(name_of, organization.catalog),
            "lines_of": partial(lines_of, catalog=organization.catalog),
            "cells_of": cells_of,
            "status_of": lambda run, task: status_of(run, task, organization.quirks),
            "under_way": under_way,
            "threads_of": _threads_of,
            "page_of": page_of,
        }
        self._templates.filters |= {"moment": _moment, "day": _day}
        self._templates.tests["web_address"] = lambda text: urlsplit(str(text)).scheme in ("http", "https")

    async def to_start(self, request: Request) -> Response:
        """Lead from the root to the start page."""
        return _see_other(PREFIX)

    async def start(self, request: Request) -> Response:
        """List processes and templates."""
        wanted = request.query_params.get("q", "")
        _, runs = self._organization.runs.snapshot()
        found = [run for run in runs if wanted.casefold() in run.name.casefold()]
        newest_first = sorted(found, key=lambda run: (run.created_at, run.increment_id), reverse=True)
        return self._page(
            request,
            "start.html",
            wanted=wanted,
            runs=newest_first[:_SHOWN],
            count=len(found),
            checklists=list(self._organization.catalog.checklists.values()),
        )

    async def launch_form(self, request: Request) -> Response:
        """Show a template with its kick-off form."""
        return self._launch_page(request, self._checklist(request))

    async def launch(self, request: Request) -> Response:
        """Launch a process, and lead to it."""
        checklist, visit = self._checklist(request), await self._visit(request)
        try:
            run = launch_from_page(visit, checklist)
        except ValueError as error:
            entered = values_from(checklist.kickoff, visit.sent)
            return self._launch_page(request, checklist, errors=_texts(error), values=entered, name=visit.text("name"))
        return _see_other(page_of(run))

    async def process(self, request: Request) -> Response:
        """Show a process."""
        return self._process_page(request, self._run(request))

    async def change_process(self, request: Request) -> Response:
        """Comment on a process, report or resolve a problem, complete its kick-off form, archive it."""
        run, visit = self._run(request), await self._visit(request)
        return self._after(request, run, None, visit, partial(act_on_run, visit, run, visit.text("action")))

    async def change_task(self, request: Request) -> Response:
        """Fill, complete, decide, reopen or comment on a step."""
        run, visit = self._run(request), await self._visit(request)
        task = next((task for task in run.tasks if task.id == request.path_params["task"]), None)
        if task is None:
            raise KeyError(request.path_params["task"])
        return self._after(request, run, task, visit, partial(act_on_task, visit, task, visit.text("action")))

    def _after(self, request: Request, run: Run, task: Task | None, visit: Visit, act: Callable[[], None]) -> Response:
        """Act, and lead back to the process; or show it again with what was wrong and what was entered."""
        try:
            act()
        except ValueError as error:
            fields = run.checklist.kickoff if task is None else task.form_fields
            entered = values_from(fields, visit.sent)
            return self._process_page(
                request,
                self._run(request),
                errors=_texts(error),
                entered=entered,
                content=visit.text("content"),
                failed=task.id if task else run.id,
            )
        return _see_other(page_of(run) + (f"#{task.id}" if task else ""))

    async def change_person(self, request: Request) -> Response:
        """Remember who sits at the browser."""
        sent = await _form_of(request)
        back = "".join(sent.get("back", ())[:1])
        response = _see_other(back if back.startswith(f"{PREFIX}/") else PREFIX)
        response.set_cookie(_PERSON_COOKIE, "".join(sent.get("person", ())[:1]), httponly=True, samesite="strict")
        return response

    def message(self, text: str, status: int) -> Response:
        """Show a page with a sentence."""
        return self._render("message.html", status, text=text)

    def _launch_page(
        self,
        request: Request,
        checklist: Checklist,
        *,
        errors: list[str] | None = None,
        values: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> Response:
        context = {"checklist": checklist, "errors": errors or [], "values": values or {}, "name": name}
        return self._page(request, "launch.html", 422 if errors else 200, **context)

    def _process_page(
        self,
        request: Request,
        run: Run,
        *,
        errors: list[str] | None = None,
        entered: Mapping[str, Any] | None = None,
        content: str = "",
        failed: str = "",
    ) -> Response:
        return self._page(
            request,
            "process.html",
            422 if errors else 200,
            run=self._organization.with_tasks(run),
            errors=errors or [],
            entered=entered or {},
            content=content,
            failed=failed,
        )

    def _page(self, request: Request, template: str, status: int = 200, **context: Any) -> Response:
        path = request.url.path
        return self._render(template, status, person_id=self._person(request), path=path, **context)

    def _render(self, template: str, status: int, **context: Any) -> Response:
        text = self._templates.get_template(template).render(**context)
        return HTMLResponse(text, status, headers=_HEADERS)

    def _run(self, request: Request) -> Run:
        run = self._organization.runs.get(request.path_params["run"])
        if run is None:
            raise KeyError(request.path_params["run"])
        return run

    def _checklist(self, request: Request) -> Checklist:
        return self._organization.catalog.checklists[request.path_params["checklist"]]

    def _person(self, request: Request) -> int:
        """Return who sits at the browser: the holder of the token, unless somebody else was chosen."""
        chosen = request.cookies.get(_PERSON_COOKIE, "")
        people = self._organization.catalog.people
        return next((person.id for person in people if str(person.id) == chosen), people[0].id)

    async def _visit(self, request: Request) -> Visit:
        return Visit(self._organization, self._person(request), await _form_of(request))


async def _form_of(request: Request) -> dict[str, list[str]]:
    """Read a form as browsers send it; not one of a page of another server."""
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForeignFormError("The form was sent from another site: nothing was done.")
    body = (await request.body()).decode("utf-8", "replace")
    return parse_qs(body, keep_blank_values=True)


def page_of(run: Run) -> str:
    """Return the path of a process's page."""
    return f"{PREFIX}/{quote(run.id, safe='')}"


def _see_other(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303, headers=_HEADERS)


def _texts(error: ValueError) -> list[str]:
    if not isinstance(error, ValidationError):
        return [str(error)]
    return _flat(error.errors)


def _flat(errors: Any) -> list[str]:
    if isinstance(errors, Mapping):
        return [text for each in errors.values() for text in _flat(each)]
    return [str(each) for each in errors] if isinstance(errors, list) else [str(errors)]


def _threads_of(subject: Run | Task) -> list[Thread]:
    return sorted(subject.threads, key=lambda thread: thread.number)


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _day(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
