"""Retry policies: whether and when Airflow tries a failed task again."""
