"""Notifiers: launch a run or comment on one when a Dag or a task ends."""
