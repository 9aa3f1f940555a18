"""Operators on runs, the processes of Tallyfy."""

from tallyfy_provider.operators.runs.launch import LaunchRunOperator
from tallyfy_provider.operators.runs.list import ListRunsOperator
from tallyfy_provider.operators.runs.single import (
    ActivateRunOperator,
    ArchiveRunOperator,
    GetRunOperator,
    UpdateRunOperator,
)

__all__ = [
    "ActivateRunOperator",
    "ArchiveRunOperator",
    "GetRunOperator",
    "LaunchRunOperator",
    "ListRunsOperator",
    "UpdateRunOperator",
]
