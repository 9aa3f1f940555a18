"""Decide when a wait ends, and read the runs and tasks that are waited for."""
