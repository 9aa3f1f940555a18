"""The Airflow connection with which a Dag reaches the emulator."""

from __future__ import annotations

import json
from typing import Any, Literal
from urllib.parse import quote, urlencode

from tallyfy_emulator.store.organization import Organization

Grant = Literal["token", "client_credentials", "password"]


def connection_json(organization: Organization, base_url: str, grant: Grant = "token") -> str:
    """Render the connection as JSON, as ``AIRFLOW_CONN_TALLYFY_DEFAULT`` takes it."""
    extra = _extra(organization, grant)
    connection: dict[str, Any] = {
        "conn_type": "tallyfy",
        "host": base_url,
        "login": organization.catalog.organization_id,
        "password": _password(organization, grant),
    }
    return json.dumps({**connection, "extra": extra} if extra else connection)


def connection_uri(organization: Organization, base_url: str, grant: Grant = "token") -> str:
    """Render the connection as a URI."""
    extra = _extra(organization, grant)
    parts = (organization.catalog.organization_id, _password(organization, grant), base_url)
    login, password, host = (quote(part, safe="") for part in parts)
    return f"tallyfy://{login}:{password}@{host}" + (f"/?{urlencode(extra)}" if extra else "")


def _password(organization: Organization, grant: Grant) -> str:
    return organization.credentials.token if grant == "token" else organization.credentials.client_secret


def _extra(organization: Organization, grant: Grant) -> dict[str, str]:
    known = organization.credentials
    if grant == "token":
        return {}
    if grant == "client_credentials":
        return {"client_id": known.client_id}
    if grant == "password":
        return {
            "client_id": known.client_id,
            "username": known.username,
            "user_password": known.user_password,
        }
    raise ValueError(f"{grant!r} is no way to authenticate: give token, client_credentials or password.")
