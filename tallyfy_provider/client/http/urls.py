"""Addresses that credentials may be sent to, and paths that hold what users gave. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import SplitResult, quote, urlsplit

from tallyfy_provider.exceptions import TallyfyConfigurationError, TallyfyInputError

DEFAULT_BASE_URL = "https://api.tallyfy.com"


def base_url(host: str | None, *, allow_http: bool, what: str) -> str:
    """
    Check an address that credentials will be sent to.

    :param host: A URL or a bare host name, with or without a path; empty means Tallyfy's own API. Both of Tallyfy's
        bases work: ``https://api.tallyfy.com`` and ``https://go.tallyfy.com/api`` (docs/tallyfy-api.md, "Base, headers,
        auth").
    :param allow_http: Whether plain http to another machine is wanted; to this machine it always is allowed.
    :param what: What the address is, for messages: ``host of connection 'x'``.
    :return: The URL without a slash at its end.
    :raises TallyfyConfigurationError: It is no address of this kind.
    """
    text = (host or "").strip() or DEFAULT_BASE_URL
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        _ = parts.port
    except ValueError as error:
        raise TallyfyConfigurationError(f"The {what} is no address: {error}.") from None
    _check(parts, allow_http=allow_http, what=what)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _check(parts: SplitResult, *, allow_http: bool, what: str) -> None:
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
            "Use https, or set the extra 'allow_http' to true where the network between is trusted."
        )


def is_loopback(hostname: str) -> bool:
    """
    Tell whether a host name means this machine.

    :param hostname: A name or an IP address, without brackets or port.
    :return: True for ``localhost`` and loopback addresses.
    """
    if hostname == "localhost" or hostname.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def path(segments: Iterable[object]) -> str:
    """
    Build a path of which no part can reach out of its place.

    :param segments: The parts, unescaped; ids may be int or str.
    :return: The escaped path, with a slash before each part.
    :raises TallyfyInputError: A part is empty, ``.`` or ``..``.
    """
    return "".join(f"/{_escaped(str(segment))}" for segment in segments)


def _escaped(segment: str) -> str:
    if segment.strip() in {"", ".", ".."}:
        raise TallyfyInputError(f"{segment!r} is no id: a path of Tallyfy's API cannot be built with it.")
    return quote(segment, safe="")
