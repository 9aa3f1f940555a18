"""Operators on tasks, the steps of a run (process) of Tallyfy."""

from tallyfy_provider.operators.tasks.commenting import CommentOperator
from tallyfy_provider.operators.tasks.completing import CompleteTaskOperator
from tallyfy_provider.operators.tasks.listing import ListTasksOperator
from tallyfy_provider.operators.tasks.reopening import ReopenTaskOperator
from tallyfy_provider.operators.tasks.updating import UpdateTaskOperator

__all__ = [
    "CommentOperator",
    "CompleteTaskOperator",
    "ListTasksOperator",
    "ReopenTaskOperator",
    "UpdateTaskOperator",
]
