"""Operators on runs, the processes of Tallyfy."""

from tallyfy_provider.operators.runs.archive import ActivateRunOperator, ArchiveRunOperator
from tallyfy_provider.operators.runs.get import GetRunOperator
from tallyfy_provider.operators.runs.launch import LaunchRunOperator
from tallyfy_provider.operators.runs.list import ListRunsOperator
from tallyfy_provider.operators.runs.update import UpdateRunOperator

__all__ = [
    "ActivateRunOperator",
    "ArchiveRunOperator",
    "GetRunOperator",
    "LaunchRunOperator",
    "ListRunsOperator",
    "UpdateRunOperator",
]
