"""Check and build the parts of URLs: base URLs that credentials may be sent to, paths, and queries."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from tallyfy_provider.exceptions import TallyfyConfigurationError, TallyfyInputError
from tallyfy_provider.utils.arguments import as_text, as_written, mapping, refuse_undefined

DEFAULT_BASE_URL = "https://api.tallyfy.com"
#: What no address holds: control characters, and halves of surrogate pairs, which UTF-8 has no form for.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")


def parse_base_url(host: str | None, *, allow_http: bool, what: str) -> str:
    """
    Check an address that credentials will be sent to; return it as a URL without a slash at its end.

    :param host: A URL or a bare host name, with or without a path; empty means Tallyfy's own API. Both of Tallyfy's
        bases work: ``https://api.tallyfy.com`` and ``https://go.tallyfy.com/api`` (docs/tallyfy-api.md, "Base, headers,
        auth").
    :param allow_http: Allow plain http to another machine; to this machine it is always allowed.
    :param what: What the address is, for messages: ``host of connection 'x'``.
    """
    text = (host or "").strip() or DEFAULT_BASE_URL
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        _ = parts.port
    except ValueError as error:
        raise TallyfyConfigurationError(f"The {what} is no address: {error}.") from None
    if _UNFIT.search(text):
        raise TallyfyConfigurationError(f"The {what} has characters in it that no address has: type it again.")
    _check_base_url(parts, allow_http=allow_http, what=what)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _check_base_url(parts: SplitResult, *, allow_http: bool, what: str) -> None:
    shown = f"{parts.scheme}://{parts.hostname or ''}"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise TallyfyConfigurationError(
            f"The {what} must be an https address such as {DEFAULT_BASE_URL}, not {shown!r}."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise TallyfyConfigurationError(
            f"The {what} holds more than an address ({shown}…): put credentials into the login and password of the "
            "connection, and leave out everything after the path."
        )
    if parts.scheme == "http" and not (allow_http or is_loopback(parts.hostname)):
        raise TallyfyConfigurationError(
            f"The {what} is {shown}: credentials are not sent over plain http to another machine. "
            "Use https, or set the extra 'allow_http' to true if you trust the network between."
        )


def is_loopback(hostname: str) -> bool:
    """Return whether a host name or IP address, without brackets or port, means this machine."""
    if hostname == "localhost":  # any other name, also x.localhost, may lead to wherever a name server says
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def build_path(segments: Iterable[object]) -> str:
    """Build a path from unescaped segments, none of which can change its structure."""
    return "".join(f"/{_quote_segment(str(segment))}" for segment in segments)


def _quote_segment(segment: str) -> str:
    if segment.strip() in {"", ".", ".."} or _UNFIT.search(segment):
        raise TallyfyInputError(f"{segment!r} is no id: a path of Tallyfy's API cannot be built with it.")
    return quote(segment, safe="")


def split_path(path: str) -> tuple[str, ...]:
    """Split a path as users write it, such as ``runs/ID/export`` or ``/me``, into its unescaped segments."""
    if not isinstance(path, str) or not path.strip("/ "):
        raise TallyfyInputError(
            f"path is {as_written(path)}: give one such as 'runs/ID/export', or '/me' from the API's root."
        )
    if "://" in path or path.startswith("//"):
        # The rest is not shown: it may be a guest link, which opens the task for whoever has it.
        parts = urlsplit(path)
        raise TallyfyInputError(
            f"path is a whole address ({parts.scheme or 'https'}://{parts.hostname or ''}…): leave out the host, which "
            "is the connection's, and give the path alone, such as 'runs/ID/export' or '/me'."
        )
    for mark, name in (("?", "query"), ("#", "fragment")):
        if mark in path:
            raise TallyfyInputError(
                f"path {path.partition(mark)[0]!r} is followed by a {name} ({mark!r}): give a query as "
                "params={'name': value}."
            )
    segments = tuple(path.removeprefix("/").split("/"))
    if any(not segment.strip() for segment in segments):
        raise TallyfyInputError(f"path {path!r} has an empty part: an id is missing in it.")
    if any(segment.strip() in {".", ".."} for segment in segments):
        raise TallyfyInputError(f"path {path!r} leads elsewhere by '.' or '..': write the path that is meant.")
    if segments[0] == "organizations" and not path.startswith("/"):
        raise TallyfyInputError(
            f"path {path!r} is taken to be within the organization: leave out 'organizations/ID/', or begin with a "
            "slash for a path from the API's root."
        )
    return segments


def encode_query(params: Mapping[str, Any] | None) -> dict[str, str]:
    """Encode booleans as ``true`` and ``false``, and lists separated by commas; None is left out."""
    given = mapping("params", params) or {}
    return {str(name): _query_value(name, value) for name, value in given.items() if value is not None}


def check_query(params: Mapping[str, str] | None) -> None:
    """Refuse text in a query that cannot be written as UTF-8."""
    for name, value in (params or {}).items():
        if _HALF_A_CHARACTER.search(f"{name}{value}"):
            raise TallyfyInputError(
                f"{name!r} is asked for with {as_written(value)}, which holds half of a surrogate pair and is no text; "
                "nothing was sent."
            )


def _query_value(name: object, value: Any) -> str:
    refuse_undefined(value)  # nothing in its place would be a filter that lets everything through
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return as_text(f"params[{name!r}]", value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        return ",".join(_query_value(name, element) for element in value if element is not None)
    raise TallyfyInputError(
        f"params[{name!r}] takes text, a number, true or false, a date or a list of them, not a {type(value).__name__}."
    )
