"""
Every morning, launch an onboarding for each new hire, and wait for people to finish it, one task a hire.

**What it is for.** A process for each row of a table: one mapped task launches and awaits each, and a retry finds the
process that it launched before, so that nobody is onboarded twice.

**What to press.** Trigger.

**What to look at.** The mapped task `onboard` has an instance for each hire, which carries the name of the process;
each has the link to it.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.operators.runs import LaunchRunOperator

# The template's id is in its address in Tallyfy: https://go.tallyfy.com/…/dc4db6c7a17f2d27d7076068d2efff30
EMPLOYEE_ONBOARDING = "dc4db6c7a17f2d27d7076068d2efff30"
# What the demo sets is shorter.
POKE_INTERVAL = float(os.environ.get("TALLYFY_EXAMPLES_POKE_INTERVAL", 300))


@dag(
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    doc_md=__doc__,
    tags=["tallyfy", "example"],
)
def tallyfy_onboard_each_hire() -> None:
    @task
    def read_new_hires() -> list[dict[str, Any]]:
        """Read who was hired; a real Dag would ask the HR system."""
        hires = [("Ada Byron", "2026-12-01"), ("Grace Hopper", "2026-12-07")]
        # The kick-off form is filled by the labels of its fields; their aliases or ids will do as well.
        return [
            {"name": f"Onboarding of {name}", "kickoff": {"New colleague": name, "Start date": start}}
            for name, start in hires
        ]

    # A retry finds the process that it launched before: nobody is onboarded twice.
    onboarded = LaunchRunOperator.partial(
        task_id="onboard",
        map_index_template="{{ task.name }}",  # tells the instances apart in the UI
        checklist_id=EMPLOYEE_ONBOARDING,
        wait_for_completion=True,
        deferrable=True,
        poke_interval=POKE_INTERVAL,  # seconds: minutes will do for people
        timeout=timedelta(days=30),
        retries=3,
    ).expand_kwargs(read_new_hires())

    @task
    def open_accounts_for_payroll(run_ids: list[str]) -> str:
        """Go on with what needs a finished onboarding."""
        return f"{len(list(run_ids))} people are on board"

    open_accounts_for_payroll(onboarded.output)


tallyfy_onboard_each_hire()
