"""
One export in a process of its own, so that its memory can be measured; started by bench_export.py.

The first argument says how: ``operator`` exports to the file that is the second argument, ``by_hand`` lists with a loop
and dumps, ``import_pyarrow`` only does that; ``tables`` exports all tables to that directory in the format that is the
third argument, ``run_by_run`` asks for each run with what it has.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def peak() -> int:
    """Give the most memory that this process has had so far, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def import_pyarrow() -> int:
    """Import what is needed to write Parquet, and write nothing."""
    import_module("pyarrow.parquet")
    return 0


def by_hand(path: str) -> int:
    """Read every page into a list, and dump the list."""
    from ways_of_listing import by_hand

    fields = json.loads(os.environ["AIRFLOW_CONN_TALLYFY_DEFAULT"])
    server: Any = SimpleNamespace(base_url=fields["host"], token=fields["password"], organization_id=fields["login"])
    rows = by_hand(server)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rows, file)
    return len(rows)


def tables(path: str, file_format: str) -> int:
    """Export all tables, and give the rows of all of them."""
    from tallyfy_provider.tables.tables import TABLES
    from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

    formats: Any = file_format
    operator = TallyfyToObjectStorageOperator(task_id="export", path=path, tables=list(TABLES), file_format=formats)
    task = SimpleNamespace(dag_id="export", run_id="benchmark", task_id="export", map_index=-1, try_number=1)
    written = operator.execute(context={"ti": task, "outlet_events": {}})["tables"]
    return sum(table["rows"] for table in written.values())


def changed(path: str, since: str, find_changes: str) -> int:
    """Export the runs that have changed, and give how many."""
    from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

    ways: Any = find_changes
    operator = TallyfyToObjectStorageOperator(
        task_id="export",
        path=path,
        tables=["runs", "tasks", "answers", "comments"],
        updated_after=since,
        find_changes=ways,
    )
    task = SimpleNamespace(dag_id="export", run_id="benchmark", task_id="export", map_index=-1, try_number=1)
    written: dict[str, Any] = operator.execute(context={"ti": task, "outlet_events": {}})
    print("NOT_IN_FEED" + json.dumps(written["not_in_feed"]))
    return int(written["runs"])


def run_by_run(path: str) -> int:
    """List the runs by hand, and ask for each with its tasks, forms and comments, as a script does."""
    import requests
    from ways_of_listing import by_hand

    fields = json.loads(os.environ["AIRFLOW_CONN_TALLYFY_DEFAULT"])
    server: Any = SimpleNamespace(base_url=fields["host"], token=fields["password"], organization_id=fields["login"])
    headers = {
        "Authorization": f"Bearer {server.token}",
        "Accept": "application/json",
        "X-Tallyfy-Client": "APIClient",
    }
    session, rows = requests.Session(), 0
    with open(os.path.join(path, "runs.jsonl"), "w", encoding="utf-8") as file:
        for run in by_hand(server):
            url = f"{server.base_url}/organizations/{server.organization_id}/runs/{run['id']}"
            query = {"with": "tasks,tasks.form_fields,tasks.threads,ko_form_fields"}
            whole = session.get(url, params=query, headers=headers, timeout=60).json()["data"]
            file.write(json.dumps(whole) + "\n")
            rows += 1 + len(whole["ko_form_fields"]["data"])
            for task in whole["tasks"]["data"]:
                rows += 1 + len(task["form_fields"]["data"]) + len(task["threads"]["data"])
    return rows


def by_operator(operator: Any) -> int:
    """Export with the operator."""
    task = SimpleNamespace(dag_id="export", run_id="benchmark", task_id="export", map_index=-1, try_number=1)
    rows: int = operator.execute(context={"ti": task, "outlet_events": {}})["rows"]
    return rows


def main() -> None:
    """Do it, and print what it took."""
    how, path, *more = sys.argv[1:]
    import airflow  # noqa: F401  # what a task's process has, whatever the task does

    from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

    file_format: Any = None if how == "operator" else "jsonl"
    operator = TallyfyToObjectStorageOperator(
        task_id="export",
        path="/x.jsonl" if more or how == "run_by_run" else path,
        filters={"status": "active"},
        file_format=file_format,
    )
    idle = peak()
    cpu, began = time.process_time(), time.perf_counter()
    ways = {
        "import_pyarrow": import_pyarrow,
        "by_hand": lambda: by_hand(path),
        "operator": lambda: by_operator(operator),
        "tables": lambda: tables(path, *more),
        "changed": lambda: changed(path, *more),
        "run_by_run": lambda: run_by_run(path),
    }
    rows = ways[how]()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    print("RESULT" + json.dumps({"idle": idle, "peak": peak(), "rows": rows, "wall": wall, "cpu": cpu}))


if __name__ == "__main__":
    main()
