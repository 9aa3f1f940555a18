"""All tables by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tallyfy_provider.tables.answers import ANSWERS
from tallyfy_provider.tables.comments import COMMENTS
from tallyfy_provider.tables.runs import RUNS
from tallyfy_provider.tables.schema import Table
from tallyfy_provider.tables.small import CHECKLISTS, PEOPLE, STEPS
from tallyfy_provider.tables.tasks import ASSIGNEES, TASKS
from tallyfy_provider.utils import arguments

TABLES: Mapping[str, Table] = {
    table.name: table for table in (RUNS, TASKS, ANSWERS, COMMENTS, ASSIGNEES, PEOPLE, CHECKLISTS, STEPS)
}


def tables_named(argument: str, names: Sequence[str], *, unknown_fields: bool = False) -> list[Table]:
    """Return tables by their names, in the order of :data:`TABLES`; refuse a name that is none."""
    for name in names:
        arguments.choice(argument, name, tuple(TABLES))
    chosen = [table for name, table in TABLES.items() if name in names]
    return [table.with_unknown_fields() for table in chosen] if unknown_fields else chosen
