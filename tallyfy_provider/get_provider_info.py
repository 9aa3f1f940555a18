"""What Airflow discovers about this package. Read at every start of Airflow, it imports nothing of the package."""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Tallyfy"


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "schema": {"type": ["string", "null"]}, "description": description}


def _secret(label: str, description: str) -> dict[str, Any]:
    return {
        "label": label,
        "schema": {"type": ["string", "null"], "format": "password"},
        "description": description,
    }


def _number(label: str, description: str, kind: str, least: float, most: float) -> dict[str, Any]:
    schema = {"type": [kind, "null"], "minimum": least, "maximum": most}
    return {"label": label, "schema": schema, "description": description}


CONNECTION_FIELDS: dict[str, Any] = {
    "client_id": _text(
        "Client id",
        "Number of your application, such as 41973, from Tallyfy's support. "
        "Its secret then goes into 'Access token, or client secret'.",
    ),
    "token_url": _text("Token URL", "The token endpoint. Empty: the host followed by /oauth/token."),
    "username": _text("User name", "For the password grant: the email address of a Tallyfy user."),
    "user_password": _secret("User password", "For the password grant: that user's password in Tallyfy."),
    "act_as_user": _text("Act as user", "Email of a member whom the application acts as."),
    "timeout": _number(
        "Timeout",
        "Seconds without a byte from Tallyfy after which an attempt ends; default 60.",
        "number",
        0.001,
        3600,
    ),
    "max_attempts": _number(
        "Attempts", "Attempts for one request, the first one included; default 5.", "integer", 1, 100
    ),
    "max_pause": _number(
        "Longest pause",
        "Seconds that a response of Tallyfy's can make everybody wait, at most; default 3600.",
        "number",
        1,
        86400,
    ),
    "concurrency": _number(
        "Concurrency", "Upper bound of the requests under way at the same time; default 4.", "integer", 1, 32
    ),
    "page_size": _number("Page size", "Rows on a page of a list, at most 100; default 100.", "integer", 1, 100),
    "max_rate_limit_wait": _number(
        "Longest wait for a rate limit",
        "Seconds that a request may wait where Tallyfy refuses requests for their rate (429); default 300. "
        "Lists and exports wait as long as their task may; with 0 nothing waits.",
        "number",
        0,
        86_400,
    ),
    "budget_url": _secret(
        "Redis for shared limits",
        "Such as redis://host:6379/0: all machines then share the limits that were learnt. "
        "Empty: each machine by itself.",
    ),
    "allow_http": {
        "label": "Allow plain http",
        "schema": {"type": ["boolean", "null"], "default": False},
        "description": "Send credentials over http to another machine. Only for networks that you trust.",
    },
}

#: URL of a run's page in Tallyfy's web app, unless Airflow's option ``[tallyfy] run_url`` says otherwise.
RUN_URL = "https://go.tallyfy.com/tracker/{run_id}"

CONFIGURATION: dict[str, Any] = {
    "tallyfy": {
        "description": "Settings of the Tallyfy provider.",
        "options": {
            "run_url": {
                "description": "URL of the page that the link *Tallyfy process* of a task leads to; "
                "``{run_id}`` stands for the run's id. Empty: no link.",
                "version_added": "1.0.0",
                "type": "string",
                "example": "https://staging.go.tallyfy.com/tracker/{run_id}",
                "default": RUN_URL,
                "is_template": "True",  # the braces are not Airflow's
            }
        },
    }
}

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema"],
    "relabeling": {
        "host": "API base URL",
        "login": "Organization id",
        "password": "Access token, or client secret",
    },
    "placeholders": {
        "host": "https://api.tallyfy.com",
        "login": "32 characters, from Settings > Integrations > REST API",
        "password": "From Settings > Integrations > REST API",
        # Airflow 3.3's button compares the stored port, none, with the 0 that it sends.
        "port": "0, for the Test button of Airflow 3.3; otherwise empty",
        "extra": '{"timeout": 60, "max_attempts": 5}',
    },
}


def _modules(package: str, *names: str) -> list[dict[str, Any]]:
    modules = [f"tallyfy_provider.{package}.{name}" for name in names]
    return [{"integration-name": _INTEGRATION, "python-modules": modules}]


def get_provider_info() -> dict[str, Any]:
    """Describe the provider to Airflow."""
    return {
        "package-name": "airflow-provider-tallyfy",
        "name": _INTEGRATION,
        "description": "List, export, launch and change the processes that people do in "
        "`Tallyfy <https://tallyfy.com/>`__, wait for them, and start Dags when they are done.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://tallyfy.com/products/pro/",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks", "tallyfy"),
        "operators": _modules("operators", "runs", "tasks", "api"),
        "sensors": _modules("sensors", "runs", "tasks"),
        "triggers": _modules("triggers", "runs", "counts", "events", "tasks"),
        "transfers": [
            {
                "source-integration-name": _INTEGRATION,
                "target-integration-name": "Common IO",  # Airflow's name for whatever an ObjectStoragePath leads to
                "python-module": "tallyfy_provider.transfers.object_storage",
            }
        ],
        "notifications": ["tallyfy_provider.notifications.tallyfy.TallyfyNotifier"],
        "extra-links": ["tallyfy_provider.links.tallyfy.TallyfyRunLink"],
        "config": CONFIGURATION,
        # Airflow 3.2 and later; it is not known to earlier ones, which ignore it.
        "cli": ["tallyfy_provider.check.airflow_command.get_cli_commands"],
        "connection-types": [
            {
                "hook-class-name": "tallyfy_provider.hooks.tallyfy.TallyfyHook",
                "hook-name": _INTEGRATION,
                "connection-type": "tallyfy",
                "conn-fields": CONNECTION_FIELDS,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
            }
        ],
    }
