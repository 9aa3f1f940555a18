"""``make ui``: a whole Airflow with the emulator, the connection and the example Dags in place, until Ctrl-C."""

from __future__ import annotations

import json
import sys
import textwrap
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow_home
import processes
from airflow_runner import PASSWORD, USERNAME, Standalone
from console import step
from tallyfy_emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
CONNECTION_ID = "tallyfy_default"
#: Seconds between two looks; the examples have minutes, as Dags in production.
_POKE_INTERVAL = "5"
_WIDTH = 100
_WELCOME = """
For a Dag of your own, these templates by the aliases of their fields (* = required), with a step's own form in
brackets; {tracker} launches them, too:
{templates}

On the process that a Dag of yours launched last:
  curl {tallyfy}/_emulator/runs/latest/tasks
  curl -X PATCH {tallyfy}/_emulator/runs/latest -d '{{"status": "complete"}}'
  curl -X PATCH {tallyfy}/_emulator/runs/latest -d '{{"status": "archived"}}'
What Dags asked, what they launched, and how to let Tallyfy fail twice:
  curl {tallyfy}/_emulator/requests
  curl {tallyfy}/_emulator/launched
  curl {tallyfy}/_emulator/faults -d '{{"kind": "status", "status": 503, "times": 2}}'

The connection {connection} is under Admin > Connections, and its Test button works. To add one in the form yourself:
  API base URL {tallyfy}
  Organization id {organization}, access token {token}
  Port 0: without one, Test answers "Bad Request" in Airflow 3.3, for a connection of any type.

Airflow is ready:  {url}   (user name {username}, password {password})
Processes:         {tracker}   what Tallyfy's web app is to people: open it in a second tab

Nothing runs by itself. Begin with an approval:
  1. In Airflow, open the Dag tallyfy_approve_before_payment, press Trigger, and leave "Unpause" ticked.
  2. Its task wait_for_approval turns to "deferred". Its log names the process and its address; the link
     "Tallyfy process" is in the task's Details.
  3. Open the process, choose how to pay, and press Approve or Reject. Within seconds the Dag goes on.
Each Dag's Docs say what it is for, what to press and what to look at. What they wait for is always there: in this
Tallyfy people launch processes and do their steps, within 10 minutes, and yours too if you do not.

Airflow's output is in {log}. Ctrl-C stops everything; nothing is kept.
"""


def settings(emulator: Emulator) -> dict[str, str]:
    """Say how this Airflow differs from any other.

    :param emulator: where the links of tasks lead.
    :return: environment variables.
    """
    return {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        # Nothing runs, and nothing fails, before the person at the browser wants it to.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__API__DEFAULT_WRAP": "True",
        # Seconds after which a new or changed Dag is there; Airflow's default is five minutes.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__TALLYFY__RUN_URL": f"{emulator.tracker_url}/{{run_id}}",
        "TALLYFY_EXAMPLES_POKE_INTERVAL": _POKE_INTERVAL,
    }


def start(airflow: Standalone, emulator: Emulator) -> None:
    """Start an Airflow with a connection to the emulator in its database, where the UI shows it.

    :param airflow: prepared, not started.
    :param emulator: what the connection leads to.
    :raises processes.CommandError: if Airflow fails.
    """
    with step("migrating the database"):
        airflow_home.migrate(airflow.environment, airflow.log)
    with step("starting Airflow: scheduler, triggerer, Dag processor, web server"):
        airflow.start()
    fields = connection_of(emulator)
    # Airflow 3.3's Test button compares the stored port with the 0 that it sends where there is none.
    airflow.rest("POST", "/connections", {"connection_id": CONNECTION_ID, **fields, "port": 0})


def connection_of(emulator: Emulator) -> dict[str, str]:
    """Return the fields of a connection to the emulator.

    :param emulator: what the connection leads to.
    :return: Airflow's names of the fields, and what they hold.
    """
    fields: dict[str, str] = json.loads(emulator.connection_json())
    return fields


def templates_of(emulator: Emulator) -> str:
    """Describe the templates as somebody who writes a Dag needs them.

    :param emulator: where they are.
    :return: lines: title and id; the kick-off form's aliases with options; the steps' aliases.
    """
    lines = []
    for title, checklist_id in emulator.checklists.items():
        checklist = emulator.checklist(checklist_id)
        lines.append(f"  {title:<24} {checklist_id}")
        if checklist["prerun"]:
            lines += _listed("kickoff", map(_field, checklist["prerun"]))
        lines += _listed("steps", map(_step, checklist["steps"]["data"]))
    return "\n".join(lines)


def _step(step: dict[str, Any]) -> str:
    form = ", ".join(map(_field, step["captures"]))
    return f"{step['alias']}{f' [{form}]' if form else ''}"


def _field(field: dict[str, Any]) -> str:
    options = " | ".join(option["text"] for option in field["options"])
    return f"{field['alias']}{'*' if field['required'] else ''}{f' ({options})' if options else ''}"


def _listed(name: str, words: Iterable[str]) -> list[str]:
    text = textwrap.fill(", ".join(words), _WIDTH, break_long_words=False, break_on_hyphens=False)
    first, *rest = text.splitlines()
    return [f"    {name:<8} {first}", *(f"             {line}" for line in rest)]


def welcome(url: str, log: Path, emulator: Emulator) -> str:
    """Write what to do first, and what else there is.

    :param url: Airflow's address.
    :param log: file with Airflow's output.
    :param emulator: the pretend Tallyfy.
    :return: the text.
    """
    return _WELCOME.format(
        url=url,
        username=USERNAME,
        password=PASSWORD,
        connection=CONNECTION_ID,
        log=log,
        tallyfy=emulator.base_url,
        tracker=emulator.tracker_url,
        organization=emulator.organization_id,
        token=connection_of(emulator)["password"],
        templates=templates_of(emulator),
    )


def serve(resources: ExitStack) -> int:
    """Start all, tell where it is, and wait until it is stopped.

    :param resources: what has to be stopped goes here.
    :return: the exit code: 1 if Airflow ended by itself.
    """
    home = resources.enter_context(airflow_home.temporary_home("tallyfy-ui-"))
    emulator = resources.enter_context(Emulator(colleagues=True))
    airflow = Standalone(dags_folder=ROOT / "example_dags", environment=settings(emulator), home=home)
    resources.callback(airflow.stop)
    airflow.prepare()
    start(airflow, emulator)
    print(welcome(airflow.url, airflow.log, emulator), flush=True)
    airflow.wait()
    print(f"Airflow has ended by itself.\n{processes.tail(airflow.log)}", file=sys.stderr)
    return 1


def main() -> int:
    """Serve until interrupted.

    :return: the exit code.
    """
    with ExitStack() as resources:
        try:
            return serve(resources)
        except KeyboardInterrupt:
            with step("\nstopping Airflow and the pretend Tallyfy"):
                resources.close()
            return 0


if __name__ == "__main__":
    processes.end_on_signals()
    try:
        sys.exit(main())
    except (processes.CommandError, TimeoutError) as problem:
        sys.exit(f"\n{problem}")
