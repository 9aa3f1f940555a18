"""Read the settings of a client from an Airflow connection. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.filtering import MAX_PAGE_SIZE
from tallyfy_provider.client.http.urls import parse_base_url
from tallyfy_provider.client.settings import ClientSettings
from tallyfy_provider.exceptions import TallyfyConfigurationError
from tallyfy_provider.get_provider_info import CONNECTION_FIELDS
from tallyfy_provider.utils.suggestions import did_you_mean

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

#: The extras of a connection of type ``tallyfy``.
EXTRAS = tuple(CONNECTION_FIELDS)
#: Extras by which other providers stop verifying the server's certificate.
_VERIFY = frozenset({"verify", "verify_ssl", "ssl_verify", "check_hostname", "cert", "ca_cert"})


def read_connection(connection: Connection) -> ClientSettings:
    """Return the settings of a connection of type ``tallyfy``; the error names the field to fill or correct."""
    where = f"connection {connection.conn_id!r}"
    extra = _Extra(_extra(connection, where), where)
    allow_http = extra.flag("allow_http")
    token_url = extra.text("token_url")
    settings = ClientSettings(
        base_url=parse_base_url(_address(connection), allow_http=allow_http, what=f"host of {where}"),
        organization_id=_organization(connection, where),
        secret=_secret(connection, where),
        client_id=extra.text("client_id"),
        token_url=token_url and parse_base_url(token_url, allow_http=allow_http, what=f"extra 'token_url' of {where}"),
        username=extra.text("username"),
        user_password=extra.text("user_password"),
        act_as_user=extra.text("act_as_user"),
        timeout=extra.number("timeout", ClientSettings.timeout, least=0.001, most=3600),
        max_attempts=int(extra.number("max_attempts", ClientSettings.max_attempts, least=1, most=100, whole=True)),
        max_pause=extra.number("max_pause", ClientSettings.max_pause, least=1, most=86_400),
        concurrency=int(extra.number("concurrency", ClientSettings.concurrency, least=1, most=32, whole=True)),
        page_size=int(extra.number("page_size", ClientSettings.page_size, least=1, most=MAX_PAGE_SIZE, whole=True)),
        max_rate_limit_wait=extra.number(
            "max_rate_limit_wait", ClientSettings.max_rate_limit_wait, least=0, most=86_400
        ),
        budget_url=_budget_url(extra, where),
        where=where,
    )
    _check_grant(settings)
    return settings


def misspelt_extras(connection: Connection) -> list[str]:
    """Return a sentence for each extra that somebody expects to have an effect: misspelt, or another provider's."""
    where = f"connection {connection.conn_id!r}"
    return [
        f"The extra {name!r} of {where} is not used{hint}"
        for name in _extra(connection, where)
        if name not in EXTRAS and (hint := _hint(name))
    ]


def _hint(name: str) -> str:
    if name.strip().lower() in _VERIFY:
        return (
            ": certificates are always verified. Set REQUESTS_CA_BUNDLE, on all machines of Airflow's, to a file with "
            "the certificates of your network."
        )
    return did_you_mean(name, EXTRAS)


def _extra(connection: Connection, where: str) -> Mapping[str, Any]:
    try:
        extra = json.loads(connection.extra or "{}")
    except (ValueError, RecursionError):
        raise TallyfyConfigurationError(f"The extra of {where} is not valid JSON.") from None
    if not isinstance(extra, dict):
        raise TallyfyConfigurationError(f"The extra of {where} must be a JSON object.")
    return extra


def _address(connection: Connection) -> str:
    """Join what a URI splits into host, port and schema (its path)."""
    host = (connection.host or "").strip()
    schema = (connection.schema or "").strip().strip("/")
    if schema in {"http", "https"} and "://" not in host:
        host, schema = f"{schema}://{host}", ""
    if not host:
        return ""
    scheme, separator, rest = host.rpartition("://")
    name, slash, path = rest.partition("/")
    name = f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name  # Airflow unwraps IPv6 in URIs
    port = f":{connection.port}" if connection.port and not _has_port(name) else ""
    return f"{scheme}{separator}{name}{port}{slash}{path}" + (f"/{schema}" if schema else "")


def _has_port(name: str) -> bool:
    return ":" in name.rpartition("]")[2]


def _organization(connection: Connection, where: str) -> str:
    organization = (connection.login or "").strip()
    if not organization:
        raise TallyfyConfigurationError(
            f"The {where} names no organization: put the organization's id into its login ('Organization id' in the "
            "form). Tallyfy shows the id under Settings > Integrations > REST API."
        )
    return organization


def _secret(connection: Connection, where: str) -> str:
    secret = (connection.password or "").strip()
    if not secret:
        raise TallyfyConfigurationError(
            f"The {where} has no access token: put one into its password ('Access token' in the form; from Settings > "
            "Integrations > REST API in Tallyfy), or the client secret together with the extra 'client_id'."
        )
    if secret.lower().startswith("bearer "):
        raise TallyfyConfigurationError(f"The password of {where} begins with 'Bearer': leave that word out.")
    if not (secret.isascii() and secret.isprintable() and " " not in secret):
        raise TallyfyConfigurationError(
            f"The password of {where} has blanks, line breaks or characters that no token has: copy it again."
        )
    return secret


def _budget_url(extra: _Extra, where: str) -> str | None:
    url = extra.text("budget_url")
    if url and not url.startswith(("redis://", "rediss://", "unix://")):
        raise TallyfyConfigurationError(
            f"The extra 'budget_url' of {where} is no address of a Redis: give redis://HOST:PORT/0, or rediss:// for "
            "TLS."
        )
    return url


def _check_grant(settings: ClientSettings) -> None:
    if settings.username and not settings.client_id:
        raise TallyfyConfigurationError(
            f"The {settings.where} has a username but no client_id: the password grant needs the extras client_id, "
            "username and user_password, and the client secret in the password."
        )
    if bool(settings.username) != bool(settings.user_password):
        present, absent = ("username", "user_password") if settings.username else ("user_password", "username")
        raise TallyfyConfigurationError(f"The {settings.where} has the extra {present!r} but not {absent!r}.")


def _is_text(value: Any) -> bool:
    """Whether a value can be sent: JSON can escape half of a surrogate pair."""
    try:
        str(value).encode()
    except ValueError:
        return False
    return True


class _Extra:
    """The extras of a connection, which are text in a URI and of any type in JSON."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = values
        self._where = where

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if isinstance(value, (dict, list, bool)) or not _is_text(value):
            raise self._wrong(name, "text")
        return None if value is None else str(value).strip() or None

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        text = str(value).strip().lower() if value is not None else ""
        if text not in {"", "true", "false", "1", "0"}:
            raise self._wrong(name, "true or false")
        return text in {"true", "1"}

    def number(self, name: str, default: float, *, least: float, most: float, whole: bool = False) -> float:
        value = self._values.get(name)
        if value is None or value == "":
            return default
        kind = f"{'a whole number' if whole else 'a number'} from {least:g} to {most:g}"
        try:
            number = float(value) if not isinstance(value, bool) else float("nan")
        except (TypeError, ValueError, OverflowError):
            raise self._wrong(name, kind) from None
        if not least <= number <= most or (whole and number != int(number)):
            raise self._wrong(name, kind)
        return number

    def _wrong(self, name: str, kind: str) -> TallyfyConfigurationError:
        value = "***" if name == "user_password" else repr(self._values.get(name))
        return TallyfyConfigurationError(f"The extra {name!r} of {self._where} takes {kind}, not {value}.")
