"""docs/tables.md names every column with its type and description, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallyfy_provider.tables.tables import TABLES

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "tables.md"


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_the_columns_of_each_table_are_documented(table):
    lines = [f"### {table.name}", "", table.description, "", "| column | type | holds |", "|---|---|---|"]
    for column in table.columns:
        kind = column.kind if column.nullable else f"{column.kind}, never null"
        lines.append(f"| `{column.name}` | {kind} | {column.description} |")
    assert "\n".join(lines) in PAGE.read_text(encoding="utf-8")
