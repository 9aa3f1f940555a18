"""Facts about headers, tokens, the user and the organization."""

from __future__ import annotations

from itertools import pairwise

from tallyfy_provider.check import samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.finding import Finding, cannot_tell, differs, found, holds, not_allowed, own_answer
from tallyfy_provider.check.reader import ApiReader, refuse
from tallyfy_provider.check.shapes import id_form, type_of
from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.http.responses import Response

ACCESS = Subject("access", "Base, headers, auth")

#: Seconds for which tokens are documented to last.
_LIFETIMES = {"client_credentials": 604_800, "act_as_user": 7_776_000}


@ACCESS.fact("json", "Answers are JSON, and say so", "a page of runs")
def answers_are_json(reader: ApiReader) -> Finding:
    response = reader.response("runs", params=samples.OLDEST)
    is_json = "json" in response.headers.get("content-type", "")
    return found(is_json and response.payload is not None, json=response.payload is not None, content_type=is_json)


@ACCESS.fact("client-header", "Requests without X-Tallyfy-Client are refused", "runs, without that header")
def client_header_is_needed(reader: ApiReader) -> Finding:
    params = {"per_page": "1", "page": "1"}
    response = reader.response("runs", params=params, headers={"X-Tallyfy-Client": None})
    return found(response.status in (400, 401, 403, 404), status=response.status, code=code_of(response))


@ACCESS.fact("accept-header", "Without Accept, an error may be HTML", "a run that does not exist, without that header")
def errors_without_accept(reader: ApiReader) -> Finding:
    response = reader.response("runs", "0" * 32, headers={"Accept": None})
    if response.status == 401:
        refuse(response)
    usual = reader.response("runs", "0" * 32)
    return found(response.status == usual.status, status=response.status, json=response.payload is not None)


@ACCESS.fact("plus", "A plus sign in a query may be taken for a space; we send %20", "runs by two words, joined by +")
def plus_in_query(reader: ApiReader) -> Finding:
    run = samples.first(samples.newest(reader).rows, _has_two_words, "a run with a space in its name")
    one, two = two_words(str(run["name"]))
    response = reader.response("runs", query=f"q={one}+{two}&per_page=10&page=1")
    rows = response.payload.get("data") if isinstance(response.payload, dict) else None
    if not response.is_success or not isinstance(rows, list):
        return holds(status=response.status)
    is_space = any(isinstance(row, dict) and row.get("id") == run["id"] for row in rows)
    return holds(plus_is_space=is_space, quirks={"plus_is_space": is_space})


def _has_two_words(run: dict[str, object]) -> bool:
    return two_words(str(run.get("name"))) != ("", "")


def two_words(name: str) -> tuple[str, str]:
    """Return two neighbouring words of letters and digits with one space between them; empty ones if there are none."""
    words = name.split(" ")
    return next(
        ((a, b) for a, b in pairwise(words) if a.isascii() and a.isalnum() and b.isascii() and b.isalnum()), ("", "")
    )


@ACCESS.fact("no-token", "A request without a token is answered 401, with words", "runs, without a token")
def no_token(reader: ApiReader) -> Finding:
    response = reader.response("runs", params={"per_page": "1", "page": "1"}, with_token=False)
    return found(response.status == 401 and has_words(response), status=response.status, words=has_words(response))


@ACCESS.fact("token-lifetime", "A token lasts as long as documented", "expires_in of the connection's own token")
def token_lifetime(reader: ApiReader) -> Finding:
    tokens = reader.client.session.tokens
    kind = {"ClientCredentials": "client_credentials", "ActingAsUser": "act_as_user", "PasswordGrant": "password"}.get(
        type(tokens).__name__
    )
    if kind is None:
        return cannot_tell("It needs a connection with a client_id: a personal token does not tell when it ends.")
    if tokens.lifetime is None:
        return differs("The token endpoint does not tell expires_in.", grant=kind)
    seconds = round(tokens.lifetime)
    return found(kind not in _LIFETIMES or seconds == _LIFETIMES[kind], grant=kind, seconds=seconds)


@ACCESS.fact("me", "GET /me gives the user, with a number as id", "/me")
def who(reader: ApiReader) -> Finding:
    if not reader.client.session.tokens.acts_as_person:
        return not_allowed("An application's own token belongs to no user.")
    with own_answer():
        user = reader.item("me", root=True)
    return found(type_of(user.get("id")) == "number", id=id_form(user.get("id")), email=type_of(user.get("email")))


@ACCESS.fact("my-organizations", "GET /me/organizations lists this organization", "/me/organizations")
def my_organizations(reader: ApiReader) -> Finding:
    if not reader.client.session.tokens.acts_as_person:
        return not_allowed("An application's own token belongs to no user.")
    with own_answer(unless=samples.has_other_lists(reader)):
        page = reader.page("me", "organizations", root=True, params={"per_page": "100", "page": "1"})
    is_listed = reader.organization_id in page.ids
    return found(is_listed and all("name" in row for row in page.rows), rows=len(page.rows), listed=is_listed)


@ACCESS.fact("organization", "GET of the organization gives it, with its id", "the organization")
def where(reader: ApiReader) -> Finding:
    with own_answer():
        organization = reader.item()
    is_it = str(organization.get("id")) == reader.organization_id
    return found(is_it, id=id_form(organization.get("id")), same_id=is_it, name=type_of(organization.get("name")))


@ACCESS.fact(
    "auto-archive",
    "auto_archive_processes_after of the organization is an object of unit and value",
    "the organization",
    section="Run object",
)
def auto_archive(reader: ApiReader) -> Finding:
    organization = reader.item()
    if "auto_archive_processes_after" not in organization:
        return cannot_tell("It needs a user who sees the organization's settings.")
    value = organization["auto_archive_processes_after"]
    if value in (None, [], {}):
        return holds(auto_archive=type_of(value))
    is_object = isinstance(value, dict) and {"unit", "value"} <= set(value)
    return found(is_object, auto_archive=type_of(value), quirks={"numbers_for_objects": not isinstance(value, dict)})


def code_of(response: Response) -> str | None:
    """Return the code of an error, where it is one of those that are known."""
    code = response.payload.get("code") if isinstance(response.payload, dict) else None
    known = (ENDPOINT_NOT_FOUND, "RESOURCE_NOT_FOUND", "RATE_LIMIT_EXCEEDED")
    return None if code is None else code if code in known else "other text"


def has_words(response: Response) -> bool:
    """Tell whether an error has words where the client looks for them."""
    payload = response.payload if isinstance(response.payload, dict) else {}
    error = payload.get("error")
    candidates = (payload.get("message"), payload.get("error_description"), payload.get("errors"), error)
    return any(each and not isinstance(each, bool) for each in candidates)
