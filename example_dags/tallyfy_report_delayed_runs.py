"""
Every Monday, tell which customer onboardings are late, and whose they are.

**What it is for.** A report on what people have to do: filters are Tallyfy's own, templated, and those whose
parameter is empty are not sent.

**What to press.** Trigger; name another process, or owners by their ids with commas, to see others.

**What to look at.** The XCom of `list_delayed_runs` has the processes, that of `write_report` the sentence.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, task

from tallyfy_provider.operators.runs import ListRunsOperator


@dag(
    schedule="0 7 * * MON",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={
        "process": Param(
            "Customer onboarding",
            type="string",
            title="Process",
            description="What the processes' names contain.",
        ),
        "owner_ids": Param(
            "", type="string", title="Owners", description="Ids of owners, with commas; empty for all of them."
        ),
    },
    doc_md=__doc__,
    tags=["tallyfy", "example"],
)
def tallyfy_report_delayed_runs() -> None:
    delayed = ListRunsOperator(
        task_id="list_delayed_runs",
        filters={
            "q": "{{ params.process }}",
            "status": "delayed",
            "owners": "{{ params.owner_ids }}",  # not sent while the parameter is empty
            "sort": "created_at",
        },
        fields=["id", "name", "owner_id", "due_date"],
    )

    @task
    def write_report(runs: list[dict[str, Any]]) -> str:
        """Count the late runs of each owner; a mail or a chat message would go out here."""
        owners = Counter(str(run["owner_id"]) for run in runs)
        lines = [f"{count} late for owner {owner}" for owner, count in owners.most_common()]
        return "; ".join(lines) or "nothing is late"

    write_report(delayed.output)


tallyfy_report_delayed_runs()
