"""How one lists runs: this provider, a loop by hand, Airflow's HttpOperator, Tallyfy's own SDK, dlt's REST source."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import requests
from emulator_process import EmulatorProcess

FILTERS = {"status": "active", "sort": "created_at"}


def headers(emulator: EmulatorProcess) -> dict[str, str]:
    """Give the headers that Tallyfy wants."""
    return {
        "Authorization": f"Bearer {emulator.token}",
        "Accept": "application/json",
        "X-Tallyfy-Client": "APIClient",
    }


def by_hand(
    emulator: EmulatorProcess, *, per_page: int = 100, filters: Mapping[str, str] = FILTERS
) -> list[dict[str, Any]]:
    """
    List with a loop as people write it. When it is refused (429) it sleeps as long as it is told to, and asks again.

    :param emulator: Whom to ask.
    :param per_page: Rows to a page.
    :param filters: The query.
    :return: The runs.
    """
    session = requests.Session()
    session.headers.update(headers(emulator))
    url = f"{emulator.base_url}/organizations/{emulator.organization_id}/runs"
    runs: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = session.get(url, params={**filters, "per_page": per_page, "page": page}, timeout=60)
        if answer.status_code == 429:
            time.sleep(int(answer.headers["Retry-After"]))
            continue
        answer.raise_for_status()
        payload = answer.json()
        runs += payload["data"]
        if page >= payload["meta"]["pagination"]["total_pages"]:
            return runs
        page += 1


def by_http_operator(emulator: EmulatorProcess, *, per_page: int = 100) -> list[dict[str, Any]]:
    """
    List with Airflow's HttpOperator and a ``pagination_function``, as its documentation tells.

    :param emulator: Whom to ask.
    :param per_page: Rows to a page.
    :return: The runs.
    """
    from airflow.providers.http.operators.http import HttpOperator

    os.environ["AIRFLOW_CONN_TALLYFY_HTTP"] = json.dumps({"conn_type": "http", "host": emulator.base_url})

    def next_page(response: requests.Response) -> dict[str, Any] | None:
        pagination = response.json()["meta"]["pagination"]
        page = pagination["current_page"]
        return {"data": {"page": page + 1}} if page < pagination["total_pages"] else None

    operator = HttpOperator(
        task_id="list_runs",
        http_conn_id="tallyfy_http",
        method="GET",
        endpoint=f"/organizations/{emulator.organization_id}/runs",
        headers=headers(emulator),
        data={**FILTERS, "per_page": per_page, "page": 1},
        pagination_function=next_page,
        response_filter=lambda responses: [run for each in responses for run in each.json()["data"]],
    )
    runs: list[dict[str, Any]] = operator.execute(context={})  # type: ignore[arg-type]
    return runs


def by_hook(
    emulator: EmulatorProcess,
    *,
    concurrency: int = 4,
    per_page: int = 100,
    on_incomplete: Literal["warn", "fail"] = "warn",
) -> list[dict[str, Any]]:
    """
    List with TallyfyHook.list_runs.

    :param emulator: Whom to ask.
    :param concurrency: Requests at a time.
    :param per_page: Rows to a page.
    :param on_incomplete: As in ``list_runs``.
    :return: The runs.
    """
    from tallyfy_provider.hooks.tallyfy import TallyfyHook

    connection = emulator.connection_with(concurrency=concurrency, page_size=per_page)
    os.environ["AIRFLOW_CONN_TALLYFY_DEFAULT"] = connection
    hook = TallyfyHook()
    try:
        return list(hook.list_runs({"status": "active"}, on_incomplete=on_incomplete))
    finally:
        hook.get_conn().close()


_SDK_PROGRAM = """
import json, sys
from tallyfy import TallyfySDK
from tallyfy.pagination import collect_every_page
token, base_url, organization = sys.argv[1:]
sdk = TallyfySDK(api_key=token, base_url=base_url)
seen = []
def page(number):
    filters = {"status": "active", "sort": "created_at"}
    listed = sdk.tasks.get_organization_runs(organization, page=number, per_page=100, **filters)
    seen.extend(run.id for run in listed.data)
    return {"data": listed.data, "meta": {"pagination": vars(listed.meta)}}
try:
    collect_every_page(page, "runs", "the organization", 10_000)
    error = None
except Exception as problem:
    error = str(problem)
print(json.dumps({"ids": seen, "error": error}))
"""


_DLT_PROGRAM = """
import json, sys
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator
token, base_url, organization = sys.argv[1:]
client = RESTClient(
    base_url=base_url,
    headers={"Authorization": f"Bearer {token}", "Accept": "application/json", "X-Tallyfy-Client": "APIClient"},
    paginator=PageNumberPaginator(base_page=1, total_path="meta.pagination.total_pages"),
    data_selector="data",
)
query = {"status": "active", "sort": "created_at", "per_page": 100}
seen = []
try:
    for page in client.paginate(f"/organizations/{organization}/runs", params=query):
        seen.extend(run["id"] for run in page)
    error = None
except Exception as problem:
    error = str(problem)
print(json.dumps({"ids": seen, "error": error}))
"""


def by_sdk(emulator: EmulatorProcess, folder: Path) -> tuple[list[str], str | None]:
    """
    List with Tallyfy's SDK: its own loop over pages, around its method that gets a page of runs.

    :param emulator: Whom to ask.
    :param folder: Where the SDK was installed.
    :return: The ids of the runs that it read, and the error that it ended in, if it did.
    """
    return _by_program(_SDK_PROGRAM, emulator, folder)


def by_dlt(emulator: EmulatorProcess, folder: Path) -> tuple[list[str], str | None]:
    """
    List with the client of dlt's REST source and its paginator for page numbers.

    :param emulator: Whom to ask.
    :param folder: Where dlt was installed.
    :return: As :func:`by_sdk`.
    """
    return _by_program(_DLT_PROGRAM, emulator, folder)


def _by_program(program: str, emulator: EmulatorProcess, folder: Path) -> tuple[list[str], str | None]:
    command = [sys.executable, "-c", program, emulator.token, emulator.base_url, emulator.organization_id]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    found = json.loads(output.splitlines()[-1])
    return found["ids"], found["error"]
