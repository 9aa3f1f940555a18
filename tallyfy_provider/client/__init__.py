"""Tallyfy over HTTP. Knows nothing of Dags, hooks or triggers, and imports nothing from the floors above."""
