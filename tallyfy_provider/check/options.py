"""The options of the command, for argparse and for Airflow's command line. Imports nothing of ours."""

from __future__ import annotations

from typing import Any

HELP = "Check whether what this package relies on is true of your organization at Tallyfy."

#: Flags, and what argparse is told about them.
OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("--conn-id",),
        {
            "default": "tallyfy_default",
            "help": "The Airflow connection; AIRFLOW_CONN_… in the environment will do (default: tallyfy_default)",
        },
    ),
    (("--json",), {"action": "store_true", "help": "Print JSON instead of a table"}),
    (
        ("--report",),
        {
            "metavar": "FILE",
            "help": "Write what was seen to a file, without any name, text or id of yours, to attach it to an issue",
        },
    ),
    (
        ("--with-writes",),
        {
            "metavar": "CHECKLIST_ID",
            "help": "Launch one marked run of this checklist, try changes on it, and archive it",
        },
    ),
    (("--only",), {"metavar": "ID,…", "help": "Ask for these facts alone; ids as in --list"}),
    (("--list",), {"action": "store_true", "help": "List the facts, and ask nothing"}),
)
