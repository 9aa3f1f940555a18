"""
The command ``airflow tallyfy check``, for Airflow 3.2 and later.

Airflow loads this at each start of its command line (provider key ``cli``), so it imports nothing that takes long; what
does the work is loaded when the command runs. A Dag that is parsed loads none of it.
"""

from __future__ import annotations

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

from tallyfy_provider.check.options import HELP, OPTIONS


def get_cli_commands() -> list[CLICommand]:
    """Return the commands that Airflow's command line offers for Tallyfy."""
    check = ActionCommand(
        name="check",
        help=HELP,
        func=lazy_load_command("tallyfy_provider.check.command.run_from_airflow"),
        args=tuple(Arg(flags, **settings) for flags, settings in OPTIONS),  # type: ignore[no-untyped-call]
    )
    return [GroupCommand(name="tallyfy", help="Work with Tallyfy", subcommands=(check,))]
