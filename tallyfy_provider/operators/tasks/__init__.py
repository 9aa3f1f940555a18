"""Operators on tasks, the steps of a run (process) of Tallyfy."""

from tallyfy_provider.operators.tasks.comment import CommentOperator
from tallyfy_provider.operators.tasks.complete import CompleteTaskOperator
from tallyfy_provider.operators.tasks.list import ListTasksOperator
from tallyfy_provider.operators.tasks.update import ReopenTaskOperator, UpdateTaskOperator

__all__ = [
    "CommentOperator",
    "CompleteTaskOperator",
    "ListTasksOperator",
    "ReopenTaskOperator",
    "UpdateTaskOperator",
]
