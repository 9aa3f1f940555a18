"""Notifiers: what tells people in Tallyfy what became of a Dag or a task."""
