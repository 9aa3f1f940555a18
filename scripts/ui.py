"""``make ui``: a whole Airflow with the emulator, the connection and the example Dags in place, until Ctrl-C."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path

import airflow_home
import processes
from airflow_runner import PASSWORD, USERNAME, Standalone
from console import step
from tallyfy_emulator import Emulator

ROOT = Path(__file__).resolve().parent.parent
CONNECTION_ID = "tallyfy_default"
#: Options of `airflow connections add`, and the fields of a connection that they set.
_OPTIONS = {"type": "conn_type", "host": "host", "login": "login", "password": "password"}
_WELCOME = """
Airflow is ready:  {url}
  user name        {username}
  password         {password}
  connection       {connection}, under Admin > Connections; its Test button works
  Dags             those of example_dags/, switched on: press Trigger; the processes that they wait for
                   end by themselves after 3 to 10 minutes
  log              {log}

The pretend Tallyfy is at  {tallyfy}
  organization     {organization}
  access token     {token}
  what was asked   curl {tallyfy}/_emulator/requests
  a new process    curl {tallyfy}/_emulator/runs -d '{{"name": "Contract review", "completes_in": 60}}'
  finish one       curl -X PATCH {tallyfy}/_emulator/runs/ID -d '{{"status": "complete"}}'
  order a fault    curl {tallyfy}/_emulator/faults -d '{{"kind": "status", "status": 503, "times": 2}}'

Ctrl-C stops everything; nothing is kept.
"""


def settings() -> dict[str, str]:
    """Say how this Airflow differs from any other.

    :return: environment variables.
    """
    return {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    }


def set_up(airflow: Standalone, emulator: Emulator) -> None:
    """Make the database and put the connection into it, where the UI shows it.

    :param airflow: prepared, not started.
    :param emulator: what the connection leads to.
    :raises processes.CommandError: if Airflow fails.
    """
    with step("migrating the database"):
        airflow_home.migrate(airflow.environment, airflow.log)
    with step("adding the connection"):
        fields = json.loads(emulator.connection_json())
        options = [f"--conn-{name}={fields[key]}" for name, key in _OPTIONS.items()]
        # Airflow 3.3's Test button compares the stored port with the 0 that its form sends for a hidden one.
        airflow.run_airflow("connections", "add", CONNECTION_ID, *options, "--conn-port=0")


def open_processes(emulator: Emulator) -> None:
    """Launch what the example Dags wait for: the seeded processes are over before a person has pressed Trigger.

    :param emulator: where to launch it.
    """
    checklists = emulator.checklists
    for number, name in enumerate(("Globex lease", "Initech licence", "Hooli hosting"), 1):
        review = checklists["Contract review"]
        emulator.add_run(f"Contract review – {name}", checklist_id=review, completes_in=180.0 * number)
    close = checklists["Month-end close"]
    emulator.add_run("Month-end close – October 2026", checklist_id=close, completes_in=600.0)


def serve(resources: ExitStack) -> int:
    """Start all, tell where it is, and wait until it is stopped.

    :param resources: what has to be stopped goes here.
    :return: the exit code: 1 if Airflow ended by itself.
    """
    home = resources.enter_context(airflow_home.temporary_home("tallyfy-ui-"))
    emulator = resources.enter_context(Emulator())
    airflow = Standalone(dags_folder=ROOT / "example_dags", environment=settings(), home=home)
    resources.callback(airflow.stop)
    airflow.prepare()
    set_up(airflow, emulator)
    with step("starting Airflow: scheduler, triggerer, Dag processor, web server"):
        airflow.start()
    open_processes(emulator)
    print(
        _WELCOME.format(
            url=airflow.url,
            username=USERNAME,
            password=PASSWORD,
            connection=CONNECTION_ID,
            log=airflow.log,
            tallyfy=emulator.base_url,
            organization=emulator.organization_id,
            token=emulator.token,
        ),
        flush=True,
    )
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
